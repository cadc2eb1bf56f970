"""Discover: what is asked for by which hand, and what is said while, after and instead."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QTextDocument
from pytestqt.qtbot import QtBot

from model_manager import errors
from model_manager.types import HubFacts
from tests.helpers import page_samples as samples
from ui import i18n
from ui.library.discover_page import DiscoverPage
from ui.library.values import SearchWish
from ui.text import notice_for

REF = f"{samples.REPO}:Q4_K_M"


@pytest.fixture
def page(qtbot: QtBot) -> DiscoverPage:
    made = DiscoverPage()
    qtbot.addWidget(made)
    made.resize(900, 700)
    made.set_suggestions(samples.suggestions())
    made.show()
    return made


def titles(page: DiscoverPage) -> list[str]:
    return [face.title for face in page.view.faces.all()]


# --- the list ---


def test_the_catalogue_is_the_beginning_this_machine_first(page: DiscoverPage) -> None:
    assert page.is_showing_catalogue()
    assert titles(page)[0] == "For this computer (32 GiB and more)"
    assert titles(page)[-1] in {entry.repo_id for entry in samples.suggestions().entries}
    assert "33.4 GB of memory" in page.state_label.text()
    verified = next(face for face in page.view.faces.all() if face.key == samples.REPO)
    assert "verified" in [badge.text for badge in verified.badges]


def test_a_machine_too_small_for_any_is_told(page: DiscoverPage) -> None:
    page.set_suggestions(replace(samples.suggestions(), tier_gib=0, ram_bytes=2_000_000_000))
    assert "too little for any of them" in page.state_label.text()
    assert titles(page)[0] == "For computers with 4 GiB"


def test_enter_searches_with_all_that_is_set(qtbot: QtBot, page: DiscoverPage) -> None:
    page.sort_box.setCurrentIndex(2)
    page.license_box.setCurrentIndex(1)
    page.moe_box.setChecked(True)
    page.reasoning_box.setChecked(True)
    page.fits_box.setChecked(True)
    qtbot.keyClicks(page.search_field, " qwen ")
    with qtbot.waitSignal(page.search_requested) as asked:
        qtbot.keyClick(page.search_field, Qt.Key.Key_Return)
    assert asked.args == [
        SearchWish(
            "qwen",
            "likes",
            moe_only=True,
            reasoning_only=True,
            fits_only=True,
            license_name="apache-2.0",
            limit=30,
        )
    ]
    assert "reading the header" in page.state_label.text()


def test_another_source_is_a_filter_and_its_rows_say_so(qtbot: QtBot, page: DiscoverPage) -> None:
    page.source_box.setCurrentIndex(1)
    with qtbot.waitSignal(page.search_requested) as asked:
        page.search_button.click()
    assert asked.args[0].source == "modelscope"
    page.set_found((replace(samples.FOUND[0], facts=replace(samples.FACTS, source="modelscope")),))
    with qtbot.waitSignal(page.page_requested) as opened:
        page.view.enter()
        qtbot.keyClick(page.view, Qt.Key.Key_Return)
    assert opened.args == [f"modelscope:{samples.REPO}"]


def test_typing_alone_asks_nobody(qtbot: QtBot, page: DiscoverPage) -> None:
    with qtbot.assertNotEmitted(page.search_requested):
        qtbot.keyClicks(page.search_field, "qwen")
        page.moe_box.setChecked(True)


def test_filters_leave_less_of_the_catalogue_without_asking_anyone(qtbot: QtBot, page: DiscoverPage) -> None:
    entries = {entry.repo_id: entry for entry in samples.suggestions().entries}
    with qtbot.assertNotEmitted(page.search_requested):
        page.reasoning_box.setChecked(True)
        page.fits_box.setChecked(True)
        shown = [entries[face.key] for face in page.view.faces.all() if not face.is_heading]
        assert 0 < len(shown) < len(entries)
        assert all(entry.reasoning != "none" and entry.verdict in ("fits", "tight") for entry in shown)
        page.license_box.setCurrentIndex(page.license_box.findData("llama4"))
        assert titles(page) == []
        assert "leave out a filter" in page.state_label.text()
        for check in (page.reasoning_box, page.fits_box):
            check.setChecked(False)
        page.license_box.setCurrentIndex(page.license_box.findData("other"))
    shown = [entries[face.key] for face in page.view.faces.all() if not face.is_heading]
    assert shown
    assert not {entry.license for entry in shown} & {"Apache-2.0", "MIT"}


@pytest.mark.parametrize(
    ("typed", "author", "text"),
    [("unsloth/", "unsloth", ""), ("unsloth/ qwen3  moe", "unsloth", "qwen3  moe"), ("a / b", "", "a / b")],
)
def test_an_owner_is_named_with_a_slash(
    qtbot: QtBot, page: DiscoverPage, typed: str, author: str, text: str
) -> None:
    page.search_field.setText(typed)
    with qtbot.waitSignal(page.search_requested) as asked:
        page.search_button.click()
    assert (asked.args[0].author, asked.args[0].text) == (author, text)


def test_a_filter_asks_again_once_something_was_found(qtbot: QtBot, page: DiscoverPage) -> None:
    page.search_button.click()
    page.set_found(samples.FOUND)
    assert page.state_label.text() == "4 models"
    with qtbot.waitSignal(page.search_requested) as asked:
        page.moe_box.setChecked(True)
    assert asked.args[0].moe_only


def test_what_was_found_is_told_in_rows(page: DiscoverPage) -> None:
    page.search_button.click()
    page.set_found(samples.FOUND)
    first, large, gated, _small = page.view.faces.all()
    assert first.trailing == "Q4_K_M  18.6 GB"
    assert [badge.text for badge in first.badges] == ["fits", "experts"]
    assert "30.5B parameters" in first.lines[0]
    assert large.trailing == "about 70.8 GB in 4 bits"
    assert [badge.text for badge in large.badges] == ["too large", "experts", "reasons"]
    assert "terms to accept" in [badge.text for badge in gated.badges]
    assert "licence not told" in gated.lines[0]
    assert gated.trailing == ""
    page.grab()


def test_an_empty_field_leads_back_to_the_catalogue(qtbot: QtBot, page: DiscoverPage) -> None:
    qtbot.keyClicks(page.search_field, "qwen")
    page.search_button.click()
    page.set_found(samples.FOUND)
    assert not page.is_showing_catalogue()
    qtbot.keyClick(page.search_field, Qt.Key.Key_Escape)
    assert page.is_showing_catalogue()
    page.set_found(samples.FOUND)  # what was asked for before comes late
    assert page.is_showing_catalogue()


def test_nothing_found_and_more_to_find_are_said(qtbot: QtBot, page: DiscoverPage) -> None:
    page.search_button.click()
    page.set_found(())
    assert "Nothing was found" in page.state_label.text()
    assert page.more_button.isHidden()
    page.search_button.click()
    page.set_found(samples.FOUND * 8)
    assert not page.more_button.isHidden()
    with qtbot.waitSignal(page.search_requested) as asked:
        page.more_button.click()
    assert asked.args[0].limit == 60


def test_a_failed_search_keeps_the_rows_and_offers_another_try(qtbot: QtBot, page: DiscoverPage) -> None:
    page.search_button.click()
    page.set_found(samples.FOUND)
    page.search_button.click()
    notice = notice_for(errors.HubUnavailable("huggingface.co", "refused"))
    page.show_search_problem(replace(notice, choices=(("Try again", "retry"),)))
    assert "cannot be reached" in page.problem_bar.sentence_label.text()
    assert len(titles(page)) == 4
    with qtbot.waitSignal(page.notice_action_requested) as wanted:
        page.problem_bar.action_button.click()
    assert wanted.args == ["open_settings"]
    page.search_button.click()
    page.show_search_problem(replace(notice, action="Try again", action_id="retry"))
    with qtbot.waitSignal(page.search_requested):
        page.problem_bar.action_button.click()
    assert not page.problem_bar.isVisible()


def test_a_row_opens_its_page_by_keyboard_and_escape_leads_back(qtbot: QtBot, page: DiscoverPage) -> None:
    qtbot.keyClick(page.search_field, Qt.Key.Key_Down)
    assert page.view.current_key() is not None
    with qtbot.waitSignal(page.page_requested) as asked:
        qtbot.keyClick(page.view, Qt.Key.Key_Return)
    assert asked.args == [page.view.current_key()]
    assert page.currentWidget() is page.hub_page
    qtbot.keyClick(page.hub_page.back_button, Qt.Key.Key_Escape)
    assert page.currentWidget() is page.list_page
    assert page.focusWidget() is page.view


@pytest.mark.parametrize(
    "text", [samples.REPO, f"{samples.REPO}:Q4_K_M", f"https://huggingface.co/{samples.REPO}"]
)
def test_a_whole_reference_opens_its_page(qtbot: QtBot, page: DiscoverPage, text: str) -> None:
    page.search_field.setText(text)
    with qtbot.waitSignal(page.page_requested) as asked, qtbot.assertNotEmitted(page.search_requested):
        qtbot.keyClick(page.search_field, Qt.Key.Key_Return)
    assert asked.args == [text]


# --- a repository ---


def test_the_recommended_one_is_chosen_and_judged(qtbot: QtBot, page: DiscoverPage) -> None:
    page.open_page(samples.REPO)
    assert page.hub_page.facts_label.text() == "Asking the hub…"
    with qtbot.waitSignal(page.fit_requested) as asked:
        page.hub_page.show_page(samples.HUB_PAGE)
    assert asked.args == [REF, 0, "f16"]
    assert page.hub_page.choice_label.text() == "Q4_K_M  ·  18.6 GB"
    assert "Reading the header" in page.hub_page.fit_panel.verdict_label.text()
    page.hub_page.show_fit(samples.FIT)
    panel = page.hub_page.fit_panel
    assert panel.verdict_label.text() == "It fits: 19.9 GB of memory."
    assert "all on the graphics card but the experts of the first 36 layers" in panel.plan_label.text()
    assert "about 18.4 tokens/s when answering, 142 when reading" in panel.speed_label.text()
    described = panel.bar.accessibleDescription()
    assert "Graphics memory: " in described
    assert "experts 16.9 GB" in described
    assert "other programs" in described
    page.grab()


def test_another_quantization_and_another_context_are_asked_for(qtbot: QtBot, page: DiscoverPage) -> None:
    page.open_page(samples.REPO)
    page.hub_page.show_page(samples.HUB_PAGE)
    with qtbot.waitSignal(page.fit_requested) as asked:
        qtbot.keyClick(page.hub_page.offers_view, Qt.Key.Key_Down)
    assert asked.args == [f"{samples.REPO}:Q3_K_M", 0, "f16"]
    page.hub_page.show_fit(samples.FIT)  # the answer about the one before comes late
    assert page.hub_page.fit_panel.figures() is None
    page.hub_page.show_fit(replace(samples.FIT, ref=f"{samples.REPO}:Q3_K_M"))
    with qtbot.waitSignal(page.fit_requested) as asked:
        page.hub_page.fit_panel.context_box.setCurrentIndex(4)
    assert asked.args == [f"{samples.REPO}:Q3_K_M", 32768, "f16"]
    with qtbot.waitSignal(page.fit_requested) as asked:
        page.hub_page.fit_panel.kv_box.setCurrentIndex(1)
    assert asked.args[2] == "q8_0"


def test_what_pages_from_disk_is_said_and_drawn(page: DiscoverPage) -> None:
    page.open_page(samples.REPO)
    page.hub_page.show_page(samples.HUB_PAGE)
    page.hub_page.show_fit(samples.PAGED)
    panel = page.hub_page.fit_panel
    assert "read from the disk" in panel.verdict_label.text()
    assert "Read from disk: 7.86 GB" in panel.bar.accessibleDescription()
    assert "not known" in panel.speed_label.text()
    page.grab()


def test_a_header_that_cannot_be_read_is_a_sentence(page: DiscoverPage) -> None:
    page.open_page(samples.REPO)
    page.hub_page.show_page(samples.HUB_PAGE)
    page.hub_page.show_fit_error("another", errors.Offline("huggingface.co"))
    assert "Reading" in page.hub_page.fit_panel.verdict_label.text()
    page.hub_page.show_fit_error(REF, errors.Offline("huggingface.co"))
    assert "working offline" in page.hub_page.fit_panel.verdict_label.text()


def test_download_says_how_far_it_is(qtbot: QtBot, page: DiscoverPage) -> None:
    page.open_page(samples.REPO)
    page.hub_page.show_page(samples.HUB_PAGE)
    button = page.hub_page.download_button
    with qtbot.waitSignal(page.download_requested) as asked:
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert asked.args == [REF]
    page.hub_page.set_states({REF: "running"})
    assert (button.text(), button.isEnabled()) == ("Downloading…", False)
    page.hub_page.set_states({REF: "failed"})
    assert (button.text(), button.isEnabled()) == ("Try again", True)
    page.hub_page.set_states({REF: "done"})
    assert (button.text(), button.isEnabled()) == ("In the library", False)


def test_a_page_that_cannot_be_looked_at_can_be_asked_for_again(qtbot: QtBot, page: DiscoverPage) -> None:
    page.open_page(samples.REPO)
    notice = notice_for(errors.NotOnHub(404, "https://huggingface.co/x"))
    page.hub_page.show_problem(replace(notice, action="Try again", action_id="retry"))
    assert "no such model" in page.hub_page.problem_bar.sentence_label.text()
    assert page.hub_page.box.isHidden()
    with qtbot.waitSignal(page.page_requested) as asked:
        page.hub_page.problem_bar.action_button.click()
    assert asked.args == [samples.REPO]
    assert page.hub_page.facts_label.text() == "Asking the hub…"


def test_terms_differences_and_empty_repositories_are_said(page: DiscoverPage) -> None:
    gated = replace(
        samples.HUB_PAGE,
        is_gated=True,
        differences=(("architecture", "qwen3moe", "llama"),),
        offers=tuple(replace(offer, is_recommended=False) for offer in samples.HUB_PAGE.offers),
    )
    page.open_page(samples.REPO)
    page.hub_page.show_page(gated)
    words = page.hub_page.warning_label.text()
    assert "coterie tokens set" in words
    assert "calls its architecture llama" in words
    assert "None of them fits" in words
    assert page.hub_page.choice_label.text().startswith("Q2_K")  # the smallest is nearest
    page.hub_page.show_page(replace(samples.HUB_PAGE, facts=HubFacts("a/b"), offers=(), card=""))
    assert "no complete GGUF file" in page.hub_page.warning_label.text()
    assert page.hub_page.box.isHidden()
    assert page.hub_page.title_label.text() == "a/b"


def test_the_card_is_text_that_loads_nothing(qtbot: QtBot, page: DiscoverPage) -> None:
    page.open_page(samples.REPO)
    page.hub_page.show_page(samples.HUB_PAGE)
    view = page.hub_page.card_view
    text = view.toPlainText()
    assert "A mixture of 30.5 billion" in text
    assert "alert" not in text
    assert "<img" not in samples.HUB_PAGE.card
    assert view.loadResource(QTextDocument.ResourceType.ImageResource.value, "file:///etc/passwd") is None
    with qtbot.waitSignal(page.link_chosen) as chosen:
        view.anchorClicked.emit("https://example.org/report")
    assert chosen.args == ["https://example.org/report"]
    with qtbot.assertNotEmitted(page.link_chosen):
        view.anchorClicked.emit("file:///etc/passwd")


def test_another_language_writes_all_anew(page: DiscoverPage) -> None:
    page.open_page(samples.REPO)
    page.hub_page.show_page(samples.HUB_PAGE)
    i18n.set_language("zh_CN")
    page._retranslate()
    page.hub_page._retranslate()
    page.hub_page.fit_panel._retranslate()
    assert page.search_button.text() == "搜索"
    assert page.hub_page.back_button.text() == "返回"
    assert page.hub_page.offers_view.current_key() == REF


def test_what_the_header_says_replaces_the_guess_in_the_list(page: DiscoverPage) -> None:
    view = page.hub_page
    view.show_page(samples.HUB_PAGE)

    def badges() -> list[str]:
        face = next(face for face in view.offers_view.faces.all() if face.key == REF)
        return [badge.text for badge in face.badges]

    assert badges() == ["recommended here", "fits"]
    view.show_fit(replace(samples.FIT, verdict="tight"))
    assert badges() == ["recommended here", "tight"]
    view.show_fit(replace(samples.FIT, verdict="does_not_fit", context_reason="asked"))
    assert badges() == ["recommended here", "tight"], "that is about another context"


def test_the_legend_of_the_bar_has_room_in_a_window_made_narrow(qtbot: QtBot, page: DiscoverPage) -> None:
    page.open_page(samples.REPO)
    page.hub_page.show_page(samples.HUB_PAGE)
    page.hub_page.show_fit(samples.FIT)
    bar = page.hub_page.fit_panel.bar
    heights = set()
    for width in (900, 620, 480, 900):
        page.resize(width, 700)
        qtbot.waitUntil(lambda: bar.height() == bar.heightForWidth(bar.width()))
        heights.add(bar.height())
    assert len(heights) > 1
