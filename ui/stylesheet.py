"""The rules of appearance that a palette cannot say: radii, borders, focus, the named parts of the window."""

from __future__ import annotations

from collections.abc import Mapping
from string import Template


def build(colors: Mapping[str, str], radius: int) -> str:
    """The style sheet of the application.

    Args:
        colors: `#rrggbb` by role of `theme.Colors`, and "faint" for what is disabled.
        radius: Of corners, in pixels.
    """
    return Template(_SHEET).substitute(colors, radius=radius, small=radius - 2)


_SHEET = """

QToolTip { color: $text; background: $surface_raised; border: 1px solid $border; padding: 4px 6px; }
#sidebar, #sidebar QListView { background: $window; border: none; }
#page, #header, #welcome, #composer_area { background: $surface; }
QListView { background: $surface_raised; border: 1px solid $border; border-radius: ${radius}px;
    outline: none; }
QLineEdit, QPlainTextEdit, QTextEdit, QSpinBox, QDoubleSpinBox, QComboBox {
    background: $surface_raised; color: $text; border: 1px solid $border; border-radius: ${small}px;
    padding: 5px 8px; selection-background-color: $accent; selection-color: $accent_text; }
QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus,
QComboBox:focus { border-color: $accent; }
QLineEdit:disabled, QSpinBox:disabled, QDoubleSpinBox:disabled, QComboBox:disabled { color: $faint; }
QPushButton { background: $surface_raised; color: $text; border: 1px solid $border;
    border-radius: ${small}px; padding: 6px 14px; }
QPushButton:hover { background: $hover; }
QPushButton:pressed { background: $selected; }
QPushButton:focus { border-color: $accent; }
QPushButton:disabled { color: $faint; background: transparent; }
QPushButton[primary="true"], QPushButton:default { background: $accent; color: $accent_text;
    border-color: $accent; }
QPushButton[primary="true"]:disabled { background: $border; color: $text_muted; border-color: $border; }
QPushButton[primary="true"]:focus, QPushButton:default:focus { border: 2px solid $text; padding: 5px 13px; }
QToolButton { background: transparent; color: $text; border: 1px solid transparent;
    border-radius: ${small}px; padding: 5px; }
QToolButton:hover, QToolButton:open { background: $hover; }
QToolButton:pressed, QToolButton:checked { background: $selected; }
QToolButton:focus { border-color: $accent; }
QToolButton::menu-indicator { image: none; }
QMenu { background: $surface_raised; color: $text; border: 1px solid $border; padding: 4px; }
QMenu::item { padding: 6px 22px 6px 12px; border-radius: ${small}px; }
QMenu::item:selected { background: $selected; color: $text; }
QMenu::item:disabled { color: $faint; }
QMenu::separator { height: 1px; background: $border; margin: 4px 8px; }
QProgressBar { background: $border; border: none; border-radius: 3px; min-height: 6px; max-height: 6px;
    text-align: center; }
QProgressBar::chunk { background: $accent; border-radius: 3px; }
QSplitter::handle { background: $border; }
QScrollBar:vertical { background: transparent; width: 12px; margin: 0; }
QScrollBar:horizontal { background: transparent; height: 12px; margin: 0; }
QScrollBar::handle { background: $border; border-radius: 4px; margin: 2px;
    min-height: 32px; min-width: 32px; }
QScrollBar::handle:hover { background: $faint; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QLabel[muted="true"] { color: $text_muted; }
QLabel[error="true"] { color: $error; }
#notice_bar { background: $surface_raised; border: 1px solid $border; border-radius: ${radius}px; }
#composer { background: $surface_raised; border: 1px solid $border; border-radius: 12px; }
#composer[focused="true"] { border-color: $accent; }
#composer QPlainTextEdit, #composer QPlainTextEdit:focus { background: transparent; border: none;
    padding: 0; }
"""
