"""What the mouse does in the transcript: select, press painted buttons, open links, pull sideways bars."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QObject, QPointF, QRectF, Qt, QTimer, Signal

from ui.chat.code import CodePiece
from ui.chat.message_item import ItemSpot
from ui.chat.piece import Piece
from ui.chat.scene import Scene
from ui.chat.selection import Position, Selection
from ui.chat.table import TablePiece

_DRAG_DISTANCE = 4
_EDGE_PX = 28
_EDGE_INTERVAL_MS = 30


@dataclass(slots=True)
class Hover:
    """What lies under the pointer: a message (-1 for none), a control's id, a link's target."""

    item: int = -1
    control: str = ""
    link: str = ""
    is_text: bool = False


class Pointer(QObject):
    """Turns mouse events in the viewport into selections and wishes.

    Signals:
        control_activated: number of the message (int), id of the control (str).
        link_activated: target (str) of a clicked link.
        changed: Something to paint has changed.
        scroll_wanted: pixels (int) to scroll by, while selecting beyond an edge.
    """

    control_activated = Signal(int, str)
    link_activated = Signal(str)
    changed = Signal()
    scroll_wanted = Signal(int)

    def __init__(self, scene: Scene, selection: Selection, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.hover = Hover()
        self.pressed = Hover()
        self.offset = 0.0
        self.viewport_height = 0.0
        self._scene = scene
        self._selection = selection
        self._press_at = QPointF()
        self._at = QPointF()
        self._unit = "letter"
        self._is_selecting = False
        self._moved = False
        self._bar: tuple[Piece, float, float] | None = None
        self._edge_timer = QTimer(self)
        self._edge_timer.setInterval(_EDGE_INTERVAL_MS)
        self._edge_timer.timeout.connect(self._on_edge)

    def shift(self, n_items: int) -> None:
        """So many messages have come before the first one."""
        for place in (self.hover, self.pressed):
            if place.item >= 0:
                place.item += n_items

    def press(self, at: QPointF, n_clicks: int, *, extends: bool) -> None:
        """The left button went down; `n_clicks` is 2 for a double click, 3 for a triple one."""
        self._at = self._press_at = at
        self._moved = False
        self.pressed = self.look(at)
        if self.pressed.control:
            self.changed.emit()
            return
        if (bar := self._bar_at(at)) is not None:
            self._bar = (bar, at.x(), bar.scroll_x)
            return
        if self.pressed.link and n_clicks == 1 and not extends:
            # Selecting may begin on a link, but only once the pointer has moved.
            self._selection.clear()
        self._unit = {2: "word", 3: "piece"}.get(n_clicks, "letter")
        found = self._positions(at)
        if found is None:
            self._selection.clear()
        elif extends:
            self._selection.extend(*found)
        else:
            self._selection.begin(*found)
        self._is_selecting = found is not None
        self.changed.emit()

    def move(self, at: QPointF, *, is_down: bool) -> None:
        """The pointer moved."""
        self._at = at
        if not is_down:
            hover = self.look(at)
            if hover != self.hover:
                self.hover = hover
                self.changed.emit()
            return
        if (at - self._press_at).manhattanLength() > _DRAG_DISTANCE:
            self._moved = True
        if self._bar is not None:
            piece, x, before = self._bar
            track = max(1.0, piece.width - piece.indent)
            piece.scroll_by(before + (at.x() - x) * (track + piece.overflow) / track - piece.scroll_x)
            self.changed.emit()
        elif self._is_selecting and (self._moved or self._unit != "letter"):
            self._extend()
            is_beyond = at.y() < _EDGE_PX or at.y() > self.viewport_height - _EDGE_PX
            if is_beyond and not self._edge_timer.isActive():
                self._edge_timer.start()

    def release(self, at: QPointF) -> None:
        """The left button went up."""
        self._edge_timer.stop()
        pressed, self.pressed = self.pressed, Hover()
        now = self.look(at)
        self._bar = None
        self._is_selecting = False
        self.hover = now
        self.changed.emit()
        if pressed.control:
            if (now.item, now.control) == (pressed.item, pressed.control):
                self.control_activated.emit(now.item, now.control)
        elif pressed.link and pressed.link == now.link and not self._moved:
            self.link_activated.emit(now.link)

    def leave(self) -> None:
        """The pointer left the viewport."""
        self.hover = Hover()
        self.changed.emit()

    def look(self, at: QPointF) -> Hover:
        """What lies under a point of the viewport."""
        scene = self._scene
        y = at.y() + self.offset
        if not scene.items or y > scene.height:
            return Hover()
        number = scene.number_at(y)
        item = scene.items[number]
        point = QPointF(at.x(), y - scene.top_of(number))
        for button in item.controls():
            if button.rect.contains(point) and button.is_enabled:
                return Hover(number, button.id)
        found = item.piece_at(point, exact=True)
        if found is None:
            return Hover(number)
        *_, piece, inside = found
        return Hover(number, link=piece.link_at(inside) or "", is_text=True)

    def piece_under(self, at: QPointF) -> Piece | None:
        """The piece under a point of the viewport."""
        found = self._found(at, exact=True)
        return found[1] if found is not None else None

    def _found(self, at: QPointF, *, exact: bool) -> tuple[int, Piece, QPointF, tuple[int, int, int]] | None:
        scene = self._scene
        if not scene.items:
            return None
        number = scene.number_at(at.y() + self.offset)
        point = QPointF(at.x(), at.y() + self.offset - scene.top_of(number))
        found = scene.items[number].piece_at(point, exact=exact)
        if found is None:
            return None
        section, block, inner, piece, inside = found
        return number, piece, inside, (section, block, inner)

    def _positions(self, at: QPointF) -> tuple[Position, Position] | None:
        """First and last position of the letter gap, word or piece at a point."""
        found = self._found(at, exact=False)
        if found is None:
            return None
        number, piece, inside, place = found
        offset = piece.hit(inside)
        first = last = offset
        if self._unit == "word":
            first, last = piece.word_at(offset)
        elif self._unit == "piece":
            first, last = 0, piece.length

        def position(where: int) -> Position:
            spot: ItemSpot = (*place, where)
            return Position(number, spot)

        return position(first), position(last)

    def _extend(self) -> None:
        clamped = QPointF(self._at.x(), max(0.0, min(self.viewport_height - 1, self._at.y())))
        found = self._positions(clamped)
        if found is not None:
            self._selection.extend(*found)
            self.changed.emit()

    def _on_edge(self) -> None:
        y = self._at.y()
        beyond = min(0.0, y - _EDGE_PX) + max(0.0, y - self.viewport_height + _EDGE_PX)
        if not beyond:
            self._edge_timer.stop()
            return
        self.scroll_wanted.emit(round(beyond * 0.6))
        self._extend()

    def _bar_at(self, at: QPointF) -> Piece | None:
        found = self._found(at, exact=True)
        if found is None:
            return None
        _, piece, inside, _ = found
        if isinstance(piece, CodePiece | TablePiece) and piece.overflow:
            rect = QRectF(piece.scroll_bar_rect()).adjusted(-4, -6, 4, 4).translated(piece.indent, 0)
            return piece if rect.contains(inside) else None
        return None


def cursor_shape(hover: Hover) -> Qt.CursorShape:
    """How the pointer looks over a thing."""
    if hover.control or hover.link:
        return Qt.CursorShape.PointingHandCursor
    return Qt.CursorShape.IBeamCursor if hover.is_text else Qt.CursorShape.ArrowCursor
