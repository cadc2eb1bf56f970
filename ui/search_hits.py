"""What a search found, as an item model and as painted rows with the matches marked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPointF,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QFont, QPainter, QTextCharFormat, QTextLayout, QTextOption
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from storage.records import SearchHit
from ui import formats, theme
from ui.i18n import tr

Index = QModelIndex | QPersistentModelIndex
ROOT = QModelIndex()

MATCH_START = "\ue000"
MATCH_END = "\ue001"
_N_LINES = 2


class SearchHits(QAbstractListModel):
    """One row a hit; more come as one scrolls.

    Signals:
        more_requested: The last row is in sight; `set_hits` brings all of them and more.
    """

    more_requested = Signal()

    HIT_ROLE = Qt.ItemDataRole.UserRole + 1

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._hits: list[SearchHit] = []
        self._has_more = False

    def set_hits(self, hits: Sequence[SearchHit], has_more: bool = False) -> None:
        """Show these; rows that begin with those that are there stay."""
        self._has_more = has_more
        n_before = len(self._hits)
        if n_before and n_before < len(hits) and self._hits == list(hits[:n_before]):
            self.beginInsertRows(ROOT, n_before, len(hits) - 1)
            self._hits = list(hits)
            self.endInsertRows()
            return
        self.beginResetModel()
        self._hits = list(hits)
        self.endResetModel()

    def canFetchMore(self, _parent: Index) -> bool:
        return self._has_more

    def fetchMore(self, _parent: Index) -> None:
        if self._has_more:
            self._has_more = False  # asked for once
            self.more_requested.emit()

    def hit(self, index: Index) -> SearchHit:
        """What a row stands for."""
        return self._hits[index.row()]

    def rowCount(self, parent: Index = ROOT) -> int:
        return 0 if parent.isValid() else len(self._hits)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self._hits):
            return None
        hit = self._hits[index.row()]
        if role == self.HIT_ROLE:
            return hit
        if role == Qt.ItemDataRole.DisplayRole:
            return _title(hit)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            place = f" ({_place(hit)})" if _place(hit) else ""
            return f"{_title(hit)}{place}: {split_matches(hit.snippet)[0]}"
        return None


def split_matches(snippet: str) -> tuple[str, list[tuple[int, int]]]:
    """The snippet on one line without its marks, and where each match is: (start, length) in UTF-16 units."""
    text = ""
    ranges: list[tuple[int, int]] = []
    for i, piece in enumerate(snippet.replace("\n", " ").split(MATCH_START)):
        if i == 0:
            text += piece.replace(MATCH_END, "")
            continue
        match, _, rest = piece.partition(MATCH_END)
        ranges.append((_utf16_length(text), _utf16_length(match)))
        text += match + rest.replace(MATCH_END, "")
    return text, ranges


def _utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _title(hit: SearchHit) -> str:
    return hit.title.strip() or tr("New conversation")


def _place(hit: SearchHit) -> str:
    """Where it was found; empty where it was said."""
    places: dict[str, str] = {
        "reasoning": tr("in reasoning"),
        "tool_call": tr("call of a tool"),
        "tool_result": tr("result of a tool"),
        "title": tr("title"),
        "file": tr("attachment"),
    }
    return places.get(hit.part, "")


class HitDelegate(QStyledItemDelegate):
    """Title and time above, two lines of the snippet below."""

    def sizeHint(self, option: QStyleOptionViewItem, _index: Index) -> QSize:
        return QSize(100, 20 + option.fontMetrics.height() * 2 + option.fontMetrics.lineSpacing())

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        hit: SearchHit = index.data(SearchHits.HIT_ROLE)
        colors = theme.colors()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        row = option.rect.adjusted(theme.SPACING, 1, -theme.SPACING, -1)
        if option.state & (QStyle.StateFlag.State_Selected | QStyle.StateFlag.State_MouseOver):
            chosen = option.state & QStyle.StateFlag.State_Selected
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colors.selected if chosen else colors.hover)
            painter.drawRoundedRect(row, theme.RADIUS - 2, theme.RADIUS - 2)
        inside = row.adjusted(theme.SPACING, 6, -theme.SPACING, -6)
        self._paint_title(painter, option, hit, inside)
        self._paint_snippet(painter, option, hit, inside)
        painter.restore()

    @staticmethod
    def _paint_title(painter: QPainter, option: QStyleOptionViewItem, hit: SearchHit, inside: QRect) -> None:
        colors = theme.colors()
        small = QFont(option.font)
        small.setPointSizeF(small.pointSizeF() * 0.88)
        when = formats.moment(hit.created_at, datetime.now(UTC))
        if place := _place(hit):
            when = f"{place} · {when}"
        line = QRect(inside.left(), inside.top(), inside.width(), option.fontMetrics.height())
        painter.setFont(small)
        painter.setPen(colors.text_muted)
        painter.drawText(line, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), when)
        taken = painter.fontMetrics().horizontalAdvance(when) + theme.SPACING
        strong = QFont(option.font)
        strong.setWeight(QFont.Weight.DemiBold)
        painter.setFont(strong)
        painter.setPen(colors.text)
        title = painter.fontMetrics().elidedText(
            _title(hit), Qt.TextElideMode.ElideRight, inside.width() - taken
        )
        painter.drawText(line, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), title)

    @staticmethod
    def _paint_snippet(
        painter: QPainter, option: QStyleOptionViewItem, hit: SearchHit, inside: QRect
    ) -> None:
        colors = theme.colors()
        text, ranges = split_matches(hit.snippet)
        layout = QTextLayout(text, option.font)
        wrap = QTextOption()
        wrap.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        layout.setTextOption(wrap)
        marks = []
        for start, length in ranges:
            mark = QTextLayout.FormatRange()
            mark.start, mark.length = start, length
            look = QTextCharFormat()
            look.setForeground(colors.text)
            look.setBackground(colors.match)
            mark.format = look
            marks.append(mark)
        layout.setFormats(marks)
        layout.beginLayout()
        y = 0.0
        for _ in range(_N_LINES):
            line = layout.createLine()
            if not line.isValid():
                break
            line.setLineWidth(inside.width())
            line.setPosition(QPointF(0, y))
            y += line.height()
        layout.endLayout()
        painter.setPen(colors.text_muted)
        top = QPointF(inside.left(), inside.top() + option.fontMetrics.height() + 2)
        layout.draw(painter, top, [], QRectF(inside))
