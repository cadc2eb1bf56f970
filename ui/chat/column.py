"""A text as a column of blocks, of which only those in sight are parsed and laid out."""

from __future__ import annotations

import time
from typing import Any

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPainter

from ui.chat import markdown
from ui.chat.blocks import Block, BlockSplitter
from ui.chat.cited import cited
from ui.chat.code import CodePiece
from ui.chat.markdown import PieceSpec
from ui.chat.piece import FormulaPiece, Look, Piece, RulePiece, TextPiece
from ui.chat.table import TablePiece

# A block whose drawing takes longer than this is drawn anew less often while it grows.
_BUDGET_S = 0.008

Spot = tuple[int, int, int]
"""A place in a column: block, piece, offset."""

_END = 1 << 30


class BlockView:
    """One block: an estimated height until it is seen, pieces from then on.

    Attributes:
        pieces: None while it is out of sight.
        tops: Where each piece begins.
    """

    __slots__ = ("block", "gap", "height", "is_measured", "pieces", "specs", "tops")

    def __init__(self, block: Block) -> None:
        self.block = block
        self.specs: list[PieceSpec] | None = None
        self.pieces: list[Piece] | None = None
        self.tops: list[float] = []
        self.height = 0.0
        self.gap = 0.0
        self.is_measured = False


