"""An answer again with other settings, and the two compared, by the window with everything behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from tests.integration.test_window_wiring import ANSWER_TIMEOUT_MS, Coterie
from ui.chat.compare_dialog import CompareDialog
from ui.chat.rerun_dialog import RerunDialog


@pytest.fixture
def coterie(tmp_path: Path, qtbot: QtBot) -> Iterator[Coterie]:
    made = Coterie(tmp_path / "data", qtbot)
    yield made
    made.close()


def test_run_again_and_compare(coterie: Coterie, qtbot: QtBot) -> None:
    window, transcript = coterie.window, coterie.window.page.transcript
    first = coterie.ask("Say hello.")
    transcript.rerun_requested.emit(transcript.scene.items[-1].message)
    (rerun,) = window.findChildren(RerunDialog)
    rerun.form.rows["max_tokens"].editor.setValue(3)  # type: ignore[union-attr]  # a QSpinBox
    with qtbot.waitSignal(coterie.chat.answered, timeout=ANSWER_TIMEOUT_MS) as answered:
        rerun.accept()
    second = answered.args[0]
    assert second.parent_id == first.parent_id
    assert second.generation.completion_tokens == 3
    qtbot.waitUntil(
        lambda: len(transcript.scene.items[-1].message.sibling_ids) == 2, timeout=ANSWER_TIMEOUT_MS
    )

    transcript.compare_requested.emit(transcript.scene.items[-1].message)
    (dialog,) = window.findChildren(CompareDialog)
    qtbot.waitUntil(lambda: bool(dialog.views[0].toPlainText()), timeout=ANSWER_TIMEOUT_MS)
    assert [view.toPlainText() for view in dialog.views] == [second.text, first.text]
    dialog.close()
