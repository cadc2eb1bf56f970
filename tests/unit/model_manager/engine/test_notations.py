"""Answers in every notation that llama.cpp knows are read as llama.cpp reads them.

The cases are those of its own tests (tests/data/templates/README.md); line numbers are those of its
tests/test-chat.cpp.
"""

from __future__ import annotations

import functools
import json
import random
import re
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from model_manager.engine.answer_parser import AnswerParser
from model_manager.engine.blocks import Start
from model_manager.engine.cursor import MarkerTokens
from model_manager.engine.dialects import Dialect, find_dialect
from model_manager.engine.families import Family, family_of
from model_manager.engine.templates import ChatTemplate
from model_manager.types import ChatMessage, Tool

DATA: Final = Path(__file__).parents[3] / "data" / "templates"
ORACLE: Final[dict[str, Any]] = json.loads((DATA / "parsing.json").read_text())
TEXT_ID: Final = 1 << 20

DIFFERENT: Final = {
    **dict.fromkeys((2648, 6302), "a fence around constrained output is no business of the parser"),
    **dict.fromkeys((2847, 2962), "a call is announced when its arguments begin, not before"),
    **dict.fromkeys((5206, 5216), "this template knows of no reasoning"),
    **dict.fromkeys((5917,), "an id behind the arguments comes too late for a stream"),
    **dict.fromkeys((6211, 6219, 6229, 6239), "the prompt's own headline is not the model's reasoning"),
    **dict.fromkeys((6547, 6556), "what is meant for no tool of ours is shown with the reasoning, not lost"),
}
"""Where we differ on purpose."""
NEED_TOKENS: Final = {
    **dict.fromkeys((3161, 3167, 3173), "a spelled-out marker behind the beginning is text"),
    **dict.fromkeys((5495, 5526), "a spelled-out end of a block that nobody opened is text"),
}
NEED_TEXT: Final = {
    **dict.fromkeys((2377,), "a second opening token changes nothing"),
}


class Words:
    """A vocabulary in which every marker that could be a control token is one."""

    _ATOM: Final = re.compile(
        r"<\|\"\|>|<\|[^|<>]*\|>|<｜[^｜<>]*｜>|｜DSML｜|<\|\w+>|<\w+\|>|</?[^<>\s=]+>|\[[A-Z_/]+\]"
        r"|\]<\]minimax\[>\["
    )

    def __init__(self, markers: tuple[str, ...]) -> None:
        atoms = sorted({atom for marker in markers for atom in self._ATOM.findall(marker)}, key=len)
        self._atoms = atoms[::-1]
        self._ids = {atom: number for number, atom in enumerate(self._atoms)}
        self._pattern = re.compile("|".join(map(re.escape, self._atoms)) or "(?!)")

    def cut(self, text: str) -> list[tuple[int, str]]:
        found: list[tuple[int, str]] = []
        position = 0
        for match in self._pattern.finditer(text):
            found += [(TEXT_ID + ord(char), char) for char in text[position : match.start()]]
            found.append((self._ids[match[0]], ""))
            position = match.end()
        return found + [(TEXT_ID + ord(char), char) for char in text[position:]]

    def tokenize(self, text: str, *, special: bool, add_bos: bool = False) -> list[int]:
        assert special
        return [token_id for token_id, _ in self.cut(text)]

    def piece(self, token_id: int, *, special: bool = False) -> bytes:
        if token_id >= TEXT_ID:
            return chr(token_id - TEXT_ID).encode()
        return self._atoms[token_id].encode() if special else b""

    def token_id(self, text: str) -> int | None:
        return self._ids.get(text)


@dataclass
class Read:
    reasoning: str = ""
    content: str = ""
    calls: list[dict[str, str]] = field(default_factory=list)


