import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from model_manager import starter
from model_manager.digest import sha256_of
from model_manager.errors import (
    BadExpertCount,
    BadOverride,
    CannotRemoveStarter,
    CannotWrite,
    DamagedGguf,
    HashMismatch,
    KeptByStore,
    MissingShard,
    ModelNameTaken,
    ModelNotFound,
    NotEnoughDisk,
    NotGguf,
    StarterUnavailable,
    TransferCancelled,
    UnsafeFilename,
)
from model_manager.library import Library
from model_manager.types import Adapter, ModelRecord, ModelUsage
from storage.records import StoredModel
from tests.helpers.ggufs import QWEN3MOE, write_model
from tests.helpers.shelf import Shelf


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def library(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    monkeypatch.setenv("COTERIE_CACHE_DIR", str(tmp_path / "cache"))
    return Library(shelf, tmp_path / "models")


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    (tmp_path / "outside").mkdir()
    return tmp_path / "outside"


@pytest.fixture
def moe(outside: Path) -> Path:
    return write_model(outside / "tiny.F32.gguf", QWEN3MOE, n_experts=4)


@pytest.fixture
def split(outside: Path) -> Path:
    return write_model(outside / "split.gguf", n_experts=4, shard_tensors=10)


def test_records_have_the_fields_of_the_database() -> None:
    assert ModelRecord.__dataclass_fields__.keys() == StoredModel.__dataclass_fields__.keys()


def test_an_import_stays_where_it_is(library: Library, moe: Path) -> None:
    entry = library.import_path(moe)
    assert (entry.name, entry.paths) == ("tiny.F32", (moe,))
    assert (entry.architecture, entry.n_experts, entry.n_experts_used) == ("qwen3moe", 4, 2)
    assert (entry.n_ctx_train_tokens, entry.quantization, entry.size_bytes) == (
        256,
        "F32",
        moe.stat().st_size,
    )
    assert (entry.is_ours, entry.sha256, entry.chat_template) == (False, None, None)
    assert [known.name for known in library.list()] == [*starter.NAMES, "tiny.F32"]
    assert library.get("tiny.F32") == library.get(str(moe)) == entry
    assert library.import_path(moe) == entry
    library.remove("tiny.F32")
    assert moe.is_file()
    assert [known.name for known in library.list()] == [*starter.NAMES]


def test_a_relative_path_is_remembered_as_a_full_one(
    library: Library, moe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(moe.parent)
    assert library.import_path(Path("tiny.F32.gguf")).paths == (moe,)


def test_a_link_keeps_its_own_name(library: Library, moe: Path) -> None:
    link = moe.with_name("known-name.gguf")
    link.symlink_to(moe)
    assert library.import_path(link).name == "known-name"


def test_a_copy_is_hashed_on_the_way_and_belongs_to_us(library: Library, split: Path) -> None:
    seen: list[tuple[int, int]] = []
    entry = library.import_path(split, copy=True, progress=lambda done, total: seen.append((done, total)))
    assert entry.name == "split"
    assert entry.is_ours
    assert [path.parent for path in entry.paths] == [library.models_dir] * 3
    assert entry.sha256 == tuple(sha256_of(path) for path in entry.paths)
    assert seen[-1] == (entry.size_bytes, entry.size_bytes)
    assert split.is_file()
    assert library.get("split") == entry
    library.remove("split")
    assert list(library.models_dir.iterdir()) == []


def test_an_import_from_the_models_folder_is_ours(library: Library, moe: Path) -> None:
    (library.models_dir / "deep").mkdir(parents=True)
    path = moe.rename(library.models_dir / "deep" / moe.name)
    entry = library.import_path(path, copy=True)
    assert entry.is_ours
    assert entry.paths == (path,)
    library.remove(entry.name)
    assert list(library.models_dir.iterdir()) == []


def test_what_lies_outside_is_never_deleted(library: Library, shelf: Shelf, moe: Path) -> None:
    library.import_path(moe)
    (record,) = shelf.list()
    shelf.put(replace(record, is_ours=True))
    library.remove(record.name)
    assert moe.is_file()


@pytest.mark.parametrize("copy", [False, True])
def test_a_taken_name_is_refused(library: Library, moe: Path, outside: Path, copy: bool) -> None:
    library.import_path(moe, copy=copy)
    (outside / "other").mkdir()
    other = Path(shutil.copyfile(moe, outside / "other" / moe.name))
    for again in (False, True):
        with pytest.raises(ModelNameTaken) as caught:
            library.import_path(other, copy=again)
        assert caught.value.path == library.get("tiny.F32").paths[0]


def test_the_starters_names_are_taken(library: Library, moe: Path) -> None:
    with pytest.raises(ModelNameTaken):
        library.import_path(moe.rename(moe.with_name("starter.gguf")))


def test_a_copy_over_an_unknown_file_is_refused(library: Library, moe: Path) -> None:
    library.models_dir.mkdir()
    (library.models_dir / moe.name).write_text("precious")
    with pytest.raises(ModelNameTaken):
        library.import_path(moe, copy=True)
    assert (library.models_dir / moe.name).read_text() == "precious"


def test_a_copy_that_does_not_fit_is_refused_before_the_first_byte(
    library: Library, moe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(1 << 40, 1 << 40, 1 << 20)
    )
    with pytest.raises(NotEnoughDisk) as caught:
        library.import_path(moe, copy=True)
    assert caught.value.free_bytes == 1 << 20
    assert list(library.models_dir.iterdir()) == []


def test_a_cancelled_copy_leaves_nothing(library: Library, split: Path) -> None:
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked == 2

    with pytest.raises(TransferCancelled):
        library.import_path(split, copy=True, cancelled=cancelled)
    assert list(library.models_dir.iterdir()) == []
    with pytest.raises(ModelNotFound):
        library.get("split")


def test_a_failing_disk_leaves_nothing(
    library: Library, split: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(CannotWrite):
        library.import_path(split, copy=True)
    assert list(library.models_dir.iterdir()) == []


def test_the_first_verification_records_and_the_next_compares(library: Library, split: Path) -> None:
    library.import_path(split)
    seen: list[tuple[int, int]] = []
    entry = library.verify("split", lambda done, total: seen.append((done, total)))
    assert entry.sha256 == tuple(sha256_of(path) for path in entry.paths)
    assert seen[-1] == (entry.size_bytes, entry.size_bytes)
    assert library.get("split") == library.verify("split") == entry
    path = entry.paths[1]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(HashMismatch) as caught:
        library.verify("split")
    assert (caught.value.path, caught.value.expected_sha256) == (path, entry.sha256[1])
    assert library.get("split") == replace(entry, state="damaged")


def test_a_damaged_header_is_not_recorded_as_good(library: Library, moe: Path) -> None:
    library.import_path(moe)
    content = bytearray(moe.read_bytes())
    content[16:24] = b"\xff" * 8
    moe.write_bytes(content)
    with pytest.raises(DamagedGguf):
        library.verify("tiny.F32")
    assert library.get("tiny.F32").sha256 is None


def test_a_verification_can_be_cancelled(library: Library, moe: Path) -> None:
    library.import_path(moe)
    with pytest.raises(TransferCancelled):
        library.verify("tiny.F32", cancelled=lambda: True)


def test_verifying_a_path_touches_no_entry_of_its_name(library: Library, moe: Path, outside: Path) -> None:
    entry = library.import_path(moe)
    (outside / "other").mkdir()
    other = write_model(outside / "other" / moe.name, n_experts=2)
    assert library.verify(str(other)).sha256 == (sha256_of(other),)
    assert library.get("tiny.F32") == entry


def test_missing_files_are_shown_and_named(library: Library, split: Path, moe: Path) -> None:
    library.import_path(split)
    library.import_path(moe)
    split.with_name("split-00002-of-00003.gguf").unlink()
    moe.unlink()
    assert library.get("split").is_missing
    assert library.get("tiny.F32").is_missing
    with pytest.raises(MissingShard):
        library.verify("split")
    with pytest.raises(ModelNotFound):
        library.verify("tiny.F32")
    library.remove("split")
    library.remove("tiny.F32")


def test_a_path_need_not_be_in_the_library(library: Library, moe: Path, split: Path) -> None:
    assert library.get(str(moe)).n_experts == 4
    assert len(library.get(str(split.with_name("split-00003-of-00003.gguf"))).paths) == 3
    library.import_path(split)
    assert library.get(str(split.with_name("split-00003-of-00003.gguf"))).name == "split"


def test_an_entry_says_what_is_known_of_its_files(library: Library, split: Path, moe: Path) -> None:
    first, second, _third = library.import_path(split).paths
    assert library.get("split").state == "unverified"
    entry = library.verify("split")
    assert (entry.state, library.get("split").state) == ("verified", "verified")
    assert entry.verified_at is not None
    looks = second.stat()
    os.utime(second, ns=(looks.st_atime_ns, looks.st_mtime_ns + 10**9))
    assert library.get("split").state == "changed"
    assert library.verify("split").state == "verified"
    second.unlink()
    entry = library.get("split")
    assert (entry.state, entry.missing_paths, entry.is_missing) == ("missing_shard", (second,), True)
    second.symlink_to(second.with_name("nothing.gguf"))
    assert library.get("split").state == "broken_link"
    for path in library.get("split").paths:
        path.unlink(missing_ok=True)
    assert library.get("split").state == "missing"
    library.import_path(moe)
    moe.write_bytes(moe.read_bytes()[:200])
    assert library.get("tiny.F32").state == "damaged"
    assert library.list()[-1].state == "damaged"
    assert not first.exists()


def test_a_file_that_was_replaced_is_read_again(
    library: Library, moe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert library.import_path(moe).n_experts == 4
    write_model(moe, QWEN3MOE, n_experts=8)
    assert library.list()[-1].n_experts == 8

    def unwanted(_path: Path) -> None:
        raise AssertionError("a header that is known is not read again")

    monkeypatch.setattr("model_manager.library.read_files", unwanted)
    assert library.list()[-1].n_experts == 8


def test_a_file_that_was_made_anew_is_taken_as_it_is(library: Library, moe: Path) -> None:
    library.import_path(moe)
    library.verify("tiny.F32")
    content = bytearray(moe.read_bytes())
    content[-1] ^= 1
    moe.write_bytes(content)
    os.utime(moe, ns=(1, 1))
    with pytest.raises(HashMismatch):
        library.verify("tiny.F32")
    entry = library.import_path(moe)
    assert (entry.state, entry.sha256) == ("unverified", None)
    assert library.verify("tiny.F32").sha256 == (sha256_of(moe),)


def test_a_name_that_is_no_text_is_refused(library: Library, moe: Path) -> None:
    path = moe.with_name(os.fsdecode(b"\xff.gguf"))
    moe.rename(path)
    with pytest.raises(UnsafeFilename) as caught:
        library.import_path(path)
    assert caught.value.filename.encode()


def test_words_about_a_model_are_kept(library: Library, moe: Path) -> None:
    library.import_path(moe)
    entry = library.annotate("tiny.F32", tags=["  fast ", "code", "", "fast"], note=" Good at\nGerman. ")
    assert (entry.tags, entry.note) == (("code", "fast"), "Good at\nGerman.")
    assert library.annotate("tiny.F32", note="").tags == ("code", "fast")
    library.import_path(moe)
    library.verify("tiny.F32")
    assert library.get("tiny.F32").tags == ("code", "fast")
    assert library.annotate("starter", tags=["demo"]).tags == ("demo",)
    assert library.get("starter").is_starter
    with pytest.raises(ModelNotFound):
        library.annotate("nothing", note="x")


def test_a_list_tells_how_fast_models_were(shelf: Shelf, tmp_path: Path, moe: Path) -> None:
    used = ModelUsage(datetime(2026, 1, 2, tzinfo=UTC), 12.5, None)
    library = Library(shelf, tmp_path / "models", usage=lambda: {"tiny.F32": used})
    library.import_path(moe)
    entry = library.list()[-1]
    assert (entry.used_at, entry.decode_tokens_per_s, entry.prefill_tokens_per_s) == (
        used.used_at,
        12.5,
        None,
    )


def test_files_of_others_are_deleted_only_on_demand(library: Library, moe: Path, split: Path) -> None:
    library.import_path(split)
    library.remove("split")
    assert split.is_file()
    library.import_path(split)
    library.remove("split", delete_foreign_files=True)
    assert [path for path in split.parent.iterdir() if path.name.startswith("split")] == []
    assert moe.is_file()


def test_a_blob_of_the_hub_goes_with_its_last_link(library: Library, moe: Path, outside: Path) -> None:
    repository = outside / "hub" / "models--a--b"
    links = [repository / "snapshots" / commit / "m.gguf" for commit in ("c1", "c2")]
    blob = repository / "blobs" / ("ab" * 32)
    blob.parent.mkdir(parents=True)
    moe.rename(blob)
    for link in links:
        link.parent.mkdir(parents=True)
        link.symlink_to(os.path.relpath(blob, link.parent))
    library.import_path(links[0])
    library.remove("m", delete_foreign_files=True)
    assert blob.is_file()
    assert not links[0].is_symlink()
    library.import_path(links[1])
    library.remove("m", delete_foreign_files=True)
    assert not blob.exists()


def test_ollama_alone_deletes_what_it_shares(library: Library, shelf: Shelf, moe: Path) -> None:
    library.import_path(moe)
    (record,) = shelf.list()
    shelf.put(replace(record, source="ollama:tiny:latest"))
    with pytest.raises(KeptByStore) as caught:
        library.remove(record.name, delete_foreign_files=True)
    assert caught.value.store_name == "tiny:latest"
    assert moe.is_file()
    library.remove(record.name)
    assert moe.is_file()


def test_a_file_of_two_entries_stays_for_the_other(library: Library, shelf: Shelf, moe: Path) -> None:
    library.models_dir.mkdir()
    path = moe.rename(library.models_dir / moe.name)
    entry = library.import_path(path)
    shelf.put(replace(shelf.list()[0], name="twin"))
    library.remove(entry.name)
    assert path.is_file()
    library.remove("twin")
    assert not path.exists()


@pytest.mark.parametrize("name", ["", "nothing", "/no/such.gguf", "a\0b", "~nobody-here/x", "n" * 5000, "/"])
def test_what_is_not_there_is_not_found(library: Library, name: str) -> None:
    for ask in (library.get, library.verify, library.remove):
        with pytest.raises(ModelNotFound):
            ask(name)
    with pytest.raises(ModelNotFound):
        library.import_path(Path(name))


def test_a_file_that_is_no_model_is_refused(library: Library, outside: Path) -> None:
    path = outside / "letter.gguf"
    path.write_text("Dear Sir or Madam")
    with pytest.raises(NotGguf):
        library.get(str(path))
    with pytest.raises(NotGguf):
        library.import_path(path, copy=True)


def test_downloads_are_added_with_what_is_known_of_them(library: Library, split: Path) -> None:
    folder = library.models_dir / "owner" / "repo"
    shutil.copytree(split.parent, folder)
    paths = sorted(folder.glob("split-*.gguf"))
    sha256 = tuple(sha256_of(path) for path in paths)
    entry = library.add_downloaded(paths[::-1], sha256[::-1], "hub:owner/repo@main")
    assert (entry.name, entry.source, entry.is_ours) == ("split", "hub:owner/repo@main", True)
    assert (entry.paths, entry.sha256) == (tuple(paths), sha256)
    assert library.add_downloaded(paths, sha256, "hub:owner/repo@main") == entry
    twin = library.models_dir / "other" / "repo"
    shutil.copytree(folder, twin)
    second = library.add_downloaded(sorted(twin.glob("*")), sha256, "hub:other/repo@main")
    assert second.name == "split-2"
    library.remove("split")
    assert not folder.parent.exists()
    assert not library.get("split-2").is_missing


def test_the_starters_are_always_there_and_stay(library: Library) -> None:
    for name in starter.NAMES:
        assert library.get(name).is_starter
        with pytest.raises(CannotRemoveStarter):
            library.remove(name)
        with pytest.raises(StarterUnavailable):
            library.verify(name)


def test_a_damaged_starter_is_found_and_made_again(
    library: Library, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dense = write_model(outside / "dense.gguf")
    monkeypatch.setattr(starter, "DENSE_SHA256", sha256_of(dense))
    with dense.open("rb") as file:
        starter.adopt_dense(file)
    entry = library.verify("starter-thinking")
    assert entry.chat_template == starter.THINKING_TEMPLATE
    path, good = entry.paths[0], entry.paths[0].read_bytes()
    looks = path.stat()
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    os.utime(path, ns=(looks.st_atime_ns, looks.st_mtime_ns))
    with pytest.raises(HashMismatch):
        library.verify("starter")
    library.verify("starter")
    assert path.read_bytes() == good


# --- wishes of a plan ------------------------------------------------------------------------------------


def test_a_plan_is_kept_with_its_entry(library: Library, outside: Path) -> None:
    entry = library.import_path(write_model(outside / "m.gguf", QWEN3MOE, n_experts=8))
    assert entry.plan == {}
    library.set_plan("m", {"n_experts_used": 3, "cache_type_k": "q8_0"})
    library.set_plan("m", {"n_experts_used": None, "n_threads": 2})
    assert library.get("m").plan == {"cache_type_k": "q8_0", "n_threads": 2}
    library.verify("m")
    library.import_path(entry.paths[0])
    assert library.get("m").plan == {"cache_type_k": "q8_0", "n_threads": 2}, "a look at the files keeps it"
    assert library.reset_plan("m").plan == {}


def test_adapters_are_kept_with_their_entry(library: Library, outside: Path) -> None:
    library.import_path(write_model(outside / "m.gguf"))
    adapters = (Adapter(outside / "a.gguf", 0.5),)
    assert library.set_adapters("m", adapters).adapters == adapters
    assert library.reset_plan("m").adapters == adapters


def test_a_starter_keeps_wishes_and_stays_one(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [entry.name for entry in library.list()]
    library.set_adapters("starter", [Adapter(Path("a.gguf"))])
    entry = library.get("starter")
    assert entry.adapters == (Adapter(Path("a.gguf")),)
    assert entry.is_starter
    assert [entry.name for entry in library.list()] == names
    with pytest.raises(CannotRemoveStarter):
        library.remove("starter")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"n_experts_used": 9}, BadExpertCount),
        ({"tensor_overrides": [["nothing", "CPU"]]}, BadOverride),
        ({"tensor_overrides": [["(", "CPU"]]}, BadOverride),
        ({"load_mode": "magic"}, ValueError),
    ],
)
def test_a_wish_that_cannot_be_changes_nothing(
    library: Library, outside: Path, changes: dict[str, object], error: type[Exception]
) -> None:
    library.import_path(write_model(outside / "m.gguf", QWEN3MOE, n_experts=8))
    library.set_plan("m", {"n_threads": 2})
    with pytest.raises(error):
        library.set_plan("m", changes)
    assert library.get("m").plan == {"n_threads": 2}


def test_a_file_that_is_not_in_the_library_keeps_no_wishes(library: Library, outside: Path) -> None:
    path = write_model(outside / "m.gguf")
    with pytest.raises(ModelNotFound):
        library.set_plan(str(path), {"n_threads": 2})
