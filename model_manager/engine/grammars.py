"""The grammars of a loaded model: made of what requests ask for, the last ones kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from model_manager.engine import gbnf
from model_manager.engine.blocks import Start
from model_manager.engine.constraint import ConstraintPlan
from model_manager.engine.deadline import run_limited
from model_manager.engine.dialects import Dialect
from model_manager.engine.llama.grammar import Grammar
from model_manager.engine.llama.vocabulary import Vocabulary
from model_manager.engine.schema import schema_grammar
from model_manager.engine.tool_grammars import arguments_grammar, call_grammar
from model_manager.errors import GrammarRefused, SchemaUnsupported, TemplateFailed
from model_manager.types import ChatRequest, OutputFormat

MAX_KEPT: Final = 64
TIMEOUT_S: Final = 10.0
"""For one grammar. The largest that are taken need about a second."""

T = TypeVar("T")


class Grammars:
    """Makes grammars for one vocabulary; thread-safe."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, tuple[str, ...]], Grammar] = OrderedDict()

    def plan(self, chat: ChatRequest, dialect: Dialect, start: Start) -> ConstraintPlan | None:
        """What an answer must obey, from where its reasoning ends on; None where that is nothing.

        Args:
            chat: The request.
            dialect: How the model writes.
            start: Where the prompt leaves off.

        Raises:
            GrammarRefused: The grammar is wrong or too large, or what was begun of the answer does not obey.
            SchemaUnsupported: The schema cannot be met, or not be enforced.
        """
        calls = self._calls(chat, dialect)
        if chat.output is not None:
            return self._answer(chat, chat.output, dialect, start, calls)
        if chat.tools and chat.tool_choice.mode == "required":
            text = _limited(lambda: call_grammar(dialect.family, chat.tools, chat.tool_choice))
            if text is not None:
                return ConstraintPlan(
                    self._read_schema(text, dialect.family.markers), is_call=True, calls=calls
                )
        return ConstraintPlan(calls=calls) if calls else None

    def _answer(
        self,
        chat: ChatRequest,
        output: OutputFormat,
        dialect: Dialect,
        start: Start,
        calls: Mapping[str, Grammar],
    ) -> ConstraintPlan:
        vocabulary, family = self._vocabulary, dialect.family
        reasoning = family.reasoning if start == "turn" and chat.thinking != "off" else None
        opening = vocabulary.token_id(reasoning.opening) if reasoning and reasoning.opening else None
        breaks = [vocabulary.tokenize(text, special=False) for text in ("\n", "\n\n")]
        has_tools = bool(chat.tools) and family.tools is not None
        leaving = map(vocabulary.token_id, family.tools.opens if has_tools and family.tools else ())
        plan = ConstraintPlan(
            grammar=self.of(output),
            begun=chat.messages[-1].content if chat.continues else "",
            openings=frozenset(() if opening is None else (opening,)),
            breaks=frozenset(tokens[0] for tokens in breaks if len(tokens) == 1),
            exits=frozenset(token for token in leaving if token is not None),
            calls=calls,
        )
        plan.begin(is_free=False)  # what was begun is refused here, before anything is computed
        return plan

    def _calls(self, chat: ChatRequest, dialect: Dialect) -> dict[str, Grammar]:
        """What binds the arguments of strict tools."""
        family = dialect.family
        strict = [tool for tool in chat.tools if tool.strict]
        if not strict:
            return {}
        texts = _limited(lambda: [arguments_grammar(family, tool) for tool in strict])
        return {
            tool.name: self._read_schema(text, family.markers)
            for tool, text in zip(strict, texts, strict=True)
        }

    def of(self, output: OutputFormat) -> Grammar:
        """What an answer must obey.

        Raises:
            GrammarRefused: The grammar is wrong or too large.
            SchemaUnsupported: The schema cannot be met, or not be enforced.
        """
        if output.grammar is not None:
            gbnf.check(output.grammar)
            return self._read(output.grammar)
        return self._read_schema(_limited(lambda: schema_grammar(output.schema)))

    def _read_schema(self, text: str, markers: tuple[str, ...] = ()) -> Grammar:
        try:
            return self._read(text, markers)
        except GrammarRefused as error:
            raise SchemaUnsupported("", error.reason) from error

    def _read(self, text: str, markers: tuple[str, ...] = ()) -> Grammar:
        key = text, markers
        with self._lock:
            kept = self._kept.get(key)
        grammar = kept or Grammar(self._vocabulary, text, markers)
        with self._lock:
            self._kept[key] = grammar
            self._kept.move_to_end(key)
            while len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        return grammar


def _limited(work: Callable[[], T]) -> T:
    """Make a grammar's text under a deadline: no schema may keep a processor for long.

    Raises:
        SchemaUnsupported: Why it could not be made, or that it took too long.
    """

    def attempt() -> tuple[T | None, SchemaUnsupported | None]:
        try:
            return work(), None
        except SchemaUnsupported as error:
            return None, error

    try:
        made, refused = run_limited(attempt, TIMEOUT_S)
    except TemplateFailed as error:
        raise SchemaUnsupported("", error.reason) from error
    if refused is not None:
        raise refused
    return made  # type: ignore[return-value]  # what `work` gave