class Column:
    """The blocks of one text.

    Attributes:
        is_behind: The last text was not taken, because drawing it takes too long to do it for every token.
        n_parsed: How often a block was parsed, for tests.
        height: Of all blocks, estimated where they were never seen.
    """

    def __init__(self, look: Look, *, is_plain: bool = False) -> None:
        self.look = look
        self.text = ""
        self.views: list[BlockView] = []
        self.width = 0.0
        self.height = 0.0
        self.n_parsed = 0
        self.cites: frozenset[int] = frozenset()
        self._is_plain = is_plain
        self._splitter = BlockSplitter()
        self._references: dict[str, Any] = {}
        self._tops: list[float] = []
        self._not_before_s = 0.0
        self.is_behind = False

    def set_text(self, text: str, *, is_final: bool = True) -> None:
        """Take the whole text; blocks that did not change stay as they are.

        While it grows (`is_final` is False) an expensive last block may lag behind: see `is_behind`.
        """
        now = time.monotonic()
        if not is_final and now < self._not_before_s and text.startswith(self.text):
            self.is_behind = True
            return
        if text == self.text and not self.is_behind:
            return
        self.is_behind = False
        self.text = text
        self._splitter.update(text)
        blocks = self._splitter.blocks
        kept = 0
        while kept < min(len(blocks), len(self.views)) and blocks[kept] == self.views[kept].block:
            kept += 1
        old = self.views[kept:]
        del self.views[kept:]
        for position, block in enumerate(blocks[kept:]):
            view = BlockView(block)
            if position < len(old):
                self._adopt(view, old[position])
            self._estimate(view)
            self.views.append(view)
        self._place()
        spent = time.monotonic() - now
        self._not_before_s = now + spent * 4 if spent > _BUDGET_S else 0.0

    def set_cites(self, numbers: frozenset[int]) -> None:
        """Make links of the numbers of these passages."""
        if numbers != self.cites:
            self.cites = numbers
            text, self.text, self.views, self._splitter = self.text, "", [], BlockSplitter()
            self.set_text(text)

    def _adopt(self, view: BlockView, old: BlockView) -> None:
        """Draw a changed block again at once if it was in sight, so that it does not blink."""
        if old.pieces is None or view.block.start != old.block.start:
            return
        piece = old.pieces[0] if len(old.pieces) == 1 else None
        if isinstance(piece, CodePiece) and view.block.kind == "code":
            specs = self._parse(view.block)
            if len(specs) == 1 and specs[0].containers == piece.spec.containers and piece.extend(specs[0]):
                view.specs, view.pieces = specs, [piece]
                self._measure(view)
                return
        offsets = [piece.scroll_x for piece in old.pieces]
        self.realize(view)
        for piece, scroll_x in zip(view.pieces or (), offsets, strict=False):
            piece.scroll_by(scroll_x)

    def _parse(self, block: Block) -> list[PieceSpec]:
        self.n_parsed += 1
        if self._is_plain and block.kind not in ("code", "maths"):
            return [markdown.plain_spec(block.source)]
        return cited(markdown.parse_block(block, self._references), self.cites)

    def realize(self, view: BlockView) -> None:
        """Parse and lay out one block."""
        if view.specs is None:
            view.specs = self._parse(view.block)
        view.pieces = [_piece(spec, self.look) for spec in view.specs]
        self._measure(view)

    def _measure(self, view: BlockView) -> None:
        view.tops = []
        y = 0.0
        view.pieces = view.pieces or []
        for number, piece in enumerate(view.pieces):
            piece.set_width(self.width)
            if number:
                gap = round(piece.gap_above)
                piece.bridge_quotes(view.pieces[number - 1], gap)
                y += gap
            view.tops.append(y)
            y += piece.height
        view.height = y
        view.is_measured = True
        view.gap = self._gap(view)

    def _gap(self, view: BlockView) -> float:
        """Space above a block that is not the first."""
        style = self.look.style
        if view.block.continues:
            return style.tight_gap if view.block.kind == "item" else 0.0
        return (
            max(style.paragraph_gap, round(view.pieces[0].gap_above)) if view.pieces else style.paragraph_gap
        )

    def _estimate(self, view: BlockView) -> None:
        """Guess the height of a block that nobody has seen: its lines at an average letter width."""
        if view.is_measured:
            return
        style, source = self.look.style, view.block.source
        if view.block.kind == "code":
            view.height = (source.count("\n") + 2) * style.em * 1.5
        else:
            letters = max(10.0, self.width / (style.em * 0.5))
            lines = source.count("\n") + 1 + len(source) / letters
            view.height = round(lines) * (style.em * 1.17 + style.line_gap)
        view.gap = self._gap(view)

    def _place(self) -> None:
        y = 0.0
        self._tops = []
        for number, view in enumerate(self.views):
            if number:
                y += view.gap
            self._tops.append(y)
            y += view.height
        self.height = y

    def set_width(self, width: float) -> None:
        """Lay out what is in sight for another width; the rest will follow when it is seen."""
        if width == self.width:
            return
        self.width = width
        for view in self.views:
            if view.pieces is not None:
                self._measure(view)
            else:
                view.is_measured = False
                self._estimate(view)
        self._place()

    def set_look(self, look: Look) -> None:
        """Take other fonts or colours."""
        self.look = look
        for view in self.views:
            view.is_measured = False
            if view.pieces is not None:
                self.realize(view)
            else:
                self._estimate(view)
        self._place()

    def show_range(self, top: float, bottom: float) -> bool:
        """Lay out what stands between two heights and forget the rest; True if heights changed."""
        changed = False
        y = 0.0
        for number, view in enumerate(self.views):
            y += view.gap if number else 0.0
            is_near = y + view.height >= top and y <= bottom
            if is_near and view.pieces is None:
                before = (view.height, view.gap)
                self.realize(view)
                changed |= before != (view.height, view.gap)
            elif not is_near and view.pieces is not None:
                view.pieces = None
            y += view.height
        if changed:
            self._place()
        return changed

    def release(self) -> None:
        """Forget everything that was laid out; heights are kept."""
        for view in self.views:
            view.pieces = None

    def refresh_formulas(self, announced: set[str]) -> bool:
        """Draw the blocks again that waited for one of these formulas."""
        changed = False
        for view in self.views:
            if view.pieces and any(piece.waits_for & announced for piece in view.pieces):
                self.realize(view)
                changed = True
        if changed:
            self._place()
        return changed

    def top_of(self, number: int) -> float:
        """Where a block begins."""
        return self._tops[number] if number < len(self._tops) else self.height

    def block_at(self, y: float) -> int:
        """The block at a height, or the nearest."""
        for number in range(len(self.views) - 1, -1, -1):
            if self._tops[number] <= y:
                return number
        return 0

    @property
    def natural_width(self) -> float:
        """The width that its widest line uses; all of it where a block was never laid out."""
        if any(view.pieces is None for view in self.views):
            return self.width
        widths = (piece.natural_width for view in self.views for piece in view.pieces or ())
        return min(self.width, max(widths, default=0.0))

    def fit(self, width: float) -> None:
        """Let boxes that fill the column end at a narrower width, which all text fits into already."""
        for view in self.views:
            for piece in view.pieces or ():
                if isinstance(piece, CodePiece | RulePiece) and piece.width != width:
                    piece.set_width(width)

    def pieces(self) -> list[tuple[int, int, Piece, float]]:
        """Every piece that is laid out: block, number in it, piece, top."""
        return [
            (number, inner, piece, self._tops[number] + view.tops[inner])
            for number, view in enumerate(self.views)
            for inner, piece in enumerate(view.pieces or ())
        ]

    def paint(self, painter: QPainter, clip: QRectF, selection: tuple[Spot, Spot] | None) -> None:
        """Draw what lies in `clip`."""
        for number, inner, piece, top in self.pieces():
            if top > clip.bottom() or top + piece.height < clip.top():
                continue
            painter.save()
            painter.translate(0, top)
            part = part_of(selection, number, inner, piece.length)
            piece.paint(painter, clip.translated(0, -top), part)
            painter.restore()

    def piece_at(self, point: QPointF) -> tuple[int, int, Piece, QPointF] | None:
        """The piece nearest to a point, and the point in it; None where nothing is laid out."""
        best: tuple[float, int, int, Piece, float] | None = None
        for number, inner, piece, top in self.pieces():
            distance = max(top - point.y(), point.y() - top - piece.height, 0.0)
            if best is None or distance < best[0]:
                best = (distance, number, inner, piece, top)
        if best is None:
            return None
        _, number, inner, piece, top = best
        return number, inner, piece, point - QPointF(0, top)

    def copy(self, start: Spot, end: Spot) -> str:
        """What is selected: Markdown of whole blocks, plain text of parts."""
        result = ""
        for number in range(start[0], min(end[0], len(self.views) - 1) + 1):
            view = self.views[number]
            part = self._copy_block(number, view, start, end)
            if not part:
                continue
            if result:
                result += "\n" if view.block.continues else "\n\n"
            result += part
        return result

    def _copy_block(self, number: int, view: BlockView, start: Spot, end: Spot) -> str:
        is_from_start = start <= (number, 0, 0)
        if view.pieces is None or (not view.pieces and is_from_start):
            return view.block.source
        last = len(view.pieces) - 1
        is_to_end = end >= (number, last, view.pieces[last].length) if last >= 0 else True
        if is_from_start and is_to_end:
            return view.block.source
        parts = []
        for inner, piece in enumerate(view.pieces):
            part = part_of((start, end), number, inner, piece.length)
            if part is not None and (text := piece.text(*part)):
                parts.append(text)
        return "\n".join(parts)


def part_of(
    selection: tuple[Spot, Spot] | None, number: int, inner: int, length: int
) -> tuple[int, int] | None:
    """What of one piece lies in a selection of its column."""
    if selection is None:
        return None
    start, end = selection
    here = (number, inner)
    if here < start[:2] or here > end[:2]:
        return None
    first = start[2] if here == start[:2] else 0
    last = min(end[2], length) if here == end[:2] else length
    return (first, last) if first < last else None


def whole(column: Column) -> tuple[Spot, Spot]:
    """A selection of everything."""
    return (0, 0, 0), (_END, _END, _END)


def _piece(spec: PieceSpec, look: Look) -> Piece:
    match spec.kind:
        case "code":
            return CodePiece(spec, look)
        case "maths":
            return FormulaPiece(spec, look)
        case "table":
            return TablePiece(spec, look)
        case "rule":
            return RulePiece(spec, look)
        case _:
            return TextPiece(spec, look)
