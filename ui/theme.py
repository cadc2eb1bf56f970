"""How the program looks: two palettes of warm greys with one green accent, and the spacing between things.

Light or dark follows the system (`QStyleHints.colorScheme`) unless a person chose; where the platform cannot
be asked to switch, our own palette does it alone. Whoever paints by itself asks `colors()` while painting and
repaints on `QEvent.PaletteChange`, which every change of the theme sends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFont, QFontDatabase, QFontInfo, QFontMetricsF, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication

from ui import stylesheet

Choice = Literal["system", "light", "dark"]

SPACING = 8
RADIUS = 8
_ZOOM_STEPS_PERCENT = (80, 90, 100, 110, 125, 150, 175, 200)


@dataclass(frozen=True, slots=True)
class Colors:
    """What each colour is for. Text roles reach WCAG AA (4.5:1) on every surface role.

    Attributes:
        window: Behind everything, and the side bar.
        surface: The page a conversation stands on.
        surface_raised: Fields, menus, cards.
        hover: Under the pointer, on `window` or `surface`.
        selected: The current row of a list.
        match: Behind a found word.
    """

    window: QColor
    surface: QColor
    surface_raised: QColor
    text: QColor
    text_muted: QColor
    accent: QColor
    accent_text: QColor
    border: QColor
    code_background: QColor
    error: QColor
    warning: QColor
    success: QColor
    user_bubble: QColor
    hover: QColor
    selected: QColor
    match: QColor


def _colors(**names: str) -> Colors:
    return Colors(**{role: QColor(name) for role, name in names.items()})


LIGHT = _colors(
    window="#f2efe9",
    surface="#fbfaf7",
    surface_raised="#ffffff",
    text="#23211d",
    text_muted="#665f55",
    accent="#1d6a5a",
    accent_text="#ffffff",
    border="#ddd7cc",
    code_background="#f3efe7",
    error="#a5311f",
    warning="#7a5200",
    success="#2b6a35",
    user_bubble="#ece6da",
    hover="#e9e4da",
    selected="#e2dccf",
    match="#f5e2a8",
)
DARK = _colors(
    window="#191816",
    surface="#201f1c",
    surface_raised="#2a2825",
    text="#ece8e0",
    text_muted="#aca59a",
    accent="#86cab4",
    accent_text="#10241e",
    border="#3b3833",
    code_background="#191815",
    error="#f2968a",
    warning="#e3b562",
    success="#90cf95",
    user_bubble="#33302b",
    hover="#272522",
    selected="#3a3630",
    match="#5a4a1c",
)


class _Theme:
    """What was chosen; the application object holds everything else."""

    def __init__(self) -> None:
        self.choice: Choice = "system"
        self.zoom_percent = 100
        self.base_point_size: float | None = None
        self.follows = False


_theme = _Theme()


def is_dark() -> bool:
    """Whether the dark palette is in use."""
    if _theme.choice != "system":
        return _theme.choice == "dark"
    return QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark


def colors() -> Colors:
    """The palette in use now; ask again after `QEvent.PaletteChange`."""
    return DARK if is_dark() else LIGHT


def apply(choice: Choice | None = None) -> None:
    """Dress the running application, and follow the system from now on where that was chosen.

    Args:
        choice: None keeps what was chosen before ("system" at first).
    """
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    hints = app.styleHints()
    if not _theme.follows:
        hints.colorSchemeChanged.connect(_on_system_scheme_changed)
        _theme.follows = True
    if choice is not None and choice != _theme.choice:
        _theme.choice = choice
        if choice == "system":
            hints.unsetColorScheme()
        else:
            hints.setColorScheme(Qt.ColorScheme.Dark if choice == "dark" else Qt.ColorScheme.Light)
    _dress(app)


def zoom_percent() -> int:
    """How large text is, in percent of the system's size."""
    return _theme.zoom_percent