def read(parser: AnswerParser, tokens: list[tuple[int, str]], *, is_partial: bool = False) -> Read:
    found = Read()
    steps = [parser.feed(token_id, text) for token_id, text in tokens]
    for parts in steps if is_partial else [*steps, parser.finish()]:
        found.reasoning += parts.reasoning
        found.content += parts.answer
        for delta in parts.calls:
            if delta.name:
                assert delta.index == len(found.calls)
                found.calls.append({"id": delta.id, "name": delta.name, "arguments": ""})
            found.calls[delta.index]["arguments"] += delta.arguments
    return found


def family_of_case(case: dict[str, Any]) -> Family:
    return _family(case["template"])


@functools.cache
def _family(template: str) -> Family:
    return family_of((DATA / f"{template}.jinja").read_text())


def start_of(case: dict[str, Any], family: Family) -> Start:
    if "continues" in case:
        continues: Start = case["continues"]
        return continues
    pair, prompt = family.reasoning, case["generation_prompt"]
    is_open = (
        pair is not None
        and family.style == "blocks"
        and prompt.rfind(pair.opening) > prompt.rfind(pair.closing)
    )
    return "reasoning" if is_open else "turn"


def shows_markers(case: dict[str, Any], family: Family) -> bool:
    """Whether the case wants the reasoning left in the text, which we never do."""
    if case.get("splits_reasoning", True) or family.reasoning is None:
        return False
    opening = "<|channel|>analysis" if family.style == "harmony" else family.reasoning.opening
    is_inside = start_of(case, family) == "reasoning" and family.envelope is None
    return is_inside or opening in case["input"] or opening in case["expect"].get("content", "")


def renormalized(arguments: str) -> Any:
    try:
        return json.loads(arguments)
    except ValueError:
        return None  # of an answer that is cut off


def check(case: dict[str, Any], found: Read) -> None:
    """As `assert_msg_equals` of test-chat.cpp does: whitespace at both ends is nobody's concern."""
    expected, prefix = case["expect"], case.get("prefix", {})
    reasoning = prefix.get("reasoning", "") if case.get("splits_reasoning", True) else ""
    content = prefix.get("content", "") if case.get("continues") == "answer" else ""
    where = f"test-chat.cpp:{case['line']}"
    assert (reasoning + found.reasoning).strip() == expected.get("reasoning", "").strip(), where
    assert (content + found.content).strip() == expected.get("content", "").strip(), where
    calls = expected.get("tool_calls", [])
    assert [call["name"] for call in found.calls] == [call["name"] for call in calls], where
    for ours, theirs in zip(found.calls, calls, strict=True):
        assert renormalized(ours["arguments"]) == renormalized(theirs["arguments"]), where
        assert ours["id"] == theirs.get("id", ours["id"])
        assert ours["id"]


def tools_of(case: dict[str, Any]) -> list[Tool]:
    functions = [ORACLE["tools"][number] for number in case.get("tools", ())]
    return [Tool(f["name"], f.get("description", ""), f.get("parameters") or {}) for f in functions]


CASES: Final = [
    case
    for case in ORACLE["cases"]
    if case["line"] not in DIFFERENT and not shows_markers(case, family_of_case(case))
]
TEMPLATES: Final = sorted({case["template"] for case in CASES})


def cases_of(template: str, except_for: Container[int] = ()) -> Iterator[dict[str, Any]]:
    for case in CASES:
        if case["template"] == template and case["line"] not in except_for:
            yield case


def spelled_out(case: dict[str, Any]) -> AnswerParser:
    family = family_of_case(case)
    dialect = Dialect(family, MarkerTokens(family.markers))
    return AnswerParser(dialect, start=start_of(case, family), tools=tools_of(case))


@pytest.mark.parametrize("template", TEMPLATES)
def test_markers_that_are_tokens(template: str) -> None:
    for case in cases_of(template, NEED_TEXT):
        family = family_of_case(case)
        words = Words(family.markers)
        parser = AnswerParser(find_dialect(family, words), start=start_of(case, family), tools=tools_of(case))
        check(case, read(parser, words.cut(case["input"]), is_partial=case.get("is_partial", False)))


