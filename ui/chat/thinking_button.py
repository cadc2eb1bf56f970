"""Whether and how long the model of a conversation thinks before it answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu, QToolButton, QWidget

from ui import formats, icons
from ui.i18n import marked, tr

CHOICES = (
    ("auto", marked("Think as the model likes")),
    ("on", marked("Think first")),
    ("off", marked("Answer at once")),
)
EFFORTS = (
    (None, marked("As the model likes")),
    ("low", marked("Low")),
    ("medium", marked("Medium")),
    ("high", marked("High")),
)
"""For models whose template has words for it; others are kept where something else set them."""
BUDGETS = (None, 256, 1024, 4096, 16384)
"""Tokens of reasoning to choose from; None is no limit. Others are set in the conversation's settings."""


class ThinkingButton(QToolButton):
    """A button that says it, with a menu that changes it; hidden for a model that cannot think.

    Signals:
        changed: "thinking" ("auto", "on" or "off"), "think_budget_tokens" (int or None) and
            "reasoning_effort" (str or None), as a dict.
    """

    changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("thinking_button")
        self.setIconSize(QSize(16, 16))
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._thinking = "auto"
        self._budget_tokens: int | None = None
        self._effort: str | None = None
        self._takes_effort = False
        self._menu = QMenu(self)
        self._choices = QActionGroup(self)
        self._budgets = QActionGroup(self)
        self._efforts = QActionGroup(self)
        self.setMenu(self._menu)
        self._menu.aboutToShow.connect(self._fill)
        self._refresh()

    def set_values(self, sampling: Mapping[str, Any]) -> None:
        """Show what a conversation's settings say, or with an empty mapping the defaults."""
        self._thinking = str(sampling.get("thinking") or "auto")
        budget = sampling.get("think_budget_tokens")
        self._budget_tokens = budget if isinstance(budget, int) else None
        effort = sampling.get("reasoning_effort")
        self._effort = effort if isinstance(effort, str) and effort else None
        self._refresh()

    def set_takes_effort(self, takes_effort: bool) -> None:
        """Whether the model's template has words for how hard to think."""
        self._takes_effort = takes_effort
        self._refresh()

    def values(self) -> dict[str, Any]:
        """What `changed` tells."""
        return {
            "thinking": self._thinking,
            "think_budget_tokens": self._budget_tokens,
            "reasoning_effort": self._effort,
        }

    def _fill(self) -> None:
        """Made anew each time: a budget from the settings may be one that is not offered."""
        self._menu.clear()
        for value, label in CHOICES:
            action = self._add(self._choices, tr(label), value == self._thinking)
            action.triggered.connect(lambda _checked=False, value=value: self._choose(value))
        if self._takes_effort:
            self._menu.addSeparator()
            self._menu.addAction(tr("Effort")).setEnabled(False)
            for effort, label in _efforts(self._effort):
                action = self._add(self._efforts, tr(label), effort == self._effort)
                action.setEnabled(self._thinking != "off")
                action.triggered.connect(lambda _checked=False, effort=effort: self._set_effort(effort))
        self._menu.addSeparator()
        self._menu.addAction(tr("Thinking budget")).setEnabled(False)
        budgets = sorted({*BUDGETS, self._budget_tokens}, key=lambda tokens: (tokens is None, tokens))
        for tokens in budgets:
            action = self._add(self._budgets, _budget_text(tokens), tokens == self._budget_tokens)
            action.setEnabled(self._thinking != "off")
            action.triggered.connect(lambda _checked=False, tokens=tokens: self._set_budget(tokens))

    def _add(self, group: QActionGroup, text: str, is_checked: bool) -> QAction:
        action = self._menu.addAction(text)
        action.setCheckable(True)
        action.setActionGroup(group)
        action.setChecked(is_checked)
        return action

    def _choose(self, thinking: str) -> None:
        self._thinking = thinking
        self._tell()

    def _set_effort(self, effort: str | None) -> None:
        self._effort = effort
        self._tell()

    def _set_budget(self, tokens: int | None) -> None:
        self._budget_tokens = tokens
        self._tell()

    def _tell(self) -> None:
        self._refresh()
        self.changed.emit(self.values())

    def _refresh(self) -> None:
        text = tr(dict(CHOICES).get(self._thinking, CHOICES[0][1]))
        if self._takes_effort and self._effort is not None and self._thinking != "off":
            text += f" · {tr(dict(EFFORTS).get(self._effort, self._effort))}"
        if self._budget_tokens is not None and self._thinking != "off":
            text += f" · {formats.number(self._budget_tokens)}"
        self.setText(text)
        self.setIcon(icons.icon("think", "text_muted" if self._thinking == "off" else "accent"))
        self.setAccessibleName(tr("Thinking: {choice}", choice=text))
        self.setToolTip(tr("Whether the model thinks first, and after how many tokens it has to answer"))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.LanguageChange, QEvent.Type.PaletteChange):
            self._refresh()


def _efforts(own: str | None) -> tuple[tuple[str | None, str], ...]:
    """What is offered, with a word that something else has set."""
    return EFFORTS if own in dict(EFFORTS) or own is None else (*EFFORTS, (own, own))


def _budget_text(tokens: int | None) -> str:
    return tr("No limit") if tokens is None else tr("{n} tokens", n=formats.number(tokens))
