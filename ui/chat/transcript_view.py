"""The mechanics of the transcript: scrolling, layout of what is in sight, painting, mouse and keyboard.

What its buttons mean is `ui.chat.transcript`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from PySide6.QtCore import QElapsedTimer, QEvent, QPointF, QRect, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QGuiApplication,
    QHelpEvent,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QApplication, QFrame, QToolTip, QWidget

from storage.records import Message
from ui.chat import accessible, message_paint, pointer
from ui.chat.control import Control, ControlState
from ui.chat.end_button import EndButton
from ui.chat.pointer import Pointer
from ui.chat.scene import Anchor, Scene
from ui.chat.selection import Selection
from ui.chat.style import Style
from ui.chat.workshop import Workshop
from ui.i18n import tr

_FORMULAS_MS = 40
_TOP_MARGIN_EM = 1.4


class TranscriptView(QAbstractScrollArea):
    """A scroll area over a `Scene`.

    Follows the end while the reader is there, and stays where they scrolled to otherwise.

    Attributes:
        is_following: The end of the conversation stays at the bottom of the viewport.
        copied: Id of the message and control that has just copied something.
        focused: Likewise of the control that the keyboard is on.

    Signals:
        control_activated: number of the message (int), id of its control (str).
        link_activated: target (str) of a clicked link.
    """

    control_activated = Signal(int, str)
    link_activated = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        accessible.register(self)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # One that comes and goes would change the width, and with it every height.
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(tr("Conversation"))
        self.viewport().setMouseTracking(True)
        self.style_now = Style.current()
        self.workshop = Workshop(self)
        self.workshop.formulas.rendered.connect(self._on_formula_rendered)
        self.workshop.lexer_loaded.connect(self.viewport().update)
        self.scene = Scene(self.style_now, self.workshop)
        self.selection = Selection()
        self.is_following = True
        self.copied: tuple[int, str] | None = None
        self.focused: tuple[int, str] | None = None
        self._anchor = Anchor()
        self._is_placing = False
        self._announced: set[str] = set()
        self._zoom_percent = 100
        self._double_click = QElapsedTimer()
        self._double_click_at = QPointF()
        self.pointer = Pointer(self.scene, self.selection, self)
        self.pointer.control_activated.connect(self.control_activated)
        self.pointer.link_activated.connect(self.link_activated)
        self.pointer.changed.connect(self._on_pointer_changed)
        self.pointer.scroll_wanted.connect(self.scroll_by)
        self._end_button = EndButton(self)
        self._end_button.clicked.connect(self.scroll_to_end)
        self._formula_timer = self.single_shot(_FORMULAS_MS, self._refresh_formulas)
        self.verticalScrollBar().valueChanged.connect(self._on_scrolled)

    def single_shot(self, interval_ms: int, slot: Callable[[], None]) -> QTimer:
        """A timer of this widget that fires once each time it is started."""
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(interval_ms)
        timer.timeout.connect(slot)
        return timer

    # Scrolling and layout

    @property
    def offset(self) -> float:
        """Height of the scene at the top of the viewport; negative in the margin above the first message."""
        return float(self.verticalScrollBar().value()) - self._top_margin

    @property
    def _top_margin(self) -> float:
        return round(self.style_now.em * _TOP_MARGIN_EM)

    def scroll_to_end(self) -> None:
        """Go to the end and follow it from now on."""
        self.is_following = True
        self.settle()

    def scroll_to_beginning(self) -> None:
        """Go to the first message."""
        self.verticalScrollBar().setValue(0)

    def scroll_by(self, pixels: int) -> None:
        """Move on through the text (positive) or back."""
        bar = self.verticalScrollBar()
        bar.setValue(bar.value() + pixels)

    def go_to(self, anchor: Anchor) -> None:
        """Bring something to the top of the viewport, and stay there."""
        self.is_following = False
        self._anchor = anchor
        self.settle()

    def hold(self) -> None:
        """Stay at what is being read, whatever grows."""
        self.is_following = False
        self._anchor = self._anchor_here()

    def prepend(self, messages: Sequence[Message]) -> None:
        """Put older messages above the first one, out of sight: what is read stays where it is."""
        self.scene.prepend(messages)
        self._anchor = replace(self._anchor, item=self._anchor.item + len(messages))
        self.selection.shift(len(messages))
        self.pointer.shift(len(messages))
        self.settle()

    def set_zoom(self, percent: int) -> None:
        """Show text at `percent` of the application font's size."""
        self._zoom_percent = percent
        self.restyle()

    def settle(self) -> None:
        """Lay out what is in sight around the anchor and set the scroll bar to it."""
        if self._is_placing:
            return
        self._is_placing = True
        try:
            height = self.viewport().height()
            self.scene.set_width(self.viewport().width())
            value = self.scene.settle(None if self.is_following else self._anchor, height)
            bar = self.verticalScrollBar()
            bar.setRange(0, max(0, round(self.scene.height + self._top_margin) - height))
            bar.setEnabled(bar.maximum() > 0)  # the theme shows no handle where there is nothing to scroll
            bar.setPageStep(height)
            bar.setSingleStep(round(self.style_now.em * 3))
            if self.is_following:
                bar.setValue(bar.maximum())
            elif self._anchor.below < 0 and self._anchor.item == 0:
                bar.setValue(round(self._anchor.below + self._top_margin))
            else:
                bar.setValue(round(value + self._top_margin))
            self.pointer.offset = self.offset
            self.pointer.viewport_height = height
        finally:
            self._is_placing = False
        self._end_button.place(self.viewport().geometry(), is_wanted=not self.is_following)
        self.viewport().update()
        self.settled()

    def settled(self) -> None:
        """Called after every layout; for widgets that stand in the text."""

    def restyle(self) -> None:
        """Take fonts and colours anew."""
        self.style_now = Style.current(self._zoom_percent)
        self.scene.set_style(self.style_now)
        self.settle()

    def check_following(self) -> None:
        """Follow the end if it is in sight."""
        bar = self.verticalScrollBar()
        self.is_following = bar.value() >= bar.maximum() - 2
        self._end_button.place(self.viewport().geometry(), is_wanted=not self.is_following)

    def _anchor_here(self) -> Anchor:
        return self.scene.anchor_at(self.offset) if self.offset >= 0 else Anchor(below=self.offset)

    def _on_scrolled(self, _value: int) -> None:
        if not self._is_placing:
            self.check_following()
            self._anchor = self._anchor_here()
            self.settle()

    def _on_formula_rendered(self, latex: str) -> None:
        self._announced.add(latex)
        if not self._formula_timer.isActive():
            self._formula_timer.start()

    def _refresh_formulas(self) -> None:
        announced, self._announced = self._announced, set()
        if self.scene.refresh_formulas(announced):
            self.settle()

    # Selection

    def selected_text(self) -> str:
        """What Ctrl+C copies."""
        return self.selection.text(self.scene)

    def copy(self) -> None:
        """Put the selection on the clipboard."""
        if text := self.selected_text():
            QGuiApplication.clipboard().setText(text)

    def select_all(self) -> None:
        """Select the whole conversation."""
        self.selection.select_all(self.scene)
        self.viewport().update()

    def _on_pointer_changed(self) -> None:
        self.viewport().setCursor(pointer.cursor_shape(self.pointer.hover))
        self.viewport().update()

    # Keyboard focus on painted buttons

    def focusable(self) -> list[tuple[int, Control]]:
        """Buttons in sight, in reading order: number of the message, control."""
        top, bottom = self.offset, self.offset + self.viewport().height()
        return [
            (number, button)
            for number, item, item_top in self.scene.between(top, bottom)
            for button in item.controls()
            if button.is_enabled
            and item_top + button.rect.bottom() > top
            and item_top + button.rect.top() < bottom
        ]

    def focusNextPrevChild(self, next_: bool) -> bool:
        reachable = [(self.scene.items[number].message.id, button.id) for number, button in self.focusable()]
        place = (
            reachable.index(self.focused) if self.focused in reachable else (-1 if next_ else len(reachable))
        )
        place += 1 if next_ else -1
        if 0 <= place < len(reachable):
            self.focused = reachable[place]
            self.viewport().update()
            accessible.focus_moved(self)
            return True
        self.focused = None
        self.viewport().update()
        return super().focusNextPrevChild(next_)

    # Events

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        try:
            self._paint(painter, event)
        finally:
            # A painter that an exception leaves open takes the whole program down with it.
            painter.end()

    def _paint(self, painter: QPainter, event: QPaintEvent) -> None:
        painter.fillRect(event.rect(), self.style_now.colors.surface)
        top, bottom = self.offset + event.rect().top(), self.offset + event.rect().bottom() + 1
        hover, pressed = self.pointer.hover, self.pointer.pressed
        for number, item, item_top in self.scene.between(top, bottom):
            message_id = item.message.id
            state = ControlState(
                hovered=hover.control if hover.item == number else "",
                pressed=pressed.control if pressed.item == number else "",
                focused=self.focused[1]
                if self.hasFocus() and self.focused and self.focused[0] == message_id
                else "",
                copied=self.copied[1] if self.copied and self.copied[0] == message_id else "",
                is_near=hover.item == number,
            )
            painter.save()
            painter.translate(0, item_top - self.offset)
            clip = QRectF(0, top - item_top, self.viewport().width(), bottom - top)
            message_paint.paint(item, painter, clip, state, self.selection.in_item(number))
            painter.restore()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.settle()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        kinds = (QEvent.Type.PaletteChange, QEvent.Type.FontChange, QEvent.Type.ApplicationFontChange)
        if event.type() in (*kinds, QEvent.Type.LanguageChange) and hasattr(self, "scene"):
            self.restyle()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        at = event.position()
        is_third = (
            self._double_click.isValid()
            and self._double_click.elapsed() < QApplication.doubleClickInterval()
            and (at - self._double_click_at).manhattanLength() < QApplication.startDragDistance()
        )
        self._double_click.invalidate()
        self.focused = None
        extends = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        self.pointer.press(at, 3 if is_third else 1, extends=extends)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._double_click.start()
            self._double_click_at = event.position()
            self.pointer.press(event.position(), 2, extends=False)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self.pointer.move(event.position(), is_down=bool(event.buttons() & Qt.MouseButton.LeftButton))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.pointer.release(event.position())

    def wheelEvent(self, event: QWheelEvent) -> None:
        delta = event.pixelDelta() if not event.pixelDelta().isNull() else event.angleDelta() * 0.5
        is_turned = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        sideways = delta.x() or (delta.y() if is_turned else 0)
        if abs(sideways) > abs(delta.y()) or (sideways and is_turned):
            piece = self.pointer.piece_under(event.position())
            if piece is not None and piece.scroll_by(-sideways):
                self.viewport().update()
            event.accept()
            return
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            event.ignore()  # the window zooms
            return
        super().wheelEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        bar = self.verticalScrollBar()
        page = self.viewport().height() - round(self.style_now.em * 3)
        steps = {
            Qt.Key.Key_PageDown: page,
            Qt.Key.Key_PageUp: -page,
            Qt.Key.Key_Down: bar.singleStep(),
            Qt.Key.Key_Up: -bar.singleStep(),
            Qt.Key.Key_Space: page,
        }
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        elif event.matches(QKeySequence.StandardKey.SelectAll):
            self.select_all()
        elif self.focused and event.key() in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            number = self.scene.number_of(self.focused[0])
            if number is not None:
                self.control_activated.emit(number, self.focused[1])
        elif event.key() == Qt.Key.Key_Home:
            self.scroll_to_beginning()
        elif event.key() == Qt.Key.Key_End:
            self.scroll_to_end()
        elif event.key() == Qt.Key.Key_Escape and self.selection.range is not None:
            self.selection.clear()
            self.viewport().update()
        elif event.key() in steps:
            self.scroll_by(steps[Qt.Key(event.key())])
        else:
            event.ignore()

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Leave and hasattr(self, "pointer"):
            self.pointer.leave()
        elif isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            self._show_tool_tip(event)
            return True
        return super().viewportEvent(event)

    def _show_tool_tip(self, event: QHelpEvent) -> None:
        hover = self.pointer.look(QPointF(event.pos()))
        text = self.scene.items[hover.item].words_of(hover.link) if hover.link else ""
        if hover.control:
            controls = self.scene.items[hover.item].controls()
            text = next(
                (button.name for button in controls if button.id == hover.control and not button.label), ""
            )
        if text:
            QToolTip.showText(
                event.globalPos(),
                text,
                self.viewport(),
                QRect(event.pos(), event.pos()).adjusted(-8, -8, 8, 8),
            )
        else:
            QToolTip.hideText()
