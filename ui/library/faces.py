"""Rows that look alike wherever models are listed: found, suggested, by quantization, in the library."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

Index = QModelIndex | QPersistentModelIndex
ROOT = QModelIndex()

Tone = Literal["text_muted", "accent", "success", "warning", "error"]
"""A role of `theme.Colors`."""


@dataclass(frozen=True, slots=True)
class Badge:
    """A word in a frame beside a name."""

    text: str
    tone: Tone = "text_muted"


@dataclass(frozen=True, slots=True)
class Face:
    """What one row shows; or a heading over the rows below it.

    Attributes:
        key: What the row stands for; None for a heading.
        title: A name, cut in its middle where there is no room.
        lines: Below the title, one line each, cut at their ends.
        trailing: At the right end of the title's line.
        is_wrong: The first line is a complaint.
        permille: Of work that is going on with it; None draws no bar.
    """

    key: Hashable
    title: str
    badges: tuple[Badge, ...] = ()
    lines: tuple[str, ...] = ()
    trailing: str = ""
    is_wrong: bool = False
    permille: int | None = None

    @property
    def is_heading(self) -> bool:
        """Whether it only stands over others."""
        return self.key is None

    def spoken(self) -> str:
        """All of it, for who listens."""
        parts = (self.title, *(badge.text for badge in self.badges), self.trailing, *self.lines)
        return "\n".join(part for part in parts if part)


class Faces(QAbstractListModel):
    """Rows by their keys; a row that stays keeps its place, its selection and the scroll position."""

    FACE_ROLE = Qt.ItemDataRole.UserRole + 1

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._faces: list[Face] = []

    def set_faces(self, faces: Sequence[Face]) -> None:
        """Show these; where only contents differ, rows are changed in place."""
        new = list(faces)
        old = self._faces
        if [_identity(face) for face in new] != [_identity(face) for face in old]:
            self.beginResetModel()
            self._faces = new
            self.endResetModel()
            return
        self._faces = new
        for row, (before, after) in enumerate(zip(old, new, strict=True)):
            if before != after:
                self._tell(row, before, after)

    def replace(self, face: Face) -> None:
        """Show one row anew; nothing happens where there is no such key."""
        for row, old in enumerate(self._faces):
            if old.key == face.key and not old.is_heading:
                if old != face:
                    self._faces[row] = face
                    self._tell(row, old, face)
                return

    def _tell(self, row: int, before: Face, after: Face) -> None:
        """A row of the same height is only painted anew: all rows would be measured again otherwise."""
        is_as_high = len(before.lines) == len(after.lines) and (before.permille is None) == (
            after.permille is None
        )
        roles = [int(self.FACE_ROLE)] if is_as_high else []
        self.dataChanged.emit(self.index(row), self.index(row), roles)

    def all(self) -> Sequence[Face]:
        """As shown."""
        return tuple(self._faces)

    def face(self, index: Index) -> Face | None:
        """What a row shows; None for no row."""
        return self._faces[index.row()] if index.isValid() and index.row() < len(self._faces) else None

    def index_of(self, key: Hashable) -> QModelIndex:
        """The row of a key; invalid when there is none."""
        for row, face in enumerate(self._faces):
            if face.key == key and not face.is_heading:
                return self.index(row)
        return QModelIndex()

    def rowCount(self, parent: Index = ROOT) -> int:
        return 0 if parent.isValid() else len(self._faces)

    def flags(self, index: Index) -> Qt.ItemFlag:
        face = self.face(index)
        if face is None:
            return Qt.ItemFlag.NoItemFlags
        if face.is_heading:
            return Qt.ItemFlag.ItemNeverHasChildren  # not enabled, so that the arrow keys pass it by
        return super().flags(index) | Qt.ItemFlag.ItemNeverHasChildren

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        face = self.face(index)
        if face is None:
            return None
        if role == self.FACE_ROLE:
            return face
        if role == Qt.ItemDataRole.DisplayRole:
            return face.title
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return face.spoken()
        if role == Qt.ItemDataRole.ToolTipRole and not face.is_heading:
            return face.spoken()
        return None


def _identity(face: Face) -> tuple[Hashable, str]:
    return face.key, face.title if face.is_heading else ""
