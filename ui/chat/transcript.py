"""The conversation as it is read: messages in, wishes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from PySide6.QtCore import QPointF, Qt, QUrl, Signal
from PySide6.QtGui import QContextMenuEvent, QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QMenu, QWidget

from storage.records import Message, Part, Rating
from ui.chat import accessible
from ui.chat.cited import number_of
from ui.chat.earlier import EarlierMessages
from ui.chat.editor import MessageEditor
from ui.chat.markdown import is_openable
from ui.chat.scene import Anchor
from ui.chat.transcript_view import TranscriptView
from ui.i18n import tr
from ui.knowledge.values import CitedPassage
from ui.values import StreamUpdate

_COPIED_MS = 1_600
_BEHIND_MS = 60
_RATINGS: Final[Mapping[str, Rating]] = {"good": 1, "bad": -1}


class Transcript(TranscriptView):
    """Messages of a conversation down to its head; older ones are asked for when they come near.

    Signals:
        earlier_requested: message id (int) of the one above the first that is shown, whether all before it
            are wanted too; `add_earlier` brings them.
        regenerate_requested: message id (int) of the answer to make anew.
        edit_requested: message id (int) of a question, its new text (str).
        version_requested: message id (int) of the version to show.
        continue_requested: message id (int) of an answer that was cut off.
        attachments_requested: message id (int) whose images come into sight; `show_attachments` brings them.
        rating_requested: message id (int) of an answer, what it is thought of (Rating), None for nothing.
        conclude_requested: message id (int) of the answer whose thinking shall end.
        rerun_requested: Message (an answer) to make again with other settings.
        compare_requested: Message (an answer) to show beside another version.
        passages_requested: list of `CitedPassage`, number of the one to show or None.
    """

    earlier_requested = Signal(object, bool)
    regenerate_requested = Signal(object)
    edit_requested = Signal(object, str)
    version_requested = Signal(object)
    continue_requested = Signal(object)
    attachments_requested = Signal(object)
    rating_requested = Signal(object, object)
    conclude_requested = Signal(object)
    rerun_requested = Signal(object)
    compare_requested = Signal(object)
    passages_requested = Signal(object, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        self._editor: MessageEditor | None = None
        self._edited_id: int | None = None
        self._earlier = EarlierMessages(lambda *wanted: self.earlier_requested.emit(*wanted))
        super().__init__(parent)
        self.control_activated.connect(self._on_control_activated)
        self.link_activated.connect(self._on_link_activated)
        self.workshop.thumbnails.wanted.connect(self.attachments_requested)
        self.workshop.thumbnails.arrived.connect(self._on_pictures_arrived)
        self._copied_timer = self.single_shot(_COPIED_MS, self._forget_copied)
        self._behind_timer = self.single_shot(_BEHIND_MS, self._catch_up)

    def set_messages(self, messages: Sequence[Message]) -> None:
        """Show another path of messages, or another state of the same one.

        A path of the same conversation stays where it is read; another conversation begins at its end.
        """
        items = self.scene.items
        is_same = bool(items and messages) and items[0].message.conversation_id == messages[0].conversation_id
        read = items[min(self._anchor.item, len(items) - 1)].message if is_same else None
        self.close_editor()
        self.selection.clear()
        self.focused = None
        self.pointer.leave()
        self._earlier.forget()
        self.scene.set_messages(messages)
        if read is None:
            self.is_following = True
        else:
            self._anchor = replace(self._anchor, item=self._place_of(read))
        self.settle()

    def _place_of(self, message: Message) -> int:
        """The number of a message, or of the version that is shown in its place."""
        number = self.scene.number_of(message.id)
        if number is None and message.parent_id is not None:
            parent = self.scene.number_of(message.parent_id)
            number = None if parent is None else parent + 1
        return number or 0

    def add_earlier(self, last_id: int, messages: Sequence[Message]) -> None:
        """Show older messages, the last of which is `last_id`; none where they could not be read.

        What was asked for when another path was shown is ignored.
        """
        if self._first_parent_id != last_id:
            return
        if messages:
            self.prepend(messages)
        self._earlier.take(self._first_parent_id)

    @property
    def _first_parent_id(self) -> int | None:
        items = self.scene.items
        return items[0].message.parent_id if items else None

    def add_message(self, message: Message) -> None:
        """Put a message at the end; a question of the reader's brings the end into sight."""
        self.scene.add(message)
        if message.role == "user":
            self.is_following = True
        self.settle()

    def replace_message(self, message: Message) -> None:
        """Take another state of a message that is shown, found by its id."""
        number = self.scene.number_of(message.id)
        if number is not None:
            self.scene.items[number].take(message)
            self.scene.place()
            self.settle()
            accessible.text_changed(self, number)

    def show_attachments(self, message_id: int, parts: Sequence[Part]) -> None:
        """The images and files of a message, in their order."""
        self.workshop.thumbnails.take(message_id, [part.data for part in parts])

    def _on_pictures_arrived(self, message_id: int) -> None:
        number = self.scene.number_of(message_id)
        if number is not None:
            self.scene.items[number].take(self.scene.items[number].message)
            self.scene.place()
            self.settle()
            self.viewport().update()

    def apply_stream(self, update: StreamUpdate) -> None:
        """Show what a streaming answer has become; only its last open block is drawn anew."""
        number = self.scene.number_of(update.message_id)
        if number is None or not self.scene.items[number].is_streaming:
            return  # a late update of an answer that has ended
        item = self.scene.items[number]
        item.apply(update)
        if item.is_behind() and not self._behind_timer.isActive():
            self._behind_timer.start()
        self.scene.place()
        self.settle()

    def set_sources(self, sources: Mapping[int, tuple[CitedPassage, ...]]) -> None:
        """Passages that questions were sent with, by the question's id."""
        self.scene.set_sources(sources)
        self.settle()

    def scroll_to(self, message_id: int, *, in_reasoning: bool = False) -> None:
        """Bring the beginning of a message to the top, with its reasoning open where that is meant."""
        number = self.scene.number_of(message_id)
        if number is not None:
            if in_reasoning and not self.scene.items[number].is_expanded:
                self.scene.items[number].toggle_reasoning()
                self.scene.place()
            self.go_to(Anchor(number, -1, 0, -self.style_now.em))

    def _catch_up(self) -> None:
        """Draw the last state of an expensive block, even if nothing more arrives."""
        for number in self.scene.shown:
            item = self.scene.items[number]
            if item.live is not None and item.is_behind():
                self.apply_stream(item.live)

    # The whole conversation

    def scroll_to_beginning(self) -> None:
        """Go to the first message, once it is there."""
        self._earlier.when_whole(self._first_parent_id, super().scroll_to_beginning)

    def select_all(self) -> None:
        """Select the whole conversation: what is shown of it, and the rest once it is there."""
        super().select_all()
        self._earlier.when_whole(self._first_parent_id, super().select_all)

    def copy(self) -> None:
        """Put the selection on the clipboard; one that is still growing, when it is whole."""
        if self._earlier.is_waiting():
            self._earlier.when_whole(self._first_parent_id, super().copy)
        else:
            super().copy()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = QMenu(self)
        link = self.pointer.look(QPointF(event.pos())).link
        copy = menu.addAction(tr("Copy"), self.copy)
        copy.setEnabled(self.selection.range is not None)
        if is_openable(link):
            menu.addAction(tr("Copy link"), lambda: QGuiApplication.clipboard().setText(link))
        menu.addAction(tr("Select all"), self.select_all)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(event.globalPos())

    # Buttons and links

    def _on_control_activated(self, number: int, name: str) -> None:
        item = self.scene.items[number]
        message_id = item.message.id
        if name == "reasoning":
            self._toggle(number, item.toggle_reasoning)
        elif name == "tools":
            self._toggle(number, item.toggle_tools)
        elif name == "continue":
            self.continue_requested.emit(message_id)
        elif name == "conclude":
            self.conclude_requested.emit(message_id)
        elif name == "more":
            self._open_more(number)
        elif name == "passages":
            self.passages_requested.emit(item.sources, None)
        elif name == "copy":
            self._copy_from(message_id, name, item.message.text or item.message.reasoning)
        elif name == "regenerate":
            self.regenerate_requested.emit(message_id)
        elif name in _RATINGS:
            rating = _RATINGS[name]
            self.rating_requested.emit(message_id, None if item.message.rating == rating else rating)
        elif name == "edit":
            self.edit_message(message_id)
        elif name in ("previous", "next"):
            version = item.version_id(-1 if name == "previous" else 1)
            if version is not None:
                self.version_requested.emit(version)
        elif name.startswith("code:"):
            section, block, inner = (int(part) for part in name.split(":")[1:])
            pieces = item.columns[section].views[block].pieces or []
            self._copy_from(message_id, name, pieces[inner].text(0, pieces[inner].length))

    def _open_more(self, number: int) -> None:
        item = self.scene.items[number]
        (button,) = (button for button in item.controls() if button.id == "more")
        menu = QMenu(self)
        rerun = menu.addAction(tr("Run again with…"), lambda: self.rerun_requested.emit(item.message))
        rerun.setEnabled(item.message.generation is not None)  # one that came from elsewhere has none
        compare = menu.addAction(tr("Compare versions…"), lambda: self.compare_requested.emit(item.message))
        compare.setEnabled(len(item.message.sibling_ids) > 1)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        corner = button.rect.bottomLeft() + QPointF(0, self.scene.top_of(number) - self.offset)
        menu.popup(self.viewport().mapToGlobal(corner.toPoint()))

    def _toggle(self, number: int, fold: Callable[[], None]) -> None:
        """Open or close a part of a message; its heading stays under the pointer."""
        above = self.offset - self.scene.top_of(number)
        fold()
        self.scene.place()
        self.go_to(Anchor(number, -1, 0, above))
        self.check_following()
        accessible.text_changed(self, number)

    def _copy_from(self, message_id: int, name: str, text: str) -> None:
        QGuiApplication.clipboard().setText(text)
        self.copied = (message_id, name)
        self._copied_timer.start()
        self.viewport().update()

    def _forget_copied(self) -> None:
        self.copied = None
        self.viewport().update()

    def _on_link_activated(self, href: str) -> None:
        number = number_of(href)
        if number is not None:
            item = self.scene.items[self.pointer.hover.item]
            self.passages_requested.emit(item.sources, number)
        elif is_openable(href):
            QDesktopServices.openUrl(QUrl(href))

    # Editing

    def edit_message(self, message_id: int) -> None:
        """Open the editor in the place of a question."""
        self.close_editor()
        number = self.scene.number_of(message_id)
        if number is None:
            return
        editor = MessageEditor(self.scene.items[number].message.text, self.style_now, self.viewport())
        self._editor, self._edited_id = editor, message_id
        editor.saved.connect(self._on_edit_saved)
        editor.cancelled.connect(self.close_editor)
        editor.height_changed.connect(self.settled)
        self.hold()
        self.settled()
        editor.show()
        editor.field.setFocus(Qt.FocusReason.OtherFocusReason)

    def close_editor(self) -> None:
        """Put the editor away, and what was written in it."""
        if self._editor is None:
            return
        editor, self._editor = self._editor, None
        number = self.scene.number_of(self._edited_id) if self._edited_id is not None else None
        self._edited_id = None
        had_focus = (
            editor.field.hasFocus() or editor.save_button.hasFocus() or editor.cancel_button.hasFocus()
        )
        editor.hide()
        editor.deleteLater()
        if number is not None:
            self._set_editor_height(number, None)
        if had_focus:
            self.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_edit_saved(self, text: str) -> None:
        message_id = self._edited_id
        self.close_editor()
        self.edit_requested.emit(message_id, text)

    def settled(self) -> None:
        """Put the editor where its message stands; look whether what has not been read yet is near."""
        if self.isVisible() and self.offset < self.viewport().height():
            self._earlier.come_near(self._first_parent_id)
        if self._editor is None or self._edited_id is None:
            return
        number = self.scene.number_of(self._edited_id)
        if number is None:
            return
        item = self.scene.items[number]
        if item.editor_height is None:
            item.set_editor_height(1.0)
        height = self._editor.wanted_height(round(item.editor_rect.width()))
        if self._set_editor_height(number, height):
            return  # the layout that this caused has placed it
        self._editor.setGeometry(
            item.editor_rect.translated(0, self.scene.top_of(number) - self.offset).toRect()
        )

    def _set_editor_height(self, number: int, height: float | None) -> bool:
        item = self.scene.items[number]
        if item.editor_height == height:
            return False
        item.set_editor_height(height)
        self.scene.place()
        self.settle()
        return True

    def restyle(self) -> None:
        """Take fonts and colours anew, in the editor too."""
        super().restyle()
        if self._editor is not None:
            self._editor.set_style(self.style_now)
