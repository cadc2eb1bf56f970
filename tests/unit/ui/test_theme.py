"""Text can be read on everything that it stands on: WCAG 2.2, 1.4.3."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QColor, QPalette

from ui import theme

TEXTS = ("text", "text_muted", "accent", "error", "warning", "success")
SURFACES = ("window", "surface", "surface_raised", "code_background", "user_bubble", "hover", "selected")


def luminance(color: QColor) -> float:
    def linear(channel: float) -> float:
        return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4

    return 0.2126 * linear(color.redF()) + 0.7152 * linear(color.greenF()) + 0.0722 * linear(color.blueF())


def contrast(one: QColor, other: QColor) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("palette", [theme.LIGHT, theme.DARK], ids=["light", "dark"])
@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("text", TEXTS)
def test_text_reaches_aa(palette: theme.Colors, text: str, surface: str) -> None:
    assert contrast(getattr(palette, text), getattr(palette, surface)) >= 4.5


@pytest.mark.parametrize("palette", [theme.LIGHT, theme.DARK], ids=["light", "dark"])
def test_special_pairs_reach_aa(palette: theme.Colors) -> None:
    assert contrast(palette.accent_text, palette.accent) >= 4.5
    assert contrast(palette.text, palette.match) >= 4.5


def test_palette_fills_qts_roles() -> None:
    made = theme.palette(theme.DARK)
    assert made.color(QPalette.ColorRole.Window) == theme.DARK.window
    assert made.color(QPalette.ColorRole.Highlight) == theme.DARK.accent
    assert made.color(QPalette.ColorGroup.Disabled, QPalette.ColorRole.Text).alpha() < 255
