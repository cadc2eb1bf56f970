"""Models by the window, with everything behind it: search, read whether it fits, download, look, remove."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from model_manager import catalogue
from model_manager.errors import BadTensorPattern, InvalidReference
from tests.helpers.ggufs import QWEN3MOE, write_model
from tests.helpers.hub_server import HubServer, random_bytes
from tests.helpers.shapes import Shape, write_shape
from tests.integration.test_window_wiring import Coterie
from ui.library.values import QuantizeWish, SearchWish

REPO = "ann/Small-MoE-GGUF"
REF = f"{REPO}:Q4_K_M"
TIMEOUT_MS = 30_000


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    shape = Shape("small", "qwen3", 2, 64, 2, 1, 128, 300)
    content = write_shape(tmp_path / "small.gguf", shape).read_bytes()
    with HubServer() as server:
        server.add(REPO, "README.md", b"---\nlicense: mit\n---\n# Small\n\nA **small** model.\n")
        server.add(REPO, "small-Q4_K_M.gguf", content)
        server.repos[REPO].gguf = {"total": 9_000_000, "architecture": "qwen3", "context_length": 2048}
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        yield server


@pytest.fixture
def coterie(hub: HubServer, tmp_path: Path, qtbot: QtBot) -> Iterator[Coterie]:
    made = Coterie(tmp_path / "data", qtbot)
    yield made
    made.close()


@pytest.fixture
def away(tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[Coterie]:
    """One whose hub is on another machine; loopback is no network."""
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.example")
    made = Coterie(tmp_path / "away", qtbot)
    yield made
    made.close()


def test_a_model_from_search_to_removal(coterie: Coterie, qtbot: QtBot) -> None:
    window, wiring = coterie.window, coterie.wiring
    with qtbot.waitSignal(wiring.discover.suggested):
        window.open_discover()
    room = window.rooms.room()
    assert room.discover.view.faces.rowCount() > 5  # the catalogue, before anybody was asked

    room.discover.search_field.setText("small")
    with qtbot.waitSignal(wiring.discover.found, timeout=TIMEOUT_MS):
        room.discover.search_button.click()
    assert [face.key for face in room.discover.view.faces.all()] == [REPO]

    with qtbot.waitSignals([wiring.discover.page_found, wiring.discover.fit_found], timeout=TIMEOUT_MS):
        room.discover.open_page(REPO)
    page = room.discover.hub_page
    assert page.choice_label.text().startswith("Q4_K_M")
    assert "It fits" in page.fit_panel.verdict_label.text()
    assert "A small model." in page.card_view.toPlainText()

    with qtbot.waitSignal(wiring.discover.fit_found, timeout=TIMEOUT_MS):
        page.fit_panel.context_box.setCurrentIndex(0)
    figures = page.fit_panel.figures()
    assert figures is not None
    assert figures.n_ctx_tokens == figures.ctx_choices[0]

    with qtbot.waitSignal(wiring.downloads.finished, timeout=TIMEOUT_MS) as finished:
        page.download_button.click()
    name = finished.args[0].name
    qtbot.waitUntil(lambda: page.download_button.text() == "In the library")
    qtbot.waitUntil(lambda: name in [face.key for face in room.library.view.faces.all()])
    assert "downloaded and verified" in window.page.notice_bar.sentence_label.text()

    window.open_models()
    with qtbot.waitSignals([wiring.library.figured] * 2, timeout=TIMEOUT_MS):
        room.library.open_entry(name)
    assert "It fits" in room.library.panel.figures.fit_panel.verdict_label.text()
    assert [row[0] for row in room.library.panel.figures.table.rows()][:1] == ["By the header"]
    with qtbot.waitSignal(wiring.library.listed, timeout=TIMEOUT_MS):
        window.rooms.annotate_requested.emit(name, ("small",), "A test.")
    assert coterie.services.library.get(name).tags == ("small",)
    with qtbot.waitSignal(wiring.library.verified, timeout=TIMEOUT_MS):
        room.library.panel.verify_button.click()
    qtbot.waitUntil(lambda: room.library.panel.verify_button.isEnabled())
    with qtbot.waitSignal(wiring.library.removed, timeout=TIMEOUT_MS):
        window.rooms.remove_requested.emit(name, False)
    qtbot.waitUntil(lambda: name not in [face.key for face in room.library.view.faces.all()])


def test_what_goes_wrong_is_a_sentence_where_it_was_asked(coterie: Coterie, qtbot: QtBot) -> None:
    window, discover = coterie.window, coterie.wiring.discover
    window.open_discover()
    room = window.rooms.room()
    with qtbot.waitSignal(discover.page_failed, timeout=TIMEOUT_MS):
        room.discover.open_page("ann/Nothing-Here")
    assert "no such model" in room.discover.hub_page.problem_bar.sentence_label.text()
    with qtbot.waitSignal(discover.page_failed, timeout=TIMEOUT_MS) as failed:
        room.discover.open_page("no reference at all")
    assert isinstance(failed.args[0], InvalidReference)


def test_offline_the_catalogue_is_there_and_a_search_says_why_not(away: Coterie, qtbot: QtBot) -> None:
    coterie = away
    coterie.services.set_setting("offline", True)
    window, discover = coterie.window, coterie.wiring.discover
    with qtbot.waitSignal(discover.suggested):
        window.open_discover()
    room = window.rooms.room()
    assert room.discover.is_showing_catalogue()
    with qtbot.waitSignal(discover.search_failed, timeout=TIMEOUT_MS):
        room.discover.search_button.click()
    bar = room.discover.problem_bar
    assert "working offline" in bar.sentence_label.text()
    assert bar.action_button.text() == "Open settings"
    assert [button.text() for button in bar.choice_buttons] == ["Try again"]
    assert not [record for record in coterie.services.http.log.last(10) if record.status is not None]


def test_a_confirmed_entry_of_the_catalogue_is_marked(
    coterie: Coterie, hub: HubServer, tmp_path: Path, qtbot: QtBot
) -> None:
    entry = catalogue.entries()[0]
    hub.add(entry.repo_id, "model-Q4_K_M.gguf", (tmp_path / "small.gguf").read_bytes())
    hub.repos[entry.repo_id].gguf = {"total": entry.total_params, "architecture": entry.architecture}
    coterie.window.open_discover()
    page = coterie.window.rooms.room().discover

    def badges() -> list[str]:
        face = page.view.faces.face(page.view.faces.index_of(entry.repo_id))
        return [badge.text for badge in face.badges] if face is not None else []

    qtbot.waitUntil(lambda: "not verified" in badges() or "name not verified" in badges())
    with qtbot.waitSignal(coterie.wiring.discover.page_found, timeout=TIMEOUT_MS):
        page.open_page(entry.repo_id)
    assert "As the catalogue says." in page.hub_page.facts_label.text()
    qtbot.waitUntil(lambda: "verified" in badges(), timeout=TIMEOUT_MS)


def test_only_the_newest_question_is_answered(coterie: Coterie, qtbot: QtBot) -> None:
    discover = coterie.wiring.discover
    answers: list[object] = []
    discover.found.connect(answers.append)
    with qtbot.waitSignal(discover.found, timeout=TIMEOUT_MS):
        discover.search(SearchWish("nothing like it"))
        discover.search(SearchWish("small"))
    assert len(answers) == 1
    qtbot.wait(1)
    assert [model.facts.repo_id for model in answers[0]] == [REPO]  # type: ignore[attr-defined]  # a tuple


def test_a_folder_is_imported_compared_and_moved(coterie: Coterie, tmp_path: Path, qtbot: QtBot) -> None:
    window, library = coterie.window, coterie.wiring.library
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    small = (tmp_path / "small.gguf").read_bytes()
    for name in ("one.gguf", "two.gguf"):
        (folder / name).write_bytes(small)
    (folder / "poem.gguf").write_text("Roses are red")
    window.open_models()
    page = window.rooms.room().library
    with qtbot.waitSignal(library.listed, timeout=TIMEOUT_MS):
        page.import_from_requested.emit(str(folder))
    bar = window.page.notice_bar
    qtbot.waitUntil(lambda: "Added: 2. Left out: 1." in bar.sentence_label.text())
    assert "not a GGUF file" in bar.detail_view.toPlainText()

    with qtbot.waitSignal(library.doubled, timeout=TIMEOUT_MS):
        page.duplicates_button.click()
    assert {face.key for face in page.view.faces.all()} == {None, "one", "two"}
    page.all_button.click()

    target = tmp_path / "other disk"
    page.open_entry("one")
    with qtbot.waitSignal(library.told, timeout=TIMEOUT_MS) as told:
        page.move_requested.emit("one", str(target))
    assert str(target) in told.args[0].sentence
    moved = coterie.services.library.get("one")
    assert moved.is_ours
    assert moved.paths[0].is_relative_to(target)
    assert (folder / "one.gguf").exists()  # it was not ours to take away

    with qtbot.waitSignal(library.removed, timeout=TIMEOUT_MS):
        page.remove_requested.emit("two", True)
    assert not (folder / "two.gguf").exists()


def test_a_smaller_model_is_made_and_said(coterie: Coterie, tmp_path: Path, qtbot: QtBot) -> None:
    window, library = coterie.window, coterie.wiring.library
    write_model(tmp_path / "tiny.gguf", QWEN3MOE, n_experts=4)
    window.open_models()
    page = window.rooms.room().library
    with qtbot.waitSignal(library.added, timeout=TIMEOUT_MS):
        page.import_requested.emit(str(tmp_path / "tiny.gguf"))
    with qtbot.waitSignal(library.failed, timeout=TIMEOUT_MS) as failed:
        page.quantize_requested.emit("tiny", QuantizeWish("Q8_0", tensors=(("nothing", "Q4_0"),)))
    assert isinstance(failed.args[0], BadTensorPattern)
    with qtbot.waitSignal(library.told, timeout=TIMEOUT_MS) as told:
        page.quantize_requested.emit("tiny", QuantizeWish("Q8_0", experts="Q4_0", output="small"))
    assert told.args[0].sentence.startswith("small: ")
    qtbot.waitUntil(lambda: page.view.faces.index_of("small").isValid(), timeout=TIMEOUT_MS)
    assert coterie.services.library.get("small").state == "verified"

    def stop(name: str, permille: int | None) -> None:
        if permille is not None:
            library.stop(name)

    library.progressed.connect(stop)
    with (
        qtbot.assertNotEmitted(library.told),
        qtbot.assertNotEmitted(library.failed),
        qtbot.waitSignal(library.listed, timeout=TIMEOUT_MS),
    ):
        page.quantize_requested.emit("tiny", QuantizeWish("Q8_0", output="other"))
    assert [path.name for path in coterie.services.library.models_dir.glob("other*")] == []


def test_downloads_are_steered_by_the_page(coterie: Coterie, hub: HubServer, qtbot: QtBot) -> None:
    hub.rate_bytes_per_s = 100.0  # so slow that nothing is over before it is steered
    hub.add(REPO, "small-Q8_0.gguf", random_bytes(300_000))
    window, downloads = coterie.window, coterie.wiring.downloads
    window.open_downloads()
    page = window.rooms.room().downloads
    page.limits.at_once_box.setValue(1)
    qtbot.waitUntil(lambda: coterie.services.setting("downloads_at_once") == 1)
    for ref in (REF, f"{REPO}:Q8_0"):
        with qtbot.waitSignal(downloads.published, timeout=TIMEOUT_MS):
            page.download_requested.emit(ref)
    qtbot.waitUntil(lambda: len(page.cards.all_keys()) == 2)
    first, second = page.cards.all_keys()
    page.move_requested.emit(second, "first")
    qtbot.waitUntil(lambda: page.cards.all_keys() == [second, first])
    page.pause_all_button.click()
    qtbot.waitUntil(lambda: not page.resume_all_button.isHidden(), timeout=TIMEOUT_MS)
    qtbot.waitUntil(lambda: page.pause_all_button.isHidden(), timeout=TIMEOUT_MS)
    hub.rate_bytes_per_s = None
    with qtbot.waitSignal(downloads.finished, timeout=TIMEOUT_MS):
        page.resume_all_button.click()
