"""Images, files and the use of tools in the transcript."""

from __future__ import annotations

from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor, QGuiApplication
from pytestqt.qtbot import QtBot

from tests.helpers.window_samples import attached, messages_with_parts, picture
from tests.ui.chat.conftest import at_control, click
from ui.chat.message_item import TOOLS
from ui.chat.thumbnails import SIDE, small
from ui.chat.transcript import Transcript


def test_images_are_asked_for_in_sight_and_then_drawn(qtbot: QtBot, view: Transcript) -> None:
    with qtbot.waitSignal(view.attachments_requested) as asked:
        view.set_messages(messages_with_parts())
    assert asked.args == [1]
    item = view.scene.items[0]
    names = [chip.part.name for chip in item.chips]
    assert names == [part.name for part in attached()]
    before = item.chips[0].rect
    with qtbot.waitSignal(view.workshop.thumbnails.arrived):
        view.show_attachments(1, attached())
    picture_chip, tall, file, damaged = item.chips
    assert picture_chip.rect.height() > before.height()
    assert tall.rect.height() == picture_chip.rect.height()
    assert file.rect.height() == damaged.rect.height() < tall.rect.height()
    assert all(chip.rect.right() <= item.rows.bubble.right() + 1 for chip in item.chips)
    assert item.rows.bubble.top() >= max(chip.rect.bottom() for chip in item.chips)
    view.scroll_to(1)
    corner = QPointF(0, view.scene.top_of(0) - view.offset)
    place = (picture_chip.rect.topLeft() + QPointF(12, 12) + corner).toPoint()
    assert view.viewport().grab().toImage().pixelColor(place) == QColor("#35658f")


def test_an_answer_folds_the_use_of_tools(qtbot: QtBot, view: Transcript) -> None:
    view.set_messages(messages_with_parts())
    item = view.scene.items[1]
    (heading,) = [button for button in item.controls() if button.id == "tools"]
    assert (heading.label, heading.is_expanded) == ("Tools used: web_search, python", False)
    assert item.rows.tools.height() == 0
    click(qtbot, view, at_control(view, 1, "tools"))
    assert item.shows_tools
    assert item.rows.tools.height() > 0
    assert item.rows.answer.top() > item.rows.tools.bottom()
    text = item.columns[TOOLS].text
    assert (
        text.index("`web_search`") < text.index('"limit": 3') < text.index("Result:") < text.index("python")
    )
    view.select_all()
    view.copy()
    assert "print(8 // 2)" in QGuiApplication.clipboard().text()
    click(qtbot, view, at_control(view, 1, "tools"))
    assert item.rows.tools.height() == 0


def test_a_screen_reader_hears_the_names(view: Transcript) -> None:
    view.set_messages(messages_with_parts())
    assert "router.png" in view.scene.items[0].accessible_text()


def test_a_small_picture_is_small_and_only_of_the_plain_formats() -> None:
    image = small(picture(1000, 500, "#123456"))
    assert (image.width(), image.height()) == (SIDE, SIDE // 2)
    for data in (None, b"", b"\x89PNG", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"RIFF0000WEBP"):
        assert small(data).isNull()
