"""The grammars of a loaded model: made of what requests ask for, the last ones kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

from model_manager.engine import gbnf
from model_manager.engine.blocks import Start
from model_manager.engine.constraint import ConstraintPlan
from model_manager.engine.dialects import Dialect
from model_manager.engine.llama.grammar import Grammar
from model_manager.engine.llama.vocabulary import Vocabulary
from model_manager.engine.schema import schema_grammar
from model_manager.errors import GrammarRefused, SchemaUnsupported
from model_manager.types import ChatRequest, OutputFormat

MAX_KEPT: Final = 16


class Grammars:
    """Makes grammars for one vocabulary; thread-safe."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, bool], Grammar] = OrderedDict()

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
        if chat.output is None:
            return None
        tokenize = self._vocabulary.tokenize
        reasoning = dialect.family.reasoning if start == "turn" and chat.thinking != "off" else None
        opening = self._vocabulary.token_id(reasoning.opening) if reasoning and reasoning.opening else None
        breaks = [tokenize(text, special=False) for text in ("\n", "\n\n")]
        begun = tokenize(chat.messages[-1].content, special=False) if chat.continues else []
        plan = ConstraintPlan(
            grammar=self.of(chat.output),
            begun=tuple(begun),
            openings=frozenset(() if opening is None else (opening,)),
            breaks=frozenset(tokens[0] for tokens in breaks if len(tokens) == 1),
        )
        plan.begin(is_free=False)  # what was begun is refused here, before anything is computed
        return plan

    def of(self, output: OutputFormat) -> Grammar:
        """What an answer must obey.

        Raises:
            GrammarRefused: The grammar is wrong or too large.
            SchemaUnsupported: The schema cannot be met, or not be enforced.
        """
        if output.grammar is not None:
            gbnf.check(output.grammar)
            return self._read(output.grammar, has_markers=False)
        try:
            return self._read(schema_grammar(output.schema), has_markers=False)
        except GrammarRefused as error:
            raise SchemaUnsupported("", error.reason) from error

    def _read(self, text: str, *, has_markers: bool) -> Grammar:
        key = text, has_markers
        with self._lock:
            kept = self._kept.get(key)
        grammar = kept or Grammar(self._vocabulary, text, has_markers=has_markers)
        with self._lock:
            self._kept[key] = grammar
            self._kept.move_to_end(key)
            while len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        return grammar
