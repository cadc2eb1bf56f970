"""Formulas: LaTeX to SVG by ziamath beside the Qt thread, SVG to a picture when it is painted.

An SVG scales, so it is kept by source alone; pictures are kept by source, size, colour and screen density.
What cannot be set is shown as its source.
"""

from __future__ import annotations

import gc
import re
import threading
import warnings
from collections import OrderedDict
from dataclasses import dataclass
from functools import cache
from typing import Any

from PySide6.QtCore import QByteArray, QObject, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from ui.chat.background import Background

_SET_AT_PX = 24.0
_MAX_SOURCE = 4_000
_MAX_DEPTH = 40
_KEPT_FORMULAS = 2_000
_KEPT_PICTURES = 400
_one_at_a_time = threading.Lock()
_VIEW_BOX = re.compile(r'viewBox="([-\d.]+) ([-\d.]+) ([-\d.]+) ([-\d.]+)"')


class CannotSet(Exception):
    """LaTeX that is too long, too deep or unknown to the typesetter."""


@dataclass(frozen=True, slots=True)
class Formula:
    """A set formula; lengths in multiples of the text size, upwards and downwards from the base line."""

    svg: str
    width_em: float
    ascent_em: float
    descent_em: float


@cache
def _typesetter() -> Any:
    # Its fonts are 100,000 objects that stay. Walking them in every full collection would stop all threads
    # for 50 ms, a lost frame: so no collection while they are read, and none ever looks at them again.
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        # Reading them takes 150 ms and belongs on the background thread.
        with warnings.catch_warnings():
            # WORKAROUND ziamath/zmath.py 0.13 finds its font through a deprecated function.
            warnings.simplefilter("ignore", DeprecationWarning)
            from ziamath.config import config
            from ziamath.zmath import Latex

        config.svg2 = False  # QtSvg draws no <symbol>, where SVG 2 puts the glyphs
        Latex("x").svg()
        gc.freeze()
    finally:
        if was_enabled:
            gc.enable()
    return Latex


def typeset(latex: str, *, is_display: bool) -> Formula:
    """Set one formula; slow (1 to 30 ms), one after the other.

    Raises:
        CannotSet: With the typesetter's own words.
    """
    if len(latex) > _MAX_SOURCE or _depth(latex) > _MAX_DEPTH:
        raise CannotSet("too long or too deep")
    try:
        with _one_at_a_time:
            svg = _typesetter()(latex, size=_SET_AT_PX, inline=not is_display).svg()
        box = _VIEW_BOX.search(svg)
    except (Exception, RecursionError) as error:  # the typesetter raises whatever it likes
        raise CannotSet(str(error)) from error
    if box is None:
        raise CannotSet("empty")
    _, top, width, height = (float(number) for number in box.groups())
    if width <= 0 or height <= 0:
        raise CannotSet("empty")
    return Formula(svg, width / _SET_AT_PX, -top / _SET_AT_PX, (height + top) / _SET_AT_PX)


def _depth(latex: str) -> int:
    depth = deepest = 0
    for character in latex:
        depth += (character == "{") - (character == "}")
        deepest = max(deepest, depth)
    return max(deepest, latex.count("\\left"), latex.count("\\begin"))


class Formulas(QObject):
    """All formulas of a transcript, set once each.

    Signals:
        rendered: source (str) of a formula that `find` can now give, or that failed.
    """

    rendered = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._known: OrderedDict[tuple[str, bool], Formula | None] = OrderedDict()
        self._waiting: set[tuple[str, bool]] = set()
        self._pictures: OrderedDict[tuple[str, bool, int, int, int], QPixmap] = OrderedDict()
        self._background = Background(self)
        self._background.finished.connect(self._on_finished)

    def find(self, latex: str, *, is_display: bool) -> Formula | None:
        """The formula if it is set; else None, and `rendered` will announce it unless it failed before."""
        key = (latex, is_display)
        if key in self._known:
            self._known.move_to_end(key)
            return self._known[key]
        if key not in self._waiting:
            self._waiting.add(key)
            self._background.submit(key, lambda: typeset(latex, is_display=is_display))
        return None

    def is_waiting(self, latex: str, *, is_display: bool) -> bool:
        """Whether `find` will have an answer later."""
        return (latex, is_display) in self._waiting

    def close(self) -> None:
        """Stop setting formulas."""
        self._background.close()

    def paint(
        self, painter: QPainter, key: tuple[str, bool], at: QPointF, size_px: float, color: QColor
    ) -> None:
        """Draw a known formula with the left end of its base line at `at`."""
        formula = self._known.get(key)
        if formula is None:
            return
        ratio = painter.device().devicePixelRatioF()
        pixmap = self._picture(key, formula, size_px, color, ratio)
        # On whole device pixels, or the picture is resampled and soft.
        top = at.y() - formula.ascent_em * size_px
        painter.drawPixmap(QPointF(round(at.x() * ratio) / ratio, round(top * ratio) / ratio), pixmap)

    def _picture(
        self, key: tuple[str, bool], formula: Formula, size_px: float, color: QColor, ratio: float
    ) -> QPixmap:
        name = (*key, round(size_px * 8), color.rgba(), round(ratio * 100))
        pixmap = self._pictures.get(name)
        if pixmap is None:
            width = formula.width_em * size_px
            height = (formula.ascent_em + formula.descent_em) * size_px
            pixmap = QPixmap(
                max(1, min(round(width * ratio + 0.5), 8192)), max(1, min(round(height * ratio + 0.5), 8192))
            )
            pixmap.fill(Qt.GlobalColor.transparent)
            svg = formula.svg.replace('="black"', f'="{color.name()}"')
            svg = svg.replace("<svg ", f'<svg fill="{color.name()}" ', 1)
            target = QPainter(pixmap)
            QSvgRenderer(QByteArray(svg.encode())).render(target, QRectF(0, 0, width * ratio, height * ratio))
            target.end()
            pixmap.setDevicePixelRatio(ratio)
            self._pictures[name] = pixmap
            if len(self._pictures) > _KEPT_PICTURES:
                self._pictures.popitem(last=False)
        else:
            self._pictures.move_to_end(name)
        return pixmap

    def _on_finished(self, key: tuple[str, bool], result: Formula | Exception) -> None:
        self._waiting.discard(key)
        self._known[key] = result if isinstance(result, Formula) else None
        if len(self._known) > _KEPT_FORMULAS:
            self._known.popitem(last=False)
        self.rendered.emit(key[0])
