from __future__ import annotations

import os
from pathlib import Path

import pytest

from model_manager.errors import StoreNotFound, TransferCancelled
from model_manager.importers import walking
from model_manager.importing import import_from
from model_manager.library import Library
from model_manager.types import ImportReport
from tests.helpers.ggufs import write_model


@pytest.fixture
def store(tmp_path: Path) -> Path:
    (tmp_path / "store" / "deep").mkdir(parents=True)
    return tmp_path / "store"


def told(report: ImportReport) -> dict[str, str]:
    """File name to what became of it."""
    return {item.path.name: item.reason or item.status for item in report.items}


def test_models_of_a_folder_come_over_where_they_are(library: Library, store: Path) -> None:
    plain = write_model(store / "plain.gguf")
    write_model(store / "deep" / "split.gguf", n_experts=4, shard_tensors=10)
    (store / "readme.txt").write_text("nothing")
    before = sorted(store.rglob("*"))
    seen: list[tuple[int, int]] = []
    report = import_from(library, str(store), progress=lambda *counts: seen.append(counts))
    assert told(report) == {"plain.gguf": "added", "split-00001-of-00003.gguf": "added"}
    assert seen == [(1, 2), (2, 2)]
    assert sorted(store.rglob("*")) == before
    assert library.get("plain").paths == (plain,)
    assert len(library.get("split").paths) == 3
    assert not library.get("split").is_ours
    again = import_from(library, str(store))
    assert set(told(again).values()) == {"known"}
    assert len(library.records.list()) == 2


def test_a_dry_run_changes_nothing(library: Library, store: Path) -> None:
    write_model(store / "plain.gguf")
    report = import_from(library, str(store), dry_run=True)
    assert (told(report), report.is_dry_run) == ({"plain.gguf": "added"}, True)
    assert library.records.list() == []


def test_equal_names_get_numbers(library: Library, store: Path) -> None:
    write_model(store / "m.gguf")
    write_model(store / "deep" / "m.gguf", n_experts=2)
    report = import_from(library, str(store))
    assert [item.name for item in report.items] == ["m", "m-2"]
    assert [record.name for record in library.records.list()] == ["m", "m-2"]
    assert {item.name for item in import_from(library, str(store)).items} == {"m", "m-2"}


def test_what_does_not_come_over_says_why(library: Library, store: Path, tmp_path: Path) -> None:
    good = write_model(tmp_path / "good.gguf").read_bytes()
    (store / "letter.gguf").write_text("Dear Sir or Madam")
    (store / "short.gguf").write_bytes(good[:-500])
    (store / "nowhere.gguf").symlink_to(store / "nothing")
    (store / "circle.gguf").symlink_to(store / "circle.gguf")
    (store / "out.gguf").symlink_to(tmp_path / "good.gguf")
    (store / "folder.gguf").mkdir()
    os.mkfifo(store / "pipe.gguf")
    (store / "incomplete-x.gguf").write_bytes(good[:100])
    write_model(store / "split.gguf", n_experts=4, shard_tensors=10)
    (store / "split-00002-of-00003.gguf").unlink()
    write_model(store / "wide.gguf", n_experts=4, shard_tensors=10)
    shard = store / "wide-00003-of-00003.gguf"
    shard.rename(tmp_path / "shard")
    shard.symlink_to(tmp_path / "shard")
    assert told(import_from(library, str(store))) == {
        "letter.gguf": "not_gguf",
        "short.gguf": "truncated",
        "nowhere.gguf": "broken_link",
        "circle.gguf": "cycle",
        "out.gguf": "outside",
        "pipe.gguf": "not_a_file",
        "incomplete-x.gguf": "unfinished",
        "split-00002-of-00003.gguf": "missing_shard",
        "wide-00003-of-00003.gguf": "outside",
    }
    assert library.records.list() == []


def test_links_inside_a_folder_are_followed_once(library: Library, store: Path, tmp_path: Path) -> None:
    write_model(store / "deep" / "m.gguf")
    (store / "again").symlink_to(store / "deep")
    (store / "deep" / "up").symlink_to(store)
    (store / "out").symlink_to(tmp_path)
    (store / "same.gguf").symlink_to(store / "deep" / "m.gguf")
    report = import_from(library, str(store))
    assert sorted(told(report).values()) == ["added", "known", "outside"]
    assert len(library.records.list()) == 1


def test_a_folder_without_end_is_given_up(
    library: Library, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walking, "MAX_FOLDERS", 5)
    for number in range(8):
        (store / str(number)).mkdir()
    assert told(import_from(library, str(store)))["store"] == "too_many"


def test_names_that_no_list_can_show(library: Library, store: Path) -> None:
    write_model(store / "two\nlines\u202e.gguf")
    os.rename(write_model(store / "good.gguf", n_experts=2), os.fsencode(store) + b"/\xff.gguf")
    report = import_from(library, str(store))
    assert [(item.name, item.reason) for item in report.items] == [("two lines", None), ("?", "unreadable")]
    assert not library.get("two lines").is_missing
    assert [str(item.path).encode() for item in report.items]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_is_not_ours_to_read_is_told(library: Library, store: Path) -> None:
    (store / "deep").chmod(0)
    try:
        assert told(import_from(library, str(store))) == {"deep": "unreadable"}
    finally:
        (store / "deep").chmod(0o700)


def test_a_file_that_has_moved_is_found_again(library: Library, store: Path) -> None:
    path = write_model(store / "m.gguf")
    import_from(library, str(store))
    library.annotate("m", note="mine")
    library.verify("m")
    path.rename(store / "deep" / "m.gguf")
    assert library.get("m").state == "missing"
    assert told(import_from(library, str(store))) == {"m.gguf": "found_again"}
    entry = library.get("m")
    assert (entry.paths, entry.note, entry.state) == ((store / "deep" / "m.gguf",), "mine", "verified")


def test_our_own_folder_is_a_store_too(library: Library) -> None:
    library.models_dir.mkdir()
    path = write_model(library.models_dir / "m.gguf")
    (library.models_dir / "x.gguf.part").write_text("half")
    report = import_from(library, "ours")
    assert (report.store, told(report)) == ("ours", {"m.gguf": "added"})
    assert library.get("m").is_ours
    library.remove("m")
    assert not path.exists()


@pytest.mark.parametrize("where", ["nothing", "", "relative/folder", "/no/such/folder", "a\0b"])
def test_a_store_that_is_not_there(library: Library, where: str) -> None:
    with pytest.raises(StoreNotFound) as caught:
        import_from(library, where)
    assert "ollama" in caught.value.choices


def test_a_cancelled_import_adds_nothing(library: Library, store: Path) -> None:
    write_model(store / "a.gguf")
    write_model(store / "b.gguf")
    answers = iter((False, True))
    with pytest.raises(TransferCancelled):
        import_from(library, str(store), cancelled=lambda: next(answers))
    assert library.records.list() == []