@pytest.mark.parametrize("template", TEMPLATES)
def test_markers_that_are_spelled_out(template: str) -> None:
    """However the text is cut into tokens."""
    for case in cases_of(template, NEED_TOKENS):
        text = case["input"]
        chance = random.Random(case["line"])
        for longest in (1, 3, 11, len(text)):
            tokens, position = [], 0
            while position < len(text):
                length = chance.randint(1, longest)
                tokens.append((TEXT_ID, text[position : position + length]))
                position += length
            check(case, read(spelled_out(case), tokens, is_partial=case.get("is_partial", False)))


@pytest.mark.parametrize("template", TEMPLATES)
def test_any_broken_call_is_read(template: str) -> None:
    for case in cases_of(template):
        for end in range(0, len(case["input"]), 29):
            read(spelled_out(case), [(TEXT_ID, case["input"][:end]), (TEXT_ID, "\x00}}]]>>")])


def test_nearly_all_cases_are_tested() -> None:
    assert len(CASES) > 0.95 * len(ORACLE["cases"])


CALL = '<tool_call>\n{"name": "special_function", "arguments": {"arg1": 1}}\n</tool_call>'


@pytest.mark.parametrize(
    "text",
    [
        '<tool_call>\n{"name": "other", "arguments": {}}\n</tool_call>',
        '<tool_call>{"name": 3}</tool_call>',
        "<tool_call>special_function(1)</tool_call>",
        '<tool_call>{"name": "special_function", "arguments": [1]}</tool_call>',
        '<tool_call>{"name": "special_function", "argu',
        "<tool_call>",
        "Write <tool_call> and then JSON.",
        f"<tool_call>{'x' * 5000}",
    ],
)
def test_what_is_no_call_is_text(text: str) -> None:
    family = _family("Qwen-Qwen2.5-7B-Instruct")
    tools = [Tool("special_function")]
    words = Words(family.markers)
    by_id = read(AnswerParser(find_dialect(family, words), tools=tools), words.cut(text))
    spelled = read(
        AnswerParser(Dialect(family, MarkerTokens(family.markers)), tools=tools),
        [(TEXT_ID, char) for char in text],
    )
    assert by_id == spelled == Read(content=text)


def test_calls_are_text_where_there_is_nothing_to_call() -> None:
    family = _family("Qwen-Qwen2.5-7B-Instruct")
    words = Words(family.markers)
    assert read(AnswerParser(find_dialect(family, words)), words.cut(CALL)) == Read(content=CALL)


def test_arguments_stream() -> None:
    family = _family("Qwen-Qwen2.5-7B-Instruct")
    parser = AnswerParser(Dialect(family, MarkerTokens(family.markers)), tools=[Tool("special_function")])
    arrived = [(char, parser.feed(TEXT_ID, char).calls) for char in CALL]
    pieces = [delta.arguments for _, deltas in arrived for delta in deltas if delta.arguments]
    assert len(pieces) > 5
    assert "".join(pieces) == '{"arg1": 1}'
    assert (parser.n_calls, parser.n_complete_calls) == (1, 1)


def test_continued_prompts_are_llama_cpps() -> None:
    """What stands between the question and the next word, but for whitespace beside the markers."""
    question = ChatMessage("user", "Hey there!")
    for case in ORACLE["cases"]:
        if "continues" not in case or case["line"] in DIFFERENT:
            continue
        if case["continues"] == "answer" and not case["prefix"]["content"]:
            continue  # where nothing was answered yet, we go on with the reasoning
        template = ChatTemplate((DATA / f"{case['template']}.jinja").read_text())
        reasoning = case["prefix"]["reasoning"] if case.get("splits_reasoning", True) else ""
        begun = ChatMessage("assistant", case["prefix"]["content"], reasoning)
        prompt = template.render([question, begun], "on", continues=True)
        assert prompt.start == case["continues"]
        where = f"test-chat.cpp:{case['line']}"
        ours, theirs = (re.sub(r"\s+", "", text) for text in (prompt.text, case["generation_prompt"]))
        assert ours.endswith(theirs), where
