"""The rules of appearance that a palette cannot say: radii, borders, focus, the named parts of the window."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import Template


def build(colors: Mapping[str, str], radius: int, *, is_dark: bool) -> str:
    """The style sheet of the application.

    Args:
        colors: `#rrggbb` by role of `theme.Colors`, and "faint" for what is disabled.
        radius: Of corners, in pixels.
        is_dark: Whether the colours are those of the dark palette.
    """
    tone = "dark" if is_dark else "light"
    icons = (Path(__file__).parent / "icons").as_posix()
    return Template(_SHEET).substitute(colors, radius=radius, small=radius - 2, icons=icons, tone=tone)


_SHEET = """

QToolTip { color: $text; background: $surface_raised; border: 1px solid $border; padding: 4px 6px; }
#sidebar, #sidebar QListView { background: $window; border: none; }
#page, #header, #welcome, #composer_area { background: $surface; }
QListView, QTreeView { background: $surface_raised; border: 1px solid $border; border-radius: ${radius}px;
    outline: none; }
QLineEdit, QPlainTextEdit, QTextEdit, QSpinBox, QDoubleSpinBox, QDateEdit, QComboBox {
    background: $surface_raised; color: $text; border: 1px solid $border; border-radius: ${small}px;
    padding: 5px 8px; selection-background-color: $accent; selection-color: $accent_text; }
QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus,
QDateEdit:focus, QComboBox:focus { border-color: $accent; }
QLineEdit:disabled, QSpinBox:disabled, QDoubleSpinBox:disabled, QComboBox:disabled { color: $faint; }
QSpinBox, QDoubleSpinBox { padding-right: 24px; }
QAbstractSpinBox QLineEdit, QAbstractSpinBox QLineEdit:focus { border: none; padding: 0 8px;
    background: transparent; }
QSpinBox::up-button, QDoubleSpinBox::up-button { subcontrol-position: top right; subcontrol-origin: border;
    width: 22px; border: none; background: transparent; margin: 2px 2px 0 0; }
QSpinBox::down-button, QDoubleSpinBox::down-button { subcontrol-position: bottom right;
    subcontrol-origin: border; width: 22px; border: none; background: transparent; margin: 0 2px 2px 0; }
QSpinBox::up-arrow, QDoubleSpinBox::up-arrow { image: url("$icons/arrow-up.svg"); width: 11px; height: 11px; }
QSpinBox::down-arrow, QDoubleSpinBox::down-arrow { image: url("$icons/arrow-down.svg");
    width: 11px; height: 11px; }
QComboBox, QDateEdit { padding-right: 28px; }
QDateEdit { padding-left: 6px; padding-right: 22px; }
QDateEdit QLineEdit, QDateEdit QLineEdit:focus { padding: 0; }
QComboBox::drop-down, QDateEdit::drop-down { border: none; width: 26px; background: transparent; }
QComboBox::down-arrow, QDateEdit::down-arrow { image: url("$icons/arrow-down.svg");
    width: 13px; height: 13px; }
QComboBox QAbstractItemView { background: $surface_raised; color: $text; border: 1px solid $border;
    selection-background-color: $selected; selection-color: $text; outline: none; padding: 4px; }
QCheckBox { spacing: 8px; }
QCheckBox::indicator { width: 15px; height: 15px; border: 1px solid $text_muted; border-radius: 4px;
    background: $surface_raised; }
QCheckBox::indicator:checked { background: $accent; border-color: $accent;
    image: url("$icons/tick-$tone.svg"); }
QCheckBox:focus { color: $accent; }
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
#tags_button { text-align: left; background: $surface_raised; border-color: $border;
    padding: 5px 28px 5px 8px; }
#tags_button:focus { border-color: $accent; }
#tags_button:disabled { color: $faint; }
#tags_button::menu-indicator { image: url("$icons/arrow-down.svg"); width: 13px; height: 13px;
    subcontrol-origin: padding; subcontrol-position: center right; right: 7px; }
