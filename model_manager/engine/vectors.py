"""What goes to an engine's `/v1/embeddings`, and how its answer is read."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from model_manager.errors import AnswerUnreadable, PromptTooLong

if TYPE_CHECKING:  # which imports this module
    from model_manager.engine.client import Cancel


Vectors = NDArray[np.float32]
"""Of a text one row, or of one text."""

_SHORTEST_CHARACTERS: Final = 32


class _Embeds(Protocol):
    def embed(self, texts: Sequence[str], cancel: Cancel) -> Vectors: ...


def embedded(client: _Embeds, texts: Sequence[str], cancel: Cancel) -> Vectors:
    """A vector of each text; of one that is too long for the model, of as much of its beginning as is not.

    Raises:
        PromptTooLong: Even a few words are.
        EngineError: As `EngineClient.embed`.
    """
    try:
        return client.embed(texts, cancel)
    except PromptTooLong:
        if len(texts) > 1:
            return np.concatenate([embedded(client, [text], cancel) for text in texts])
        if len(texts[0]) <= _SHORTEST_CHARACTERS:
            raise
        return embedded(client, [texts[0][: len(texts[0]) // 2]], cancel)


def embeddings_body(texts: Sequence[str], model: str, *, is_ours: bool) -> dict[str, Any]:
    """The request; only of our own workers it is known that they can pack numbers."""
    return {"input": list(texts), "model": model, "encoding_format": "base64" if is_ours else "float"}


def vectors_from(fields: object, n_texts: int) -> Vectors:
    """One row a text, in their order.

    Raises:
        RequestRefused: The answer has not that, or a vector without a direction.
    """
    try:
        entries = sorted(fields["data"], key=lambda entry: int(entry["index"]))  # type: ignore[index]  # checked by trying
        rows = [_numbers(entry["embedding"]) for entry in entries]
        vectors = np.stack(rows).astype(np.float32)
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise AnswerUnreadable(f"no vectors: {type(error).__name__}") from error
    lengths = np.linalg.norm(vectors, axis=1) if vectors.ndim == 2 else np.zeros(0)
    if len(lengths) != n_texts or not (np.isfinite(lengths) & (lengths > 0)).all():
        raise AnswerUnreadable("not a vector for each text")
    return vectors


def _numbers(embedding: Any) -> NDArray[np.float32]:
    if isinstance(embedding, str):
        return np.frombuffer(base64.b64decode(embedding, validate=True), "<f4")
    return np.asarray(embedding, np.float32)
