from __future__ import annotations

import io
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from storage.exchange import json_stream
from storage.exchange.json_stream import BadValue, Value, values

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text('ab"\\[]{},:\n专', max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text('a"\\}', max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


class Trickle(io.BytesIO):
    """Gives a few bytes at a time, whatever is asked for."""

    def __init__(self, data: bytes, n_bytes: int) -> None:
        super().__init__(data)
        self._n_bytes = n_bytes

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(self._n_bytes)


def read(text: str, n_bytes: int = 1 << 20) -> list[Any]:
    return [v.value if isinstance(v, Value) else v for v in values(Trickle(text.encode(), n_bytes))]


@settings(max_examples=200, deadline=None)
@given(st.lists(JSON, max_size=5), st.integers(1, 7), st.booleans())
def test_an_array_gives_its_elements_however_it_arrives(
    found: list[Any], n_bytes: int, is_spaced: bool
) -> None:
    assert read(json.dumps(found, indent=2 if is_spaced else None), n_bytes) == found


@settings(max_examples=100, deadline=None)
@given(st.lists(st.dictionaries(st.text(max_size=3), JSON, max_size=3), max_size=5), st.integers(1, 7))
def test_lines_give_their_values(found: list[Any], n_bytes: int) -> None:
    assert read("\n".join(map(json.dumps, found)), n_bytes) == found


@pytest.mark.parametrize("n_bytes", [1, 3, 1 << 20])
def test_a_broken_element_is_passed_over(n_bytes: int) -> None:
    one, broken, three = read('[{"a": 1}, {"a": oops, "b": "]}"}, {"a": 3}]', n_bytes)
    assert (one, three) == ({"a": 1}, {"a": 3})
    assert isinstance(broken, BadValue)
    assert (broken.index, broken.is_rest) == (1, False)


@pytest.mark.parametrize("n_bytes", [1, 1 << 20])
def test_a_broken_line_is_passed_over(n_bytes: int) -> None:
    one, broken, three = read('{"a": 1}\n{"a": "\n{"a": 3}\n', n_bytes)
    assert (one, three) == ({"a": 1}, {"a": 3})
    assert isinstance(broken, BadValue)


@pytest.mark.parametrize("end", ["", ",", ', {"a"', ', {"a": "x', ', {"a": "\\'])
def test_a_file_that_was_cut_off_gives_what_is_whole(end: str) -> None:
    one, rest = read('[{"a": 1}' + end)
    assert one == {"a": 1}
    assert isinstance(rest, BadValue)
    assert rest.is_rest


def test_values_that_are_too_long_or_deep_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "MAX_VALUE_CHARACTERS", 100)
    monkeypatch.setattr(json_stream, "CHUNK_BYTES", 16)
    long, deep = json.dumps("x" * 1000), "[" * 5000 + "]" * 5000
    found = read(f"[1, {long}, 2]", 16)
    assert found[0::2] == [1, 2]
    assert isinstance(found[1], BadValue)
    monkeypatch.undo()
    one, broken, two = read(f"[1, {deep}, 2]")
    assert (one, two) == (1, 2)
    assert isinstance(broken, BadValue)


def test_encodings() -> None:
    for encoding in ("utf-8-sig", "utf-16"):
        data = json.dumps(["é专"], ensure_ascii=False).encode(encoding)
        assert [v.value for v in values(io.BytesIO(data)) if isinstance(v, Value)] == ["é专"]
    (found,) = values(io.BytesIO(b'["\xff"]'))
    assert found == Value(0, "\ufffd")


def test_what_was_read_does_not_stay_in_memory() -> None:
    """A file of 64 MB takes the memory of a few pieces."""

    class Long:
        n_left = 64

        def read(self, size: int, /) -> bytes:
            self.n_left -= 1
            begins = b"[" if self.n_left == 63 else b""
            return begins + b'{"text": "%s"},' % (b"x" * 1000) * (size // 1013) if self.n_left >= 0 else b""

    tracemalloc.start()
    n_values = sum(isinstance(found, Value) for found in values(Long()))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert n_values > 60_000
    assert peak_bytes < 16 << 20