def set_zoom(percent: int) -> None:
    """Make all text larger or smaller, at once and everywhere."""
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    if _theme.base_point_size is None:
        _theme.base_point_size = app.font().pointSizeF()
    _theme.zoom_percent = max(_ZOOM_STEPS_PERCENT[0], min(percent, _ZOOM_STEPS_PERCENT[-1]))
    font = app.font()
    font.setPointSizeF(_theme.base_point_size * _theme.zoom_percent / 100)
    # While a style sheet is set, Qt does not hand a new font down to the widgets.
    app.setStyleSheet("")
    app.setFont(font)
    app.setStyleSheet(_sheet(colors()))


def zoom_step(direction: int) -> int:
    """The next larger (1) or smaller (-1) zoom, or 100 for 0."""
    if direction == 0:
        return 100
    steps = [step for step in _ZOOM_STEPS_PERCENT if (step - _theme.zoom_percent) * direction > 0]
    if not steps:
        return _theme.zoom_percent
    return min(steps) if direction > 0 else max(steps)


def font(scale: float = 1.0, weight: QFont.Weight = QFont.Weight.Normal) -> QFont:
    """The text font at a scale: 1.0 body, 0.9 small print, 1.15 headings, 1.7 the welcome."""
    chosen = QFont(QApplication.font())
    chosen.setPointSizeF(chosen.pointSizeF() * scale)
    chosen.setWeight(weight)
    return chosen


def code_font() -> QFont:
    """The system's fixed-width font in the size of the text."""
    chosen = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
    if not QFontInfo(chosen).fixedPitch():
        chosen.setStyleHint(QFont.StyleHint.Monospace)
        chosen.setFamily("monospace")
    chosen.setPointSizeF(QApplication.font().pointSizeF() * 0.95)
    return chosen


def column_width() -> int:
    """Widest that the text of a conversation and its composer run, in pixels: about 85 letters."""
    return round(QFontMetricsF(font(1.08)).height() / 1.17 * 50)


def with_alpha(color: QColor, alpha: float) -> QColor:
    """The colour, more or less transparent (0 to 1)."""
    faded = QColor(color)
    faded.setAlphaF(alpha)
    return faded


def _on_system_scheme_changed(_scheme: Qt.ColorScheme) -> None:
    app = QApplication.instance()
    if isinstance(app, QApplication):
        _dress(app)


def _dress(app: QApplication) -> None:
    if app.style().name().lower() != "fusion":
        app.setStyle("Fusion")
    sheet = _sheet(colors())
    if app.styleSheet() == sheet:
        return  # the settings say what the window has assumed: dressing every widget again takes 50 ms
    app.setPalette(palette(colors()))
    app.setStyleSheet(sheet)


def palette(c: Colors) -> QPalette:
    """Qt's own roles filled from ours, the disabled group with faded text."""
    roles = QPalette.ColorRole
    result = QPalette()
    for role, color in {
        roles.Window: c.window,
        roles.WindowText: c.text,
        roles.Base: c.surface_raised,
        roles.AlternateBase: c.surface,
        roles.Text: c.text,
        roles.PlaceholderText: c.text_muted,
        roles.Button: c.surface_raised,
        roles.ButtonText: c.text,
        roles.BrightText: c.error,
        roles.Highlight: c.accent,
        roles.HighlightedText: c.accent_text,
        roles.Accent: c.accent,
        roles.Link: c.accent,
        roles.LinkVisited: c.accent,
        roles.ToolTipBase: c.surface_raised,
        roles.ToolTipText: c.text,
        roles.Light: c.surface_raised,
        roles.Midlight: c.hover,
        roles.Mid: c.border,
        roles.Dark: c.text_muted,
        roles.Shadow: QColor("#000000"),
    }.items():
        result.setColor(role, color)
    for role in (roles.WindowText, roles.Text, roles.ButtonText):
        result.setColor(QPalette.ColorGroup.Disabled, role, with_alpha(c.text_muted, 0.65))
    result.setColor(QPalette.ColorGroup.Disabled, roles.Highlight, c.border)
    return result


def _sheet(c: Colors) -> str:
    names = {role: getattr(c, role).name() for role in Colors.__slots__}
    names["faint"] = with_alpha(c.text_muted, 0.55).name(QColor.NameFormat.HexArgb)
    return stylesheet.build(names, RADIUS, is_dark=c is DARK)
