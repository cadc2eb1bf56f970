"""Chat templates that are known to be good: their hashes, and of some those of their lines.

Many conversions carry an old or a damaged template, which shows as thinking that never ends or tools that are
never called. The references are the templates that llama.cpp tests itself with; a template belongs to the
makers of its model, so only hashes are kept here. Those of the lines are enough to show which lines of a file
are others.
Source: llama.cpp@0c1e57098 models/templates; `python -m tests.helpers.known_templates` writes the file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal

FILENAME: Final = "known_templates.json"
_LINE_DIGITS: Final = 6

Verdict = Literal["same", "different", "unknown", "none"]


@dataclass(frozen=True, slots=True)
class KnownTemplate:
    """One reference.

    Attributes:
        name: Of its file in llama.cpp, without `.jinja`.
        lines: Hashes of its lines; empty where only the whole one is kept.
    """

    name: str
    sha256: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChangedLines:
    """Where a template differs from its reference.

    Attributes:
        at_line: Of the file's template, from 1; where lines are only missing, before this one.
        n_missing: Lines of the reference that are not there. Their text is not known.
        lines: Of the file's template, which the reference has not.
    """

    at_line: int
    n_missing: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TemplateCheck:
    """What is known of a template.

    Attributes:
        verdict: "same" as `expected`, or as any reference where none is expected; "unknown" where there is
        nothing
            to compare it with; "none" where there is no template.
        known_as: The reference that it is, whichever; "" where it is none.
        expected: The reference that it should be; "" where nobody has said.
        changes: To `expected`.
    """

    verdict: Verdict
    sha256: str = ""
    known_as: str = ""
    expected: str = ""
    changes: tuple[ChangedLines, ...] = ()


def check(template: str | None, expected: str = "") -> TemplateCheck:
    """Compare a template with what is known.

    Args:
        template: It; None where a file has none.
        expected: Name of the reference that it should be; "" where nobody has said.
    """
    if template is None:
        return TemplateCheck("none", expected=expected)
    digest = digest_of(template)
    known_as = next((known.name for known in references().values() if known.sha256 == digest), "")
    reference = references().get(expected)
    if reference is None:
        return TemplateCheck("same" if known_as else "unknown", digest, known_as)
    if digest == reference.sha256:
        return TemplateCheck("same", digest, expected, expected)
    return TemplateCheck("different", digest, known_as, expected, _changes(template, reference.lines))


@cache
def references() -> Mapping[str, KnownTemplate]:
    """All of them, by name."""
    content: Mapping[str, Any] = json.loads(files("model_manager").joinpath(FILENAME).read_text("utf-8"))
    return {
        name: KnownTemplate(name, values["sha256"], _split(values.get("lines", "")))
        for name, values in content["templates"].items()
    }


def digest_of(template: str) -> str:
    """Its SHA-256, without what makes no difference: line ends, spaces at the end of lines and of it all."""
    return hashlib.sha256("\n".join(_lines(template)).encode()).hexdigest()


def line_digests(template: str) -> list[str]:
    """A short hash of each line."""
    return [hashlib.sha256(line.encode()).hexdigest()[:_LINE_DIGITS] for line in _lines(template)]


def _lines(template: str) -> list[str]:
    return [line.rstrip() for line in template.rstrip().splitlines()]


def _split(digits: str) -> tuple[str, ...]:
    return tuple(digits[i : i + _LINE_DIGITS] for i in range(0, len(digits), _LINE_DIGITS))


def _changes(template: str, expected: Sequence[str]) -> tuple[ChangedLines, ...]:
    if not expected:
        return ()
    lines = _lines(template)
    matcher = SequenceMatcher(None, expected, line_digests(template), autojunk=False)
    return tuple(
        ChangedLines(first + 1, end - begin, tuple(lines[first:last]))
        for kind, begin, end, first, last in matcher.get_opcodes()
        if kind != "equal"
    )
