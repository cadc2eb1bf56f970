"""One file, read and cut into passages.

Which reader a file gets is decided by its name; what it is by its bytes. Only regular files are opened, never
longer than their limit, and what changes while it is read is only ever read once.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from storage.database import storable
from storage.errors import DocumentRefused
from storage.knowledge.docx_text import docx_blocks
from storage.knowledge.encodings import decoded
from storage.knowledge.html_text import decoded_page, html_blocks
from storage.knowledge.kinds import kind_of, why_refused
from storage.knowledge.passages import passages_of
from storage.knowledge.pdf_text import pdf_blocks
from storage.knowledge.plain_text import code_blocks, markdown_blocks, text_blocks
from storage.knowledge.records import Block, DocumentKind, ReadDocument
from storage.knowledge.unreadable import Unreadable

MAX_TEXT_BYTES: Final = 32 * 1024 * 1024
MAX_BINARY_BYTES: Final = 256 * 1024 * 1024
MAX_CHARACTERS: Final = 64 * 1024 * 1024

_OLE_SIGNATURE = b"\xd0\xcf\x11\xe0"  # what Word wraps an encrypted document in, and its files before 2007


def read_document(path: Path, known_sha256: str | None = None) -> ReadDocument | None:
    """Read a file; None where its content is still that of `known_sha256`.

    Raises:
        DocumentRefused: It is gone, too large, damaged, encrypted, no text, or has no text.
    """
    kind = kind_of(path) or "text"
    data = _bytes(path, MAX_BINARY_BYTES if kind in ("pdf", "docx") else MAX_TEXT_BYTES)
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 == known_sha256:
        return None
    try:
        title, blocks = _blocks(path, kind, data)
    except Unreadable as error:
        raise DocumentRefused(path, error.why, str(error)) from error
    passages = tuple(passages_of(_cleaned(blocks)))
    if not passages:
        raise DocumentRefused(path, "no_text", "")
    if sum(len(passage.text) for passage in passages) > MAX_CHARACTERS:
        raise DocumentRefused(path, "too_large", f"over {MAX_CHARACTERS} characters")
    return ReadDocument(kind, _clean(title) or storable(path.name), sha256, passages)


def _bytes(path: Path, limit: int) -> bytes:
    """Not blocking: a pipe would wait for its writer for ever."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with open(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise DocumentRefused(path, "not_a_file", "")
            data = b"" if found.st_size > limit else file.read(limit + 1)
    except OSError as error:
        raise DocumentRefused(path, why_refused(error), error.strerror or str(error)) from error
    if found.st_size > limit or len(data) > limit:
        raise DocumentRefused(path, "too_large", f"{found.st_size} bytes; at most {limit}")
    return data


def _blocks(path: Path, kind: DocumentKind, data: bytes) -> tuple[str, Iterable[Block]]:
    if kind == "pdf":
        return pdf_blocks(data)
    if kind == "docx":
        if data.startswith(_OLE_SIGNATURE):
            raise Unreadable("encrypted", "an OLE container")
        return docx_blocks(data)
    text = decoded_page(data) if kind == "html" else decoded(data)
    if text is None:
        raise DocumentRefused(path, "binary", "")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if kind == "html":
        return html_blocks(text)
    if kind == "markdown":
        return "", markdown_blocks(text)
    return "", code_blocks(text) if kind == "code" else text_blocks(text)


def _cleaned(blocks: Iterable[Block]) -> Iterable[Block]:
    for block in blocks:
        yield Block(_clean(block.text), tuple(map(_clean, block.headings)), block.page, block.line)


def _clean(text: str) -> str:
    """Without what SQLite would end a text at, and what UTF-8 cannot hold."""
    return storable(text.replace("\0", ""))
