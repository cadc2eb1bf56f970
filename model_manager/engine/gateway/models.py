"""What the gateway needs of the rest of the program: the models that there are, and one of them to use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from model_manager.engine.client import Cancel, EngineClient

Describe = Callable[[BaseException], str]
"""Makes the sentence that a client is told of an error."""


@dataclass(frozen=True, slots=True)
class ServedModel:
    """One line of `GET /v1/models`.

    Attributes:
        id: What requests call it.
        created: Seconds since 1970.
        details: The extension object `coterie`.
        n_parallel: Answers that its engine computes together.
        is_remote: Another server has it, which knows OpenAI's schema and none of our extensions.
    """

    id: str
    created: int
    owned_by: str
    details: Mapping[str, Any] = field(default_factory=dict)
    n_parallel: int = 4
    is_remote: bool = False


@dataclass(frozen=True, slots=True)
class Served:
    """A model that is ready.

    Attributes:
        client: Speaks to its engine.
        name: What the engine calls it; None where that does not matter, as to our workers.
        sampling: What holds where a request says nothing; empty where the engine knows best.
    """

    client: EngineClient
    name: str | None = None
    sampling: Mapping[str, Any] = field(default_factory=dict)


class Models(Protocol):
    """May be asked from any thread."""

    def list(self) -> Sequence[ServedModel]:
        """All that can be asked for."""

    def default(self) -> str:
        """Which one answers a request that names none."""

    def use(self, model_id: str, cancel: Cancel) -> AbstractContextManager[Served]:
        """Load it if need be, and keep it for as long as one is inside; blocks.

        Raises:
            ModelNotFound: It is not there.
            ModelManagerError: It cannot be loaded.
        """

    def peek(self, model_id: str) -> Served | None:
        """The model if it is loaded; for what concerns answers that run."""
