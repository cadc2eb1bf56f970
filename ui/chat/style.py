"""Sizes, fonts and colours of the transcript at one moment; made anew when theme, font or zoom changes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from PySide6.QtGui import QFont, QFontInfo, QFontMetricsF

from ui import theme

# Left to itself, fontconfig may answer a request for Chinese letters with a bold or a Japanese face.
_HAN_FAMILIES = ("PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "Source Han Sans SC")
_HEADING_SCALES = {1: 1.5, 2: 1.28, 3: 1.12}


@dataclass(frozen=True)
class Style:
    """All lengths are logical pixels and grow with the text.

    Attributes:
        em: Pixel size of body text; every other length derives from it.
        column_width: Widest that text runs, of `theme`: longer lines are hard to read.
    """

    body: QFont
    small: QFont
    code: QFont
    colors: theme.Colors
    is_dark: bool
    em: float
    line_gap: float
    paragraph_gap: float
    tight_gap: float
    item_gap: float
    column_width: float
    margin: float
    list_indent: float
    quote_indent: float

    @classmethod
    def current(cls, zoom_percent: int = 100) -> Style:
        """What theme and application font say now, enlarged by `zoom_percent`."""
        scale = zoom_percent / 100
        body = _with_han(theme.font(1.08 * scale))
        metrics = QFontMetricsF(body)
        em = metrics.height() / 1.17
        code = _with_han(theme.code_font())
        code.setPointSizeF(code.pointSizeF() * scale)
        return cls(
            body=body,
            small=_with_han(theme.font(0.9 * scale)),
            code=code,
            colors=theme.colors(),
            is_dark=theme.is_dark(),
            em=em,
            line_gap=round(em * 0.36),
            paragraph_gap=round(em * 0.85),
            tight_gap=round(em * 0.36),
            item_gap=round(em * 2.0),
            column_width=float(theme.column_width() * scale),
            margin=round(em * 1.6),
            list_indent=round(em * 1.75),
            quote_indent=round(em * 1.1),
        )

    def heading(self, level: int) -> QFont:
        """Font of a heading of level 1 to 6."""
        font = QFont(self.body)
        font.setPointSizeF(font.pointSizeF() * _HEADING_SCALES.get(level, 1.0))
        font.setWeight(QFont.Weight.DemiBold if level <= 2 else QFont.Weight.Bold)
        return font

    def quieter(self) -> Style:
        """The same a little smaller, for reasoning."""
        body, code = QFont(self.body), QFont(self.code)
        body.setPointSizeF(body.pointSizeF() * 0.94)
        code.setPointSizeF(code.pointSizeF() * 0.94)
        return replace(self, body=body, code=code, line_gap=round(self.em * 0.3))


def _with_han(font: QFont) -> QFont:
    """The same font, and a plain face to take Chinese letters from."""
    result = QFont(font)
    result.setFamilies([QFontInfo(font).family(), *_HAN_FAMILIES])
    return result
