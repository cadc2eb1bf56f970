"""Where a passage stands, in one line: for models and for people."""

from __future__ import annotations

from pathlib import Path

from storage.knowledge.records import Passage


def place(path: Path, title: str, passage: Passage) -> str:
    """Such as `paper.pdf:p3 "The paper" > Method`; a line where there is no page."""
    if passage.page is not None:
        name = f"{path.name}:p{passage.page}"
    elif passage.line is not None:
        name = f"{path.name}:{passage.line}"
    else:
        name = path.name
    above = [f"“{title}”" if title != path.name else "", " > ".join(passage.headings)]
    return " ".join([name, *filter(None, above)])
