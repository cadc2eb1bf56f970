"""Prints a page of HTML to a PDF file, in a process of its own: nothing of it can hold the window up.

`python -m app print-pdf FILE` reads the page from its standard input.
"""

from __future__ import annotations

import base64
import os
import sys
from collections.abc import Sequence

from PySide6.QtCore import QByteArray, QMarginsF, Qt, QUrl
from PySide6.QtGui import QGuiApplication, QImage, QPageSize, QPainter, QPdfWriter, QTextDocument
from PySide6.QtSvg import QSvgRenderer

_SVG = "data:image/svg+xml;base64,"
_PIXELS = 3


def main(arguments: Sequence[str]) -> int:
    """Print what comes; returns the exit code, 1 where the file could not be written."""
    (path,) = arguments
    page = sys.stdin.buffer.read().decode("utf-8", "replace")
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    application = QGuiApplication.instance() or QGuiApplication(sys.argv[:1])
    assert application is not None  # it lives until the end of this function
    return 0 if print_pdf(page, path) else 1


def print_pdf(page: str, path: str) -> bool:
    """Print a page of HTML; needs a QGuiApplication. Returns whether the file could be written."""
    writer = QPdfWriter(path)
    writer.setPageSize(QPageSize(QPageSize.PageSizeId.A4))
    writer.setPageMargins(QMarginsF())  # the document brings its own, of two centimetres
    writer.setCreator("Coterie")
    document = _Paper()
    document.setHtml(page)  # loads nothing: a QTextDocument of its own knows no network and no scripts
    writer.setTitle(document.metaInformation(QTextDocument.MetaInformation.DocumentTitle))
    document.print_(writer)
    return os.path.exists(path) and os.path.getsize(path) > 0


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
