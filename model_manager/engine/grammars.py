"""The grammars of a loaded model: made of what requests ask for, the last ones kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

from model_manager.engine import gbnf
from model_manager.engine.llama.grammar import Grammar
from model_manager.engine.llama.vocabulary import Vocabulary
from model_manager.engine.schema import schema_grammar
from model_manager.errors import GrammarRefused, SchemaUnsupported
from model_manager.types import OutputFormat

MAX_KEPT: Final = 16


class Grammars:
    """Makes grammars for one vocabulary; thread-safe."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, bool], Grammar] = OrderedDict()

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
