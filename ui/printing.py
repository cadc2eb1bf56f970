"""Prints a page of HTML to a PDF file, in a process of its own: nothing of it can hold the window up.

`python -m app print-pdf FILE` reads the page from its standard input.
"""

from __future__ import annotations

import base64
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence

from PySide6.QtCore import QByteArray, QMarginsF, QRectF, QSizeF, Qt, QUrl
from PySide6.QtGui import QGuiApplication, QImage, QPageSize, QPainter, QPdfWriter, QTextDocument
from PySide6.QtSvg import QSvgRenderer

_SVG = "data:image/svg+xml;base64,"
_PIXELS = 3
_DPI = 300
_MARGIN = round(2 / 2.54 * _DPI)
_MAX_HEIGHT = 1 << 23
_MAX_CHARACTERS = 200_000  # about fifty pages of prose
_SECTION = re.compile(r"(?=<section )")


def main(arguments: Sequence[str]) -> int:
    """Print what comes; returns the exit code, 1 where the file could not be written."""
    (path,) = arguments
    page = sys.stdin.buffer.read().decode("utf-8", "replace")
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    application = QGuiApplication.instance() or QGuiApplication(sys.argv[:1])
    assert application is not None  # it lives until the end of this function
    try:
        return 0 if print_pdf(page, path) else 1
    except TooLong:
        sys.stderr.write("one message is too long for a PDF\n")
        return 1


class TooLong(Exception):
    """One section takes more paper than Qt can lay out."""


def print_pdf(page: str, path: str) -> bool:
    """Print a page of HTML; needs a QGuiApplication. Returns whether the file could be written.

    Qt counts the pixels of a document in a number that is full after 2,400 pages at this resolution, and
    leaves the rest out without a word. So sections are laid out in turn, as many together as surely fit.

    Raises:
        TooLong: One section alone does not fit.
    """
    writer = QPdfWriter(path)
    writer.setPageSize(QPageSize(QPageSize.PageSizeId.A4))
    writer.setPageMargins(QMarginsF())  # the document brings its own, of two centimetres
    writer.setResolution(_DPI)
    writer.setCreator("Coterie")
    painter = QPainter()
    head, body, rest = page.partition("<body>")
    title = QTextDocument()
    title.setHtml(head)
    writer.setTitle(title.metaInformation(QTextDocument.MetaInformation.DocumentTitle))
    n_printed = 0
    for sections in _together(_SECTION.split(rest)):
        document = _Paper()
        document.documentLayout().setPaintDevice(writer)
        document.setHtml(head + body + sections)  # loads nothing: it knows no network and no scripts
        _set_margins(document)
        document.setPageSize(QSizeF(writer.width(), writer.height()))
        if document.size().height() > _MAX_HEIGHT - 2 * writer.height():
            raise TooLong
        if not painter.isActive() and not painter.begin(writer):
            return False
        for number in range(document.pageCount()):
            if n_printed:
                writer.newPage()
            n_printed += 1
            _paint(painter, document, number, n_printed)
    return painter.end() and os.path.exists(path) and os.path.getsize(path) > 0


def _together(sections: Iterable[str]) -> Iterator[str]:
    """Sections in a row, joined up to a length."""
    joined: list[str] = []
    n_characters = 0
    for section in sections:
        if joined and n_characters + len(section) > _MAX_CHARACTERS:
            yield "".join(joined)
            joined, n_characters = [], 0
        joined.append(section)
        n_characters += len(section)
    yield "".join(joined)


def _set_margins(document: QTextDocument) -> None:
    form = document.rootFrame().frameFormat()
    form.setMargin(2 / 2.54 * 96)  # in pixels of a screen, which the layout makes the writer's
    document.rootFrame().setFrameFormat(form)


def _paint(painter: QPainter, document: QTextDocument, place: int, number: int) -> None:
    """One page of the document with its number at the foot."""
    width, height = document.pageSize().width(), document.pageSize().height()
    painter.save()
    painter.translate(0, -place * height)
    document.drawContents(painter, QRectF(0, place * height, width, height))
    painter.restore()
    painter.setFont(document.defaultFont())
    foot = QRectF(_MARGIN, height - _MARGIN, width - 2 * _MARGIN, _MARGIN / 2)
    painter.drawText(foot, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, str(number))


class _Paper(QTextDocument):
    """Draws the page's own SVG pictures finely enough for paper; Qt would draw them for a screen."""

    def loadResource(self, kind: int, name: QUrl | str) -> object:
        address = name if isinstance(name, str) else name.toString()
        if not address.startswith(_SVG):
            return super().loadResource(kind, name)
        renderer = QSvgRenderer(QByteArray(base64.b64decode(address.removeprefix(_SVG))))
        image = QImage(renderer.defaultSize() * _PIXELS, QImage.Format.Format_ARGB32_Premultiplied)
        image.fill(Qt.GlobalColor.transparent)
        painter = QPainter(image)
        renderer.render(painter)
        painter.end()
        return image
