"""Which encoding a text file is in: what it says, else UTF-8, else the one that gives letters of a language.

An encoding of one language reads the bytes of another without complaint, so what comes out is looked at:
Japanese has hiragana, Korean is nearly all Hangul, Chinese of Taiwan uses the frequent half of Big5, and
Cyrillic has few Latin letters beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from storage.terms import CJK_RUN

_BOMS: Final = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_PROBE_BYTES: Final = 64 * 1024
_CONTROLS: Final = bytes(set(range(32)) - {*b"\t\n\r\f\x1b"})
_MOST_CONTROLS: Final = 0.02
_WIDE_ZEROS: Final = 0.3
_LEAST_HIRAGANA: Final = 0.1
_LEAST_HANGUL: Final = 0.85
_LEAST_FREQUENT: Final = 0.9
_LEAST_CJK: Final = 0.5
# A character of UTF-8 by accident is rare, so a file that has many, and a few faults, is UTF-8 with faults.
_GOOD_A_FAULT: Final = 2

_HIRAGANA: Final = re.compile("[\u3041-\u309f]")
_HANGUL: Final = re.compile("[\uac00-\ud7a3]")
_CYRILLIC: Final = re.compile("[\u0400-\u04ff]")
_SMALL_CYRILLIC: Final = re.compile("[\u0430-\u045f]")
_LATIN: Final = re.compile("[A-Za-z]")
# Of two bytes, where the first begins one of the 5,401 characters that are taught.
_BIG5_PAIR: Final = re.compile(rb"([\x81-\xfe])[\x40-\x7e\xa1-\xfe]")
_BIG5_FREQUENT: Final = range(0xA1, 0xC7)
_PUNCTUATION: Final = frozenset("，。、；：？！（）“”《》　")


def decoded(data: bytes) -> str | None:
    """The file as text, whatever it is encoded in; None for one that is no text."""
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return data.decode(encoding, "replace")
    probe = data[:_PROBE_BYTES]
    if b"\0" in probe:
        return _wide(data, probe)
    if len(probe) - len(probe.translate(None, _CONTROLS)) > len(probe) * _MOST_CONTROLS:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        pass
    text = data.decode(errors="replace")
    n_faults = text.count("\ufffd")
    if sum(letter > "\x7f" for letter in text) - n_faults > _GOOD_A_FAULT * n_faults:
        return text
    return next(_of_another_time(data), None) or data.decode("cp1252", "replace")


def _wide(data: bytes, probe: bytes) -> str | None:
    """UTF-16 without a mark: every other byte of what is ASCII in it is zero."""
    for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        zeros, others = probe[first::2], probe[1 - first :: 2]
        if zeros.count(0) > len(zeros) * _WIDE_ZEROS and 0 not in others:
            return data.decode(encoding, "replace")
    return None


def _of_another_time(data: bytes) -> Iterator[str]:
    """Texts that the bytes may mean, the surest first."""
    for encoding in ("cp932", "euc_jp"):
        if (text := _as(data, encoding)) and _share(_HIRAGANA, text) > _LEAST_HIRAGANA:
            yield text
    if (text := _as(data, "cp949")) and _share(_HANGUL, text) > _LEAST_HANGUL:
        yield text
    if (text := _as(data, "cp950")) and _is_taught(data[:_PROBE_BYTES]):
        yield text
    if (text := _as(data, "gb18030")) and _share(CJK_RUN, text) > _LEAST_CJK:
        yield text
    cyrillic = [text for encoding in ("cp1251", "koi8-r") if (text := _as(data, encoding))]
    if cyrillic:
        # Both have the same letters, and in the wrong one the small are the large.
        text = max(cyrillic, key=lambda text: len(_SMALL_CYRILLIC.findall(text[:_PROBE_BYTES])))
        if len(_CYRILLIC.findall(text)) > len(_LATIN.findall(text)):
            yield text


def _as(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return ""


def _share(letters: re.Pattern[str], text: str) -> float:
    """Of what is neither ASCII nor punctuation."""
    foreign = [letter for letter in text[:_PROBE_BYTES] if letter > "\x7f" and letter not in _PUNCTUATION]
    return sum(bool(letters.match(letter)) for letter in foreign) / max(1, len(foreign))


def _is_taught(data: bytes) -> bool:
    pairs = _BIG5_PAIR.findall(data)
    frequent = sum(first[0] in _BIG5_FREQUENT for first in pairs)
    return frequent > _LEAST_FREQUENT * len(pairs)
