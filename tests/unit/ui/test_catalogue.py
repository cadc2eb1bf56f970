"""Every sentence of the program has its Chinese, with the same placeholders, and none is left over."""

from __future__ import annotations

import ast
import string
from pathlib import Path

import polib
import pytest

from ui import i18n
from ui.i18n import tr, trn

ROOT = Path(__file__).parents[3]
PO = ROOT / "ui" / "i18n" / "zh_CN.po"
# Callee -> how many of its first arguments are texts.
CALLEES = {"tr": 1, "marked": 1, "trn": 2}


def texts_of(path: Path) -> dict[str, str]:
    """Text -> where it stands, of all calls with a literal in one module."""
    found: dict[str, str] = {}
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        for argument in node.args[: CALLEES.get(name, 0)]:
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                found[argument.value] = f"{path.relative_to(ROOT)}:{argument.lineno}"
            else:
                assert name == "tr" or path.parent.name == "i18n", f"{path}:{node.lineno}: not a literal"
    return found


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    folders = (ROOT / "ui", ROOT / "app")
    return {
        text: place
        for folder in folders
        for path in folder.rglob("*.py")
        for text, place in texts_of(path).items()
    }


@pytest.fixture(scope="module")
def chinese() -> dict[str, str]:
    return {entry.msgid: entry.msgstr for entry in polib.pofile(str(PO)) if not entry.obsolete}


def fields(text: str) -> list[str]:
    return sorted({name for _, name, _, _ in string.Formatter().parse(text) if name is not None})


def test_every_text_is_translated(texts: dict[str, str], chinese: dict[str, str]) -> None:
    missing = {text: place for text, place in texts.items() if not chinese.get(text)}
    assert not missing, "\n".join(f'{place}: "{text}"' for text, place in missing.items())


def test_placeholders_agree(chinese: dict[str, str]) -> None:
    wrong = [text for text, translated in chinese.items() if fields(text) != fields(translated)]
    assert not wrong


def test_no_dead_entries(texts: dict[str, str], chinese: dict[str, str]) -> None:
    dead = sorted(set(chinese) - set(texts))
    assert not dead, "\n".join(dead)


def test_chinese_is_chinese(chinese: dict[str, str]) -> None:
    """A copied English text is an oversight, unless it is a name."""
    names = {"Coterie", "English", "Top-p", "Top-k", "Min-p", "简体中文"}
    same = [text for text, translated in chinese.items() if text == translated and text not in names]
    assert not same


def test_tr_speaks_the_chosen_language() -> None:
    assert tr("Send") == "Send"
    i18n.set_language("zh_CN")
    assert tr("Send") == "发送"
    assert tr("a text that nobody translated") == "a text that nobody translated"
    i18n.set_language("xx")
    assert i18n.language() == "en"


def test_system_means_the_first_language_that_we_speak(monkeypatch: pytest.MonkeyPatch) -> None:
    class System:
        @staticmethod
        def system() -> System:
            return System()

        @staticmethod
        def uiLanguages() -> list[str]:  # noqa: N802  # Qt's name
            return ["fr-FR", "zh-Hans-CN", "en-GB"]

    monkeypatch.setattr(i18n, "QLocale", System)
    i18n.set_language("system")
    assert i18n.language() == "zh_CN"


def test_english_needs_no_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(i18n, "_read_catalogue", lambda _path: pytest.fail("parsed for English"))
    i18n.set_language("en")
    assert tr("{n} s", n=3) == "3 s"


def test_trn_counts() -> None:
    assert trn("{n} model, {size}", "{n} models, {size}", 1, size="1 B") == "1 model, 1 B"
    assert trn("{n} model, {size}", "{n} models, {size}", 0, size="1 B") == "0 models, 1 B"


def test_braces_without_values_stand_for_themselves() -> None:
    assert tr("a {brace}") == "a {brace}"
