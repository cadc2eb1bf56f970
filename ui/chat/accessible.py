"""What a screen reader hears of the transcript: a list, whose items are the messages with their text.

PySide keeps no reference to an interface that Python made, so everything here is kept by us for as long as
its transcript lives. The text interface (carets, attributes) is not offered: an item's name is its text.
"""

# The stubs say that an interface, object or window is always there; in C++ all of these may be null.
# mypy: disable-error-code="override"

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import ref

from PySide6.QtCore import QObject, QPointF, QRect
from PySide6.QtGui import QAccessible, QAccessibleEvent, QAccessibleInterface, QColor, QWindow

if TYPE_CHECKING:
    from ui.chat.transcript_view import TranscriptView

_interfaces: dict[int, _TranscriptInterface] = {}
_is_installed: list[bool] = []


class _Interface(QAccessibleInterface):
    """What both kinds have in common."""

    def __init__(self, view: TranscriptView) -> None:
        super().__init__()
        self._view = ref(view)

    def view(self) -> TranscriptView | None:
        view = self._view()
        return view if view is not None and id(view) in _interfaces else None

    def isValid(self) -> bool:
        return self.view() is not None

    def window(self) -> QWindow | None:
        view = self.view()
        return view.window().windowHandle() if view is not None else None

    def relations(self, _match: Any = None) -> list[Any]:
        return []

    def setText(self, _kind: QAccessible.Text, _text: str) -> None:
        return

    def focusChild(self) -> QAccessibleInterface | None:
        return None

    def foregroundColor(self) -> QColor:
        return QColor()

    def backgroundColor(self) -> QColor:
        return QColor()

    def interface_cast(self, _kind: Any) -> None:
        return None


class _MessageInterface(_Interface):
    """One message."""

    def __init__(self, view: TranscriptView, parent: _TranscriptInterface, number: int) -> None:
        super().__init__(view)
        self._parent = parent
        self._number = number

    def isValid(self) -> bool:
        view = self.view()
        return view is not None and self._number < len(view.scene.items)

    def object(self) -> QObject | None:
        return None

    def parent(self) -> QAccessibleInterface | None:
        return self._parent

    def child(self, _index: int) -> QAccessibleInterface | None:
        return None

    def childAt(self, _x: int, _y: int) -> QAccessibleInterface | None:
        return None

    def childCount(self) -> int:
        return 0

    def indexOfChild(self, _child: QAccessibleInterface) -> int:
        return -1

    def text(self, kind: QAccessible.Text) -> str:
        view = self.view()
        if view is None or kind != QAccessible.Text.Name or self._number >= len(view.scene.items):
            return ""
        return view.scene.items[self._number].accessible_text()

    def role(self) -> QAccessible.Role:
        return QAccessible.Role.ListItem

    def rect(self) -> QRect:
        view = self.view()
        if view is None or self._number >= len(view.scene.items):
            return QRect()
        top = round(view.scene.top_of(self._number) - view.offset)
        corner = view.viewport().mapToGlobal(QPointF(0, top)).toPoint()
        return QRect(
            corner.x(), corner.y(), view.viewport().width(), round(view.scene.items[self._number].height)
        )

    def state(self) -> QAccessible.State:
        state = QAccessible.State()
        view = self.view()
        if view is not None:
            rect, seen = self.rect(), view.viewport().rect()
            seen.moveTopLeft(view.viewport().mapToGlobal(seen.topLeft()))
            state.offscreen = not rect.intersects(seen)
            state.readOnly = True
        return state


class _TranscriptInterface(_Interface):
    """The whole conversation."""

    def __init__(self, view: TranscriptView) -> None:
        super().__init__(view)
        self._children: dict[int, _MessageInterface] = {}

    def object(self) -> QObject | None:
        return self.view()

    def parent(self) -> QAccessibleInterface | None:
        view = self.view()
        above = view.parentWidget() if view is not None else None
        return QAccessible.queryAccessibleInterface(above) if above is not None else None

    def child(self, index: int) -> QAccessibleInterface | None:
        view = self.view()
        if view is None or not 0 <= index < len(view.scene.items):
            return None
        if index not in self._children:
            self._children[index] = _MessageInterface(view, self, index)
        return self._children[index]

    def childAt(self, x: int, y: int) -> QAccessibleInterface | None:
        view = self.view()
        if view is None or not view.scene.items:
            return None
        at = view.viewport().mapFromGlobal(QPointF(x, y))
        if not view.viewport().rect().contains(at.toPoint()):
            return None
        return self.child(view.scene.number_at(at.y() + view.offset))

    def childCount(self) -> int:
        view = self.view()
        return len(view.scene.items) if view is not None else 0

    def indexOfChild(self, child: QAccessibleInterface) -> int:
        return child._number if isinstance(child, _MessageInterface) else -1

    def text(self, kind: QAccessible.Text) -> str:
        view = self.view()
        return view.accessibleName() if view is not None and kind == QAccessible.Text.Name else ""

    def role(self) -> QAccessible.Role:
        return QAccessible.Role.List

    def rect(self) -> QRect:
        view = self.view()
        if view is None:
            return QRect()
        corner = view.mapToGlobal(view.rect().topLeft())
        return QRect(corner, view.size())

    def state(self) -> QAccessible.State:
        state = QAccessible.State()
        view = self.view()
        if view is not None:
            state.focusable = True
            state.focused = view.hasFocus()
            state.readOnly = True
            state.invisible = not view.isVisible()
        return state


def register(view: TranscriptView) -> None:
    """Describe a transcript to screen readers from now on; its constructor calls this."""
    if not _is_installed:
        _is_installed.append(True)
        QAccessible.installFactory(_make)
    key = id(view)
    _interfaces[key] = _TranscriptInterface(view)
    view.destroyed.connect(lambda: _interfaces.pop(key, None))


def _make(_class_name: str, thing: QObject) -> QAccessibleInterface | None:
    return _interfaces.get(id(thing))


def text_changed(view: TranscriptView, number: int) -> None:
    """A message is finished, or shows more or less than before."""
    interface = _interfaces.get(id(view)) if QAccessible.isActive() else None
    child = interface.child(number) if interface is not None else None
    if child is not None:
        QAccessible.updateAccessibility(QAccessibleEvent(child, QAccessible.Event.NameChanged))


def focus_moved(view: TranscriptView) -> None:
    """The keyboard went to a button of a message."""
    if QAccessible.isActive():
        QAccessible.updateAccessibility(QAccessibleEvent(view, QAccessible.Event.Focus))


def names(view: TranscriptView) -> Sequence[str]:
    """What the items are called, for tests."""
    interface = QAccessible.queryAccessibleInterface(view)
    children = (interface.child(index) for index in range(interface.childCount()))
    return [child.text(QAccessible.Text.Name) for child in children if child is not None]
