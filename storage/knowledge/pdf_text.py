"""PDF files as blocks: one a page, under the outline's entry that the page belongs to.

pypdf is plain Python, so a hostile file can waste time and memory but corrupt neither; whoever reads files of
others does it in a process with limits (`app.reading`).
"""

from __future__ import annotations

import io
import logging
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, Final

from pypdf import PdfReader
from pypdf.errors import DependencyError, FileNotDecryptedError, LimitReachedError, PyPdfError

from storage.knowledge.records import Block
from storage.knowledge.unreadable import Unreadable

MAX_PAGES: Final = 20_000
_MAX_OUTLINE_DEPTH: Final = 8
_SIGNATURE: Final = b"%PDF-"
_SIGNATURE_WITHIN_BYTES: Final = 1024

# It warns of every oddity of a file that it can read all the same.
logging.getLogger("pypdf").setLevel(logging.CRITICAL)


def pdf_blocks(data: bytes) -> tuple[str, list[Block]]:
    """The title, "" for none, and the blocks; a page without text has none.

    Raises:
        Unreadable: It is damaged, encrypted, or too large.
    """
    if _SIGNATURE not in data[:_SIGNATURE_WITHIN_BYTES]:
        raise Unreadable("broken", "no PDF signature")
    try:
        reader = PdfReader(io.BytesIO(data), strict=False)
        # Many files are encrypted with an empty password, which every viewer tries.
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable("encrypted", "a password is needed")
        if len(reader.pages) > MAX_PAGES:
            raise Unreadable("too_large", f"{len(reader.pages)} pages")
        return _title(reader), list(_blocks(reader))
    except (FileNotDecryptedError, DependencyError) as error:
        raise Unreadable("encrypted", str(error)) from error
    except LimitReachedError as error:
        raise Unreadable("too_large", str(error)) from error
    except Unreadable:
        raise
    except MemoryError as error:
        raise Unreadable("too_large", "no memory for it") from error
    except Exception as error:
        raise Unreadable("broken", f"{type(error).__name__}: {error}") from error


def _title(reader: PdfReader) -> str:
    title = reader.metadata.title if reader.metadata else None
    return " ".join(title.split()) if isinstance(title, str) else ""


def _blocks(reader: PdfReader) -> Iterator[Block]:
    outline = sorted(_outline(reader), key=lambda entry: entry[0])
    first_pages = [page for page, _ in outline]
    for number, page in enumerate(reader.pages, start=1):
        text = page.extract_text()
        if text.strip():
            at = bisect_right(first_pages, number)
            yield Block(text, outline[at - 1][1] if at else (), page=number)


def _outline(reader: PdfReader) -> list[tuple[int, tuple[str, ...]]]:
    """Page, from 1, and headings of each entry. A file with a broken outline has none."""
    found: list[tuple[int, tuple[str, ...]]] = []

    def walk(entries: list[Any], above: tuple[str, ...]) -> None:
        last = above
        for entry in entries:
            if isinstance(entry, list):
                if len(above) < _MAX_OUTLINE_DEPTH:
                    walk(entry, last)
                continue
            last = (*above, " ".join(str(entry.title).split()))
            page = reader.get_destination_page_number(entry)
            if page is not None and page >= 0:
                found.append((page + 1, last))

    try:
        walk(reader.outline, ())
    except (PyPdfError, KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError):
        return []
    return found
