"""Looks into a stored answer: its tokens, and the experts they went to.

The tokens are kept beside the answer; where they went is computed again by the model that made it, or read
where it was noted while the answer was made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.engines import Engines
from app.errors import RoutingNotKept
from app.stored_tokens import entry_of, stored_tokens
from model_manager.engine.client import Cancel
from model_manager.engine.inspector import replay_routing
from model_manager.engine.routing import Routing
from model_manager.library import Library
from storage.thread import StorageThread


@dataclass(frozen=True, slots=True)
class ReadToken:
    """One token of an answer or its prompt."""

    id: int
    text: str


class Inspecting:
    """All methods may be called from any thread; they take as long as the model needs."""

    def __init__(self, storage: StorageThread, library: Library, engines: Engines) -> None:
        self._storage = storage
        self._library = library
        self._engines = engines

    def tokens(
        self, message_id: int, cancel: Cancel, model: str | None = None
    ) -> tuple[list[ReadToken], list[ReadToken]]:
        """The tokens of the prompt and of the answer.

        Args:
            message_id: An answer.
            cancel: Ends the waiting for the model.
            model: Name or path, where the library no longer has the model under the name of then.

        Raises:
            NoSuchMessage, NotAnAnswer, TokensNotKept, ModelChanged: There is nothing to be told.
            ModelManagerError: The model cannot be loaded.
        """
        kept = self._storage.call(lambda store: stored_tokens(store, message_id))
        with self._engines.use(entry_of(self._library, kept, model), cancel) as engine:
            texts = engine.client.pieces([*kept.tokens.prompt, *kept.tokens.answer])
        ids = (*kept.tokens.prompt, *kept.tokens.answer)
        read = [ReadToken(id_, text) for id_, text in zip(ids, texts, strict=True)]
        return read[: len(kept.tokens.prompt)], read[len(kept.tokens.prompt) :]

    def routing(
        self,
        message_id: int,
        cancel: Cancel,
        model: str | None = None,
        *,
        with_prompt: bool = False,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Routing:
        """Compute the tokens of an answer once more, and see which experts they go to.

        Args:
            message_id: An answer.
            cancel: Ends it.
            model: See `tokens`.
            with_prompt: Show the prompt's tokens as well, before those of the answer.
            on_progress: Told how many tokens of how many are computed.

        Raises:
            NoSuchMessage, NotAnAnswer, TokensNotKept, ModelChanged: There is nothing to compute.
            ModelManagerError: The model cannot be loaded, or does not show it.
        """
        kept = self._storage.call(lambda store: stored_tokens(store, message_id))
        first = 0 if with_prompt else len(kept.tokens.prompt)
        with self._engines.use(entry_of(self._library, kept, model), cancel) as engine:
            tokens = [*kept.tokens.prompt, *kept.tokens.answer]
            return replay_routing(engine.client, tokens, first, cancel, on_progress)

    def recorded(self, message_id: int, cancel: Cancel, model: str | None = None) -> Routing:
        """Where the tokens of an answer went, as it was noted while they were made.

        Args:
            message_id: An answer.
            cancel: Ends the waiting for the model, which knows the texts of the tokens.
            model: See `tokens`.

        Raises:
            RoutingNotKept: It was not noted.
            NoSuchMessage, NotAnAnswer, TokensNotKept, ModelChanged: There is nothing to be told.
            ModelManagerError: The model cannot be loaded.
        """
        kept, layers, experts, weights = self._storage.call(
            lambda store: (
                stored_tokens(store, message_id),
                store.traces.get(message_id, "expert_layers"),
                store.traces.get(message_id, "experts"),
                store.traces.get(message_id, "expert_weights"),
            )
        )
        if layers is None or experts is None or weights is None:
            raise RoutingNotKept(message_id)
        if experts.shape != weights.shape or experts.shape[1] > len(kept.tokens.answer):
            raise RoutingNotKept(message_id)
        tokens = kept.tokens.answer[: experts.shape[1]]
        with self._engines.use(entry_of(self._library, kept, model), cancel) as engine:
            texts, info = engine.client.pieces(tokens), engine.info
        return Routing(
            n_layers=info.n_layers,
            n_experts=info.n_experts,
            n_experts_used=info.n_experts_used,
            token_ids=tokens,
            texts=tuple(texts),
            layers=tuple(layers.tolist()),
            experts=experts.astype("int16"),
            weights=weights.astype("float32"),
            source="live",
        )