QMenu { background: $surface_raised; color: $text; border: 1px solid $border; padding: 4px; }
QMenu::item { padding: 6px 22px 6px 12px; border-radius: ${small}px; }
QMenu::item:selected { background: $selected; color: $text; }
QMenu::item:disabled { color: $faint; }
QMenu::icon, QMenu::indicator { padding-left: 8px; }
QMenu::separator { height: 1px; background: $border; margin: 4px 8px; }
QProgressBar { background: $border; border: none; border-radius: 3px; min-height: 6px; max-height: 6px;
    text-align: center; }
QProgressBar::chunk { background: $accent; border-radius: 3px; }
QSplitter::handle { background: $border; }
QScrollBar:vertical { background: transparent; width: 11px; margin: 0; }
QScrollBar:horizontal { background: transparent; height: 12px; margin: 0; }
QScrollBar::handle { background: $border; border-radius: 4px; margin: 2px;
    min-height: 32px; min-width: 32px; }
QScrollBar::handle:hover { background: $faint; }
QScrollBar::handle:disabled { background: transparent; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QLabel[muted="true"] { color: $text_muted; }
QLabel[error="true"], QLabel[tone="error"] { color: $error; }
QLabel[tone="warning"] { color: $warning; }
QLabel[tone="success"] { color: $success; }
QLabel[heading="true"] { font-weight: 600; }
#dialog_rows::item { padding: 5px 8px; border-radius: ${small}px; }
#dialog_rows::item:selected { background: $selected; color: $text; }
#faces { background: transparent; border: none; }
#model_card { background: transparent; border: none; padding: 0; }
#notice_bar { background: $surface_raised; border: 1px solid $border; border-radius: ${radius}px; }
#send_button { background: $accent; border: 1px solid $accent; border-radius: ${radius}px; padding: 6px; }
#send_button:hover { background: $text; border-color: $text; }
#send_button:focus { border: 2px solid $text; padding: 5px; }
#send_button:disabled { background: $border; border-color: $border; }
#thinking_button, #collection_button { color: $text_muted; background: transparent; border: 1px solid $border;
    border-radius: 12px; padding: 2px 0 2px 6px; }
#thinking_button:hover, #collection_button:hover { background: $hover; color: $text; }
#thinking_button:focus, #collection_button:focus { border-color: $accent; }
#thinking_button::menu-indicator, #collection_button::menu-indicator { image: none; width: 0; }
#plain_list::item { padding: 5px 6px; border-radius: ${small}px; }
#plain_list::item:selected { background: $selected; color: $text; }
#row_button { text-align: left; padding: 7px 8px; }
#tab { padding: 5px 12px; color: $text_muted; }
#tab:checked { color: $text; background: $selected; }
#model_picker { border: 1px solid $border; background: $surface_raised; }
#model_picker:hover { background: $hover; }
#model_picker:focus { border-color: $accent; }
#example_card { text-align: left; border-radius: ${radius}px; padding: 0; }
#card { background: $surface_raised; border: 1px solid $border; border-radius: ${radius}px; }
#cards { background: transparent; }
QDialog { background: $window; }
#requests { background: $surface_raised; border: 1px solid $border; border-radius: ${radius}px; }
#requests::item { padding: 4px 8px; }
#requests QHeaderView { background: transparent; }
#requests QHeaderView::section { color: $text_muted; background: transparent; border: none;
    border-bottom: 1px solid $border; padding: 6px 11px; }
#entry_panel { background: $surface; border: none; border-left: 1px solid $border; }
QScrollArea { background: transparent; }
#badge { color: $text_muted; border: 1px solid $border; border-radius: ${radius}px; padding: 1px 8px; }
#popup { background: $surface_raised; border: 1px solid $border; }
#popup_list { border: none; background: $surface_raised; }
#title_editor { padding: 2px 6px; }
#composer { background: $surface_raised; border: 1px solid $border; border-radius: 12px; }
#composer[focused="true"] { border-color: $accent; }
#composer QPlainTextEdit, #composer QPlainTextEdit:focus { background: transparent; border: none;
    padding: 0; }
"""
