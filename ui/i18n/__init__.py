"""The words of the program: English in the source, Chinese in a catalogue beside this file.

The catalogue is parsed when a first string is asked for in Chinese, never for English.
"""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QLocale

LANGUAGES = ("system", "en", "zh_CN")

_FOLDER = Path(__file__).parent


class _Language:
    """The language in use, and its words once they were needed."""

    def __init__(self) -> None:
        self.code = "en"
        self._words: dict[str, str] | None = None

    def choose(self, code: str) -> None:
        if code != self.code:
            self.code = code
            self._words = None

    def word(self, text: str) -> str:
        if self.code == "en":
            return text
        if self._words is None:
            self._words = _read_catalogue(_FOLDER / f"{self.code}.po")
        return self._words.get(text) or text


_language = _Language()


def tr(text: str, /, **values: object) -> str:
    """The text in the language in use, with `values` put in by `str.format`.

    Args:
        text: English, as a literal: a test collects them and looks for each in the catalogue.
        values: For the placeholders of the text; without any, braces stand for themselves.
    """
    translated = _language.word(text)
    return translated.format(**values) if values else translated


def trn(one: str, many: str, n: int, /, *, n_text: str | None = None, **values: object) -> str:
    """Like `tr` for a counted thing: `one` when `n` is 1, else `many`.

    Args:
        one: English singular, a literal.
        many: English plural, a literal.
        n: How many; fills the placeholder `{n}`.
        n_text: Fills it instead, where the number is written in another way.
        values: For the other placeholders.
    """
    return tr(one if n == 1 else many, n=n if n_text is None else n_text, **values)


def marked(text: str) -> str:
    """Mark a literal that is declared here and shown through `tr` elsewhere; gives it back unchanged."""
    return text


def set_language(choice: str) -> None:
    """Choose "system", "en" or "zh_CN"; anything else is English.

    Windows that are already open follow when they receive `QEvent.LanguageChange`.
    """
    code = _system_language() if choice == "system" else choice
    _language.choose(code if code in LANGUAGES else "en")


def language() -> str:
    """The language in use: "en" or "zh_CN"."""
    return _language.code


def locale() -> QLocale:
    """How numbers and dates are written in the language in use."""
    return QLocale("zh_CN") if _language.code == "zh_CN" else QLocale("en_GB")


def _system_language() -> str:
    for name in QLocale.system().uiLanguages():
        head = name.replace("_", "-").split("-")[0].lower()
        if head == "zh":
            return "zh_CN"
        if head in ("en", "c"):
            return "en"
    return "en"


def _read_catalogue(path: Path) -> dict[str, str]:
    # Only Chinese needs it; a window in English starts without it.
    import polib  # type: ignore[import-untyped]  # polib ships no types

    return {entry.msgid: entry.msgstr for entry in polib.pofile(str(path)) if not entry.obsolete}
