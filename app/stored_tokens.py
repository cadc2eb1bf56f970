"""The tokens of a stored answer, and the model that they belong to."""

from __future__ import annotations

from dataclasses import dataclass

from app.errors import ModelChanged, NotAnAnswer, TokensNotKept
from model_manager.library import Library
from model_manager.types import ModelEntry, TokenIds
from storage.records import Generation, Message
from storage.store import Store


@dataclass(frozen=True, slots=True)
class StoredTokens:
    """What is stored of an answer."""

    message: Message
    generation: Generation
    tokens: TokenIds


def stored_tokens(store: Store, message_id: int) -> StoredTokens:
    """Read them; runs on the storage thread.

    Raises:
        NoSuchMessage, NotAnAnswer, TokensNotKept: There are none.
    """
    message = store.conversations.message(message_id)
    generation = message.generation
    if generation is None or message.role != "assistant":
        raise NotAnAnswer(message_id)
    prompt = store.traces.get(message_id, "prompt_tokens")
    answer = store.traces.get(message_id, "answer_tokens")
    if prompt is None or answer is None or not len(answer):
        raise TokensNotKept(message_id)
    return StoredTokens(message, generation, TokenIds(tuple(prompt.tolist()), tuple(answer.tolist())))


def entry_of(library: Library, stored: StoredTokens, model: str | None) -> ModelEntry:
    """The model that made an answer.

    Args:
        library: Where it is.
        stored: The answer.
        model: Name or path, where the library no longer has it under the name of then.

    Raises:
        ModelChanged: The one of this name has another file now.
        ModelManagerError: There is none.
    """
    entry = library.get(model or stored.generation.model_name)
    found, then = entry.sha256[0] if entry.sha256 else None, stored.generation.model_sha256
    if None not in (found, then) and found != then:
        raise ModelChanged(stored.message.id, entry.name)
    return entry
