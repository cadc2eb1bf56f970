"""Which bytes of a file are held, when several connections bring them at once.

A piece is bytes in a row. The first begins at byte 0; how far it and what adjoins it reach is the front, and
the hash follows that. A connection writes into one piece, up to the piece's end, and no two share a byte.
Ranges are handed out from the front on, so that the front keeps moving; who has nothing left to do takes the
second half of what another has before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MIN_SPLIT_BYTES = 8 << 20
"""Less than this is not worth another request."""
MAX_AHEAD_CHUNKS = 16
"""How far ranges are handed out beyond the front while somebody could help there instead."""
MAX_PIECES = 64


@dataclass(slots=True, eq=False)
class Piece:
    """Bytes in a row, and perhaps somebody who adds to them.

    Attributes:
        start_bytes: Where it begins in the file.
        size_bytes: How many are held.
        end_bytes: Where its writer stops; None for the end of the file, wherever that is.
        is_open: Somebody writes it.
        reach_bytes: How far the answer goes that its writer reads; None for the end of the file.
    """

    start_bytes: int
    size_bytes: int = 0
    end_bytes: int | None = None
    is_open: bool = False
    reach_bytes: int | None = None

    @property
    def next_bytes(self) -> int:
        """The place in the file of its next byte."""
        return self.start_bytes + self.size_bytes


class Pieces:
    """The pieces of one file, in order. Not thread-safe: `PartialFile` has the lock."""

    def __init__(self, runs: Sequence[tuple[int, int]] = ((0, 0),)) -> None:
        """Take up what is held, as start and size; see `are_runs`."""
        self._pieces = [Piece(start, size, start + size) for start, size in runs]

    @property
    def front_bytes(self) -> int:
        """How many bytes are held without a gap from the beginning."""
        front_bytes = 0
        for piece in self._pieces:
            if piece.start_bytes != front_bytes:
                break
            front_bytes = piece.next_bytes
        return front_bytes

    @property
    def held_bytes(self) -> int:
        """How many bytes are held in all."""
        return sum(piece.size_bytes for piece in self._pieces)

    @property
    def end_bytes(self) -> int:
        """The place after the last byte that is held."""
        return self._pieces[-1].next_bytes

    @property
    def has_gaps(self) -> bool:
        """Whether anything is held beyond the front."""
        return len(self._pieces) > 1

    def after_front(self) -> int | None:
        """Where the next bytes begin that are held beyond the front; None where there are none."""
        front_bytes = self.front_bytes
        starts = (piece.start_bytes for piece in self._pieces if piece.size_bytes)
        return next((start for start in starts if start > front_bytes), None)

    def runs(self) -> list[tuple[int, int]]:
        """Start and size of what is held, for the disk; the first begins at 0."""
        return [
            (piece.start_bytes, piece.size_bytes)
            for piece in self._pieces
            if piece.size_bytes or not piece.start_bytes
        ]

    def open_front(self) -> Piece:
        """The first piece, to be written up to the next one. Whoever wrote before has ended.

        Or will never write again: a thread that still waits for its connection keeps a piece that counts no
        more.
        """
        for piece in list(self._pieces):
            self.release(piece)
        end_bytes = self._pieces[1].start_bytes if len(self._pieces) > 1 else None
        first = Piece(0, self._pieces[0].size_bytes, end_bytes, is_open=True, reach_bytes=end_bytes)
        self._pieces[0] = first
        return first

    def claim(self, total_bytes: int, chunk_bytes: int) -> Piece | None:
        """A range that nobody holds or fetches, for one more writer; None when that would not pay.

        Args:
            total_bytes: Of the file.
            chunk_bytes: How long the range should be.
        """
        self._join()
        if len(self._pieces) >= MAX_PIECES:
            return None
        gap = self._first_gap(total_bytes)
        if gap is None or gap[0] > self.front_bytes + MAX_AHEAD_CHUNKS * chunk_bytes:
            gap = self._split(total_bytes, chunk_bytes) or gap
        if gap is None:
            return None
        start_bytes, end_bytes = gap
        if end_bytes - start_bytes > chunk_bytes + MIN_SPLIT_BYTES:
            end_bytes = start_bytes + chunk_bytes
        claimed = Piece(start_bytes, 0, end_bytes, is_open=True, reach_bytes=end_bytes)
        self._pieces.append(claimed)
        self._pieces.sort(key=lambda piece: piece.start_bytes)
        return claimed

    def extend(self, piece: Piece) -> None:
        """Take over the range behind a piece from somebody who has not got a byte of it yet."""
        behind = next((other for other in self._pieces if other.start_bytes == piece.next_bytes), None)
        if behind is None or behind is piece or behind.size_bytes or not behind.is_open:
            return
        if piece.reach_bytes is not None and piece.reach_bytes <= piece.next_bytes:
            return  # its own answer is over
        behind.is_open, behind.end_bytes = False, behind.start_bytes
        self._pieces.remove(behind)
        piece.end_bytes = self._furthest(piece)

    def release(self, piece: Piece) -> None:
        """Its writer has ended; what it leaves is somebody else's to fetch."""
        if not piece.is_open or piece not in self._pieces:
            return
        piece.is_open = False
        if not piece.size_bytes and piece.start_bytes:
            before = self._pieces[self._pieces.index(piece) - 1]
            self._pieces.remove(piece)
            if before.is_open and before.end_bytes == piece.start_bytes:
                before.end_bytes = self._furthest(before)  # as it was before that one came
        piece.end_bytes = piece.next_bytes
        self._join()

    def revoke(self) -> None:
        """Nobody may write any more; for pieces that will be forgotten."""
        for piece in self._pieces:
            piece.is_open, piece.end_bytes = False, piece.start_bytes

    def _furthest(self, piece: Piece) -> int | None:
        """Where a writer may stop at last: at the end of its answer or where the next piece begins."""
        starts = [other.start_bytes for other in self._pieces if other.start_bytes > piece.start_bytes]
        ends = [end for end in (min(starts, default=None), piece.reach_bytes) if end is not None]
        return min(ends, default=None)

    def _join(self) -> None:
        """Make one of neighbours that nobody writes."""
        joined = [self._pieces[0]]
        for piece in self._pieces[1:]:
            last = joined[-1]
            if not (last.is_open or piece.is_open) and last.next_bytes == piece.start_bytes:
                last.size_bytes += piece.size_bytes
                last.end_bytes = last.next_bytes
            else:
                joined.append(piece)
        self._pieces = joined

    def _first_gap(self, total_bytes: int) -> tuple[int, int] | None:
        at_bytes = 0
        for piece in self._pieces:
            if piece.start_bytes > at_bytes:
                return at_bytes, piece.start_bytes
            at_bytes = self._end_of(piece, total_bytes)
        return (at_bytes, total_bytes) if at_bytes < total_bytes else None

    def _split(self, total_bytes: int, chunk_bytes: int) -> tuple[int, int] | None:
        """Cut off the end of what the writer with most before it would fetch."""
        open_pieces = [piece for piece in self._pieces if piece.is_open]
        left = {id(piece): self._end_of(piece, total_bytes) - piece.next_bytes for piece in open_pieces}
        longest = max(open_pieces, key=lambda piece: left[id(piece)], default=None)
        if longest is None or left[id(longest)] < 2 * MIN_SPLIT_BYTES:
            return None
        end_bytes = self._end_of(longest, total_bytes)
        longest.end_bytes = longest.next_bytes + min(chunk_bytes, left[id(longest)] // 2)
        return longest.end_bytes, end_bytes

    @staticmethod
    def _end_of(piece: Piece, total_bytes: int) -> int:
        if not piece.is_open:
            return piece.next_bytes
        return total_bytes if piece.end_bytes is None else piece.end_bytes


def are_runs(runs: object, length_bytes: int) -> bool:
    """Whether something read from a disk can be what `Pieces.runs` wrote, of a file that is so long."""
    if not isinstance(runs, list | tuple) or not runs or len(runs) > MAX_PIECES:
        return False
    at_bytes = 0
    for run in runs:
        if not isinstance(run, list | tuple) or len(run) != 2:
            return False
        start, size = run
        if type(start) is not int or type(size) is not int or start < at_bytes or size < 0:
            return False
        at_bytes = start + size
    return runs[0][0] == 0 and at_bytes <= length_bytes
