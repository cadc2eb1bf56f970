"""The page of downloads: each state in words, each button where it makes sense."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from model_manager import errors
from model_manager.types import DownloadSnapshot
from tests.helpers import window_samples as samples
from ui.library.download_rows import DownloadRow, describe, progress_permille
from ui.library.downloads_page import DownloadsPage
from ui.question import Question


def yes(*_args: object) -> bool:
    return True


def no(*_args: object) -> bool:
    return False


@pytest.fixture
def downloads(qtbot: QtBot) -> DownloadsPage:
    page = DownloadsPage()
    qtbot.addWidget(page)
    page.set_downloads(samples.downloads())
    page.show()
    return page


def row(page: DownloadsPage, download_id: int) -> DownloadRow:
    found = page.cards.card(download_id)
    assert isinstance(found, DownloadRow)
    return found


def test_enter_starts_a_download(qtbot: QtBot, downloads: DownloadsPage) -> None:
    qtbot.keyClicks(downloads.reference_field, " owner/repo:Q4_K_M ")
    with qtbot.waitSignal(downloads.download_requested) as asked:
        qtbot.keyClick(downloads.reference_field, Qt.Key.Key_Return)
    assert asked.args == ["owner/repo:Q4_K_M"]
    assert downloads.reference_field.text() == ""
    assert downloads.isVisible()


def test_an_empty_reference_starts_nothing(qtbot: QtBot, downloads: DownloadsPage) -> None:
    with qtbot.assertNotEmitted(downloads.download_requested):
        qtbot.keyClick(downloads.reference_field, Qt.Key.Key_Return)
    assert not downloads.start_button.isEnabled()


def test_progress_is_per_mille_of_any_size() -> None:
    huge = DownloadSnapshot(1, "r", "n", "running", 3_000_000_000_000, 4_000_000_000_000)
    assert progress_permille(huge) == 750
    assert progress_permille(replace(huge, size_bytes=None)) is None
    assert progress_permille(replace(huge, size_bytes=0)) is None
    assert progress_permille(replace(huge, received_bytes=9 * 10**12)) == 1000
    assert progress_permille(replace(huge, size_bytes=None, status="done")) == 1000
    checked = replace(huge, received_bytes=4_000_000_000_000, verified_bytes=1_000_000_000_000)
    assert progress_permille(replace(checked, status="verifying")) == 250


@pytest.mark.parametrize(
    ("download_id", "words"),
    [
        (1, "7.31 GB of 17.7 GB · 38.4 MB/s · 4 min 31 s left"),
        (2, "Paused · 2.00 GB of 12.1 GB"),
        (3, "Waiting for its turn"),
        (4, "Stopped by a problem · 900 MB of 11.9 GB"),
        (5, "Checking the checksum · 3.10 GB of 5.04 GB"),
        (6, "Complete and verified · 98.0 MB"),
    ],
)
def test_every_state_is_described(download_id: int, words: str) -> None:
    assert describe(samples.downloads()[download_id - 1]) == words


def test_a_silent_server_is_said() -> None:
    silent = DownloadSnapshot(1, "r", "n", "running", 0, None)
    assert describe(silent) == "0 B · waiting for the server"


def test_buttons_fit_the_state(downloads: DownloadsPage) -> None:
    def shown(download_id: int) -> list[bool]:
        card = row(downloads, download_id)
        buttons = (card.pause_button, card.resume_button, card.retry_button, card.cancel_button)
        return [not button.isHidden() for button in buttons]

    assert shown(1) == [True, False, False, True]
    assert shown(2) == [False, True, False, True]
    assert shown(4) == [False, False, True, True]
    assert shown(6) == [False, False, False, True]
    assert not row(downloads, 6).chat_button.isHidden()
    assert row(downloads, 1).chat_button.isHidden()


def test_an_error_is_a_sentence_in_its_row(downloads: DownloadsPage) -> None:
    assert "11.0 GB are needed" in row(downloads, 4).error_label.text()
    assert row(downloads, 1).error_label.isHidden()


def test_pause_resume_retry_by_mouse(qtbot: QtBot, downloads: DownloadsPage) -> None:
    with qtbot.waitSignal(downloads.pause_requested) as paused:
        qtbot.mouseClick(row(downloads, 1).pause_button, Qt.MouseButton.LeftButton)
    with qtbot.waitSignal(downloads.resume_requested) as resumed:
        qtbot.mouseClick(row(downloads, 2).resume_button, Qt.MouseButton.LeftButton)
    with qtbot.waitSignal(downloads.resume_requested) as retried:
        qtbot.mouseClick(row(downloads, 4).retry_button, Qt.MouseButton.LeftButton)
    assert (paused.args, resumed.args, retried.args) == ([1], [2], [4])


def test_cancel_asks_only_when_bytes_would_be_lost(
    qtbot: QtBot, downloads: DownloadsPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Question, "ask", no)
    with qtbot.assertNotEmitted(downloads.cancel_requested):
        row(downloads, 1).cancel_button.click()
    with qtbot.waitSignal(downloads.cancel_requested) as cancelled:
        row(downloads, 3).cancel_button.click()
    monkeypatch.setattr(Question, "ask", yes)
    with qtbot.waitSignal(downloads.cancel_requested) as agreed:
        row(downloads, 1).cancel_button.click()
    assert (cancelled.args, agreed.args) == ([3], [1])


def test_rows_stay_while_they_run_and_go_when_they_are_gone(downloads: DownloadsPage) -> None:
    before = row(downloads, 1)
    later = replace(samples.downloads()[0], received_bytes=9_000_000_000)
    downloads.set_downloads([later])
    assert row(downloads, 1) is before
    assert before.bar.value() == 507
    assert downloads.cards.all_keys() == [1]
    downloads.set_downloads([])
    assert downloads.cards.empty_label.isVisible()


def test_what_is_over_goes_below_and_off_the_list_without_a_question(
    qtbot: QtBot, downloads: DownloadsPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Question, "ask", no)
    assert downloads.cards.all_keys() == [1, 2, 3, 5, 4, 6]
    with qtbot.waitSignal(downloads.cancel_requested) as gone:
        downloads.clear_button.click()
    assert gone.args == [6]
    done_first = [samples.downloads()[5], samples.downloads()[0]]
    downloads.set_downloads(done_first)
    assert downloads.cards.all_keys() == [1, 6]
    downloads.set_downloads(done_first[1:])
    assert downloads.clear_button.isHidden()


def test_the_sum_of_all_is_said(downloads: DownloadsPage) -> None:
    downloads.set_free_space(412_000_000_000, Path("/models"))
    words = downloads.sum_label.text()
    assert words.startswith("3 downloads under way · 10.4 GB to come · 38.4 MB/s · 4 min 31 s left")
    assert words.endswith("412 GB free in /models")
    downloads.set_downloads([])
    assert downloads.sum_label.text() == "412 GB free in /models"


def test_a_finished_model_is_chatted_with(qtbot: QtBot, downloads: DownloadsPage) -> None:
    with qtbot.waitSignal(downloads.chat_requested) as chosen:
        row(downloads, 6).chat_button.click()
    assert chosen.args == ["SmolLM2-135M-Instruct.Q4_1"]
    other = replace(samples.downloads()[5], files=((Path("/models/mmproj.bin"), "0" * 64),))
    downloads.set_downloads([other])
    assert row(downloads, 6).chat_button.isHidden()


def test_errors_are_never_shown_raw() -> None:
    failed = replace(samples.downloads()[3], error=errors.HashMismatch(Path("/a/b.gguf"), "0" * 64, "1" * 64))
    assert "0000" not in describe(failed)


def test_a_download_that_waits_says_for_what() -> None:
    running = samples.downloads()[0]
    away = replace(running, waiting="network", retry_in_s=12.0, rate_bytes_per_s=None, eta_s=None)
    assert describe(away).endswith("no network, what has arrived is kept; next try in 12 s")
    assert describe(replace(away, waiting="server")).endswith("does not answer; next try in 12 s")
    assert describe(replace(running, n_files=3)).endswith("left · 3 files")


def test_the_queue_is_put_in_order_and_stopped_as_a_whole(qtbot: QtBot, downloads: DownloadsPage) -> None:
    first, last = row(downloads, 1), row(downloads, 5)
    assert (first.up_button.isEnabled(), first.down_button.isEnabled()) == (False, True)
    assert (last.up_button.isEnabled(), last.down_button.isEnabled()) == (True, False)
    assert row(downloads, 6).up_button.isHidden()
    with qtbot.waitSignal(downloads.move_requested) as moved:
        row(downloads, 2).up_button.click()
    assert moved.args == [2, "up"]
    with qtbot.waitSignal(downloads.pause_all_requested):
        downloads.pause_all_button.click()
    with qtbot.waitSignal(downloads.resume_all_requested):
        downloads.resume_all_button.click()
    downloads.set_downloads(samples.downloads()[5:])
    assert downloads.pause_all_button.isHidden()
    assert downloads.resume_all_button.isHidden()


def test_limits_are_settings(qtbot: QtBot, downloads: DownloadsPage) -> None:
    with qtbot.assertNotEmitted(downloads.setting_changed):
        downloads.set_settings({"downloads_at_once": 3, "download_rate": 123_000})
    assert downloads.limits.at_once_box.value() == 3
    assert downloads.limits.rate_box.currentText() == "123 kB/s"
    with qtbot.waitSignal(downloads.setting_changed) as changed:
        downloads.limits.at_once_box.stepUp()
    assert changed.args == ["downloads_at_once", 4]
    with qtbot.waitSignal(downloads.setting_changed) as changed:
        downloads.limits.rate_box.setCurrentIndex(0)
    assert changed.args == ["download_rate", 0]
    assert downloads.limits.rate_box.currentText() == "no limit"
