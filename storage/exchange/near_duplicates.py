"""Finds texts that are nearly the same, among any number, by MinHash.

A text is the set of its shingles: five words in a row, or five characters of Chinese, Japanese and Korean,
which have no spaces. The share of equal minima of 128 hash functions estimates the share of common
shingles (their Jaccard similarity) with an error of about 0.04; bands of minima find the few texts that
are worth comparing.

Source: Broder, "On the resemblance and containment of documents", 1997; Leskovec, Rajaraman, Ullman,
"Mining of Massive Datasets", chapter 3 (bands)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from storage.terms import CJK_RUN

_N_HASHES = 128
_N_BANDS = 32
_N_TOGETHER = 5
_WORD = re.compile(r"\w+")
_MAX_SHINGLES = 50_000  # of one text: enough to know it by


class NearDuplicates:
    """Texts that were seen."""

    def __init__(self, similarity: float) -> None:
        """See `add`.

        Args:
            similarity: Share of common shingles, from 0 to 1, from which on two texts are the same.
        """
        self._similarity = similarity
        generator = np.random.default_rng(0x636F7465)  # the same choice each time
        self._factors = generator.integers(1, 1 << 63, _N_HASHES, dtype=np.uint64) | np.uint64(1)
        self._terms = generator.integers(0, 1 << 63, _N_HASHES, dtype=np.uint64)
        self._signatures: list[NDArray[np.uint64]] = []
        self._bands: dict[tuple[int, bytes], list[int]] = {}

    def add(self, text: str) -> bool:
        """Remember a text; False, and not remembered, when it is nearly one that was seen."""
        signature = self._signature(text)
        bands = [(place, band.tobytes()) for place, band in enumerate(np.split(signature, _N_BANDS))]
        candidates = {number for band in bands for number in self._bands.get(band, ())}
        for number in candidates:
            if float(np.mean(self._signatures[number] == signature)) >= self._similarity:
                return False
        self._signatures.append(signature)
        for band in bands:
            self._bands.setdefault(band, []).append(len(self._signatures) - 1)
        return True

    def _signature(self, text: str) -> NDArray[np.uint64]:
        hashes = np.array(
            [
                int.from_bytes(blake2b(s.encode("utf-8", "replace"), digest_size=8).digest(), "little")
                for s in _shingles(text)
            ],
            np.uint64,
        )
        minima = np.full(_N_HASHES, np.iinfo(np.uint64).max, np.uint64)
        for place, (factor, term) in enumerate(zip(self._factors, self._terms, strict=True)):
            # Multiplication modulo 2^64; its high bits are the hash.
            minima[place] = np.min((hashes * factor + term) >> np.uint64(16))
        return minima


def _shingles(text: str) -> list[str]:
    words = list(_words(text.lower()))
    if len(words) <= _N_TOGETHER:
        return [" ".join(words)]
    found = {" ".join(words[at : at + _N_TOGETHER]) for at in range(len(words) - _N_TOGETHER + 1)}
    return sorted(found)[:_MAX_SHINGLES] if len(found) > _MAX_SHINGLES else list(found)


def _words(text: str) -> Iterator[str]:
    end = 0
    for run in CJK_RUN.finditer(text):
        yield from _WORD.findall(text[end : run.start()])
        yield from run.group()
        end = run.end()
    yield from _WORD.findall(text[end:])
