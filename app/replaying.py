"""Makes a stored answer again, from its seed and parameters, to see whether the same comes out."""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.engines import Engines, LoadCancelled
from app.errors import NotAnAnswer, TokensNotKept
from app.orders import request_for
from app.sampling import merge
from app.stored_tokens import StoredTokens, entry_of, stored_tokens
from model_manager.engine.client import Cancel
from model_manager.library import Library
from model_manager.types import ChatFinished, ChatRequest, ModelEntry
from storage.store import Store
from storage.thread import StorageThread


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two answers part.

    Attributes:
        index: Of the first token that is another.
        stored: Its text then; empty where the stored answer had ended.
        replayed: Its text now; empty where the answer ended now.
    """

    index: int
    stored: str
    replayed: str


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came out.

    Attributes:
        n_tokens: Of the stored answer.
        is_prompt_same: Whether the prompt has the same tokens as then. An instruction or a template that was
            changed since makes another one, and so does an answer that was continued.
        engine_then: Program and version that made the stored answer.
        engine_now: That of now.
        difference: None where all tokens are the same.
    """

    message_id: int
    n_tokens: int
    is_prompt_same: bool
    engine_then: str
    engine_now: str
    difference: Difference | None


class Replaying:
    """May be used from any thread; a replay takes as long as the answer took."""

    def __init__(self, storage: StorageThread, library: Library, engines: Engines) -> None:
        self._storage = storage
        self._library = library
        self._engines = engines

    def replay(self, message_id: int, cancel: Cancel, model: str | None = None) -> Replayed:
        """Make an answer again; nothing is stored.

        Args:
            message_id: An answer.
            cancel: Ends it.
            model: Name or path, where the library no longer has the model under the name of then.

        Raises:
            NoSuchMessage, NotAnAnswer, TokensNotKept, ModelChanged: There is nothing to compare with.
            LoadCancelled: `cancel` was set.
            ModelManagerError: The model cannot be loaded, or fails.
        """
        kept = self._storage.call(lambda store: stored_tokens(store, message_id))
        if kept.message.parent_id is None:
            raise NotAnAnswer(message_id)
        entry = entry_of(self._library, kept, model)
        request = self._storage.call(lambda store: _request(store, kept, entry))
        answer = kept.tokens.answer
        finished: ChatFinished | None = None
        with self._engines.use(entry, cancel) as engine:
            for event in engine.client.chat(request, cancel):
                if isinstance(event, ChatFinished):
                    finished = event
            if cancel.is_set:
                raise LoadCancelled
            if finished is None or finished.tokens is None:
                raise TokensNotKept(message_id)
            again = finished.tokens
            index = _first_difference(answer, again.answer)
            difference = None
            if index is not None:
                ids = [*answer[index : index + 1], *again.answer[index : index + 1]]
                texts = engine.client.pieces(ids)
                stored = texts[0] if index < len(answer) else ""
                difference = Difference(index, stored, texts[-1] if index < len(again.answer) else "")
            return Replayed(
                message_id,
                len(answer),
                again.prompt == kept.tokens.prompt,
                kept.generation.engine,
                engine.info.engine,
                difference,
            )


def _request(store: Store, kept: StoredTokens, entry: ModelEntry) -> ChatRequest:
    question_id = kept.message.parent_id
    assert question_id is not None
    conversation = store.conversations.get(kept.message.conversation_id)
    parameters = dict(kept.generation.parameters)
    if kept.generation.stop_reason not in ("stop", "length"):  # it was cut off, so this one is, too
        parameters["max_tokens"] = len(kept.tokens.answer)
    options = merge(parameters)
    request = request_for(store, conversation.system_prompt, question_id, None, options, entry)
    return replace(request, return_routing=False)


def _first_difference(first: tuple[int, ...], second: tuple[int, ...]) -> int | None:
    for i, (a, b) in enumerate(zip(first, second, strict=False)):
        if a != b:
            return i
    return None if len(first) == len(second) else min(len(first), len(second))
