"""Which bytes are held and who fetches which: never one twice, and in the end all."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from model_manager import pieces as pieces_module
from model_manager.piece_journal import PieceJournal
from model_manager.pieces import Piece, Pieces, are_runs

TOTAL = 1000
CHUNK = 100


@pytest.fixture(autouse=True)
def small_splits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces_module, "MIN_SPLIT_BYTES", 10)


def fill(piece: Piece, n_bytes: int) -> None:
    piece.size_bytes += n_bytes


def test_first_writer_has_the_whole_file_until_another_comes() -> None:
    pieces = Pieces()
    first = pieces.open_front()
    assert first.end_bytes is None
    second = pieces.claim(TOTAL, CHUNK)
    assert second is not None
    assert (first.end_bytes, second.start_bytes, second.end_bytes) == (100, 100, 200)
    third = pieces.claim(TOTAL, CHUNK)
    assert third is not None
    assert (third.start_bytes, third.end_bytes) == (200, 300)


def test_front_goes_on_through_what_adjoins() -> None:
    pieces = Pieces()
    first = pieces.open_front()
    second = pieces.claim(TOTAL, CHUNK)
    assert second is not None
    fill(second, 60)
    assert (pieces.front_bytes, pieces.held_bytes) == (0, 60)
    fill(first, 100)
    assert (pieces.front_bytes, pieces.held_bytes) == (160, 160)
    assert pieces.runs() == [(0, 100), (100, 60)]
    pieces.release(first)
    pieces.release(second)
    assert pieces.runs() == [(0, 160)]


def test_range_that_nobody_has_begun_is_taken_over() -> None:
    pieces = Pieces()
    first = pieces.open_front()
    second = pieces.claim(TOTAL, CHUNK)
    assert second is not None
    fill(first, 100)
    pieces.extend(first)
    assert first.end_bytes is None  # its own answer goes on to the end
    assert not second.is_open
    pieces.release(second)  # its thread ends later, and changes nothing
    assert pieces.runs() == [(0, 100)]


def test_range_that_was_begun_is_not_taken_over() -> None:
    pieces = Pieces()
    first = pieces.open_front()
    second = pieces.claim(TOTAL, CHUNK)
    assert second is not None
    fill(first, 100)
    fill(second, 1)
    pieces.extend(first)
    assert first.end_bytes == 100


def test_range_that_was_given_back_belongs_to_its_neighbour_again() -> None:
    pieces = Pieces()
    first = pieces.open_front()
    second = pieces.claim(TOTAL, CHUNK)
    assert second is not None
    pieces.release(second)
    assert first.end_bytes is None


def test_nobody_goes_on_beyond_his_answer() -> None:
    pieces = Pieces()
    pieces.open_front()
    second, third = pieces.claim(TOTAL, CHUNK), pieces.claim(TOTAL, CHUNK)
    assert second is not None
    assert third is not None
    fill(second, 100)
    pieces.extend(second)
    assert second.end_bytes == 200
    pieces.release(third)
    assert second.end_bytes == 200


def test_what_one_leaves_is_the_next_to_be_fetched() -> None:
    pieces = Pieces()
    first = pieces.open_front()
    second = pieces.claim(TOTAL, CHUNK)
    assert second is not None
    fill(second, 30)
    fill(first, 10)
    pieces.release(first)
    third = pieces.claim(TOTAL, CHUNK)
    assert third is not None
    assert (third.next_bytes, third.end_bytes) == (10, 100)


def test_idle_one_takes_half_of_the_most() -> None:
    pieces = Pieces()
    first = pieces.open_front()
    fill(first, 900)
    second = pieces.claim(TOTAL, CHUNK)
    assert second is not None
    assert (first.end_bytes, second.start_bytes, second.end_bytes) == (950, 950, 1000)
    fill(first, 45)
    fill(second, 45)
    assert pieces.claim(TOTAL, CHUNK) is None  # nothing is left that pays


def test_writer_of_an_earlier_attempt_has_no_say() -> None:
    pieces = Pieces()
    old = pieces.open_front()
    lane = pieces.claim(TOTAL, CHUNK)
    assert lane is not None
    fill(old, 20)
    fill(lane, 10)
    new = pieces.open_front()
    assert (new.next_bytes, new.end_bytes) == (20, 100)
    pieces.release(old)
    pieces.release(lane)
    assert new.is_open
    assert new.end_bytes == 100


@pytest.mark.parametrize("seed", range(40))
def test_any_course_of_events_fetches_each_byte_once(seed: int) -> None:
    chance = random.Random(seed)
    pieces = Pieces()
    writers = [pieces.open_front()]
    owners: dict[int, int] = {}
    n_steps = 0
    while pieces.front_bytes < TOTAL:
        n_steps += 1
        assert n_steps < 5000
        event = chance.random()
        if event < 0.15 and writers:
            pieces.release(writers.pop(chance.randrange(len(writers))))  # its connection broke
        elif event < 0.35 or not writers:
            claimed = pieces.claim(TOTAL, CHUNK)
            if claimed is not None:
                writers.append(claimed)
            elif not writers:
                writers.append(pieces.open_front())
        else:
            writer = chance.choice(writers)
            if writer.next_bytes == writer.end_bytes:
                pieces.extend(writer)
            end_bytes = TOTAL if writer.end_bytes is None else writer.end_bytes
            n_bytes = min(chance.randrange(1, 60), end_bytes - writer.next_bytes)
            if not writer.is_open or n_bytes <= 0:
                pieces.release(writer)
                writers.remove(writer)
                continue
            for place in range(writer.next_bytes, writer.next_bytes + n_bytes):
                assert place not in owners
                owners[place] = seed
            fill(writer, n_bytes)
        assert are_runs(pieces.runs(), TOTAL)
        assert pieces.held_bytes == len(owners)
    assert len(owners) == TOTAL


@pytest.mark.parametrize(
    "runs",
    [None, [], [[1, 2]], [[0, 5], [3, 2]], [[0, -1]], [[0, 5.0]], [[0, 101]], [[0]], ["00"], [[0, 1]] * 65],
)
def test_runs_that_make_no_sense_are_known(runs: object) -> None:
    assert not are_runs(runs, 100)


def test_journal_tells_what_was_written_last(tmp_path: Path) -> None:
    journal = PieceJournal(tmp_path / "x.pieces")
    assert journal.read() is None
    journal.open([(0, 5), (20, 3), (40, 1)])
    journal.write([(0, 30), (40, 2)])
    assert PieceJournal(journal.path).read() == [(0, 30), (40, 2)]
    journal.close()


@pytest.mark.parametrize("at_byte", [0, 4, 9, 20, 39])
def test_torn_journal_says_nothing(tmp_path: Path, at_byte: int) -> None:
    journal = PieceJournal(tmp_path / "x.pieces")
    journal.open([(0, 5), (20, 3)])
    journal.close()
    content = bytearray(journal.path.read_bytes())
    content[at_byte] ^= 0x40
    journal.path.write_bytes(content)
    assert journal.read() is None
    journal.path.write_bytes(content[:at_byte])
    assert journal.read() is None
