"""The models as the gateway sees them: all of the library, by name."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from app.services import Services
from model_manager.engine.client import Cancel
from model_manager.engine.gateway.models import Served, ServedModel
from model_manager.errors import ModelNotFound
from model_manager.types import ModelEntry

_N_PARALLEL = 4
"""What a worker computes together where its plan says nothing, as in `LoadPlan`."""


class ServedLibrary:
    """Satisfies `model_manager.engine.gateway.models.Models`; may be asked from any thread."""

    def __init__(self, services: Services, chosen: ModelEntry | None = None) -> None:
        """Serve what there is.

        Args:
            services: Of the owner.
            chosen: Answers requests that name no model; it need not be in the library.
        """
        self._services = services
        self._chosen = chosen

    def list(self) -> Sequence[ServedModel]:
        """All whose files are there."""
        return [_served_model(entry) for entry in self._entries().values()]

    def default(self) -> str:
        """The chosen one, else what new conversations get."""
        return (self._chosen or self._services.default_model()).name

    @contextlib.contextmanager
    def use(self, model_id: str, cancel: Cancel) -> Iterator[Served]:
        """See `Models`."""
        entry = self._entries().get(model_id)
        if entry is None:
            raise ModelNotFound(model_id)
        with self._services.engines.use(entry, cancel) as engine:
            remote_name = self._services.remotes.model(model_id) if entry.address else None
            yield Served(engine.client, remote_name, entry.sampling)

    def peek(self, model_id: str) -> Served | None:
        """See `Models`."""
        client = self._services.engines.client_of(model_id)
        return Served(client) if client is not None else None

    def _entries(self) -> dict[str, ModelEntry]:
        entries = [entry for entry in self._services.library.list() if not entry.is_missing]
        if self._chosen is not None:
            entries.append(self._chosen)
        return {entry.name: entry for entry in entries}


def _served_model(entry: ModelEntry) -> ServedModel:
    if entry.address:
        return ServedModel(entry.name, 0, entry.address, is_remote=True)
    created_s = 0
    with contextlib.suppress(OSError):
        created_s = int(entry.paths[0].stat().st_mtime)
    details = {
        "architecture": entry.architecture,
        "quantization": entry.quantization,
        "size_bytes": entry.size_bytes,
        "n_ctx_train_tokens": entry.n_ctx_train_tokens,
        "n_experts": entry.n_experts,
        "n_experts_used": entry.n_experts_used,
    }
    n_parallel = int(entry.plan.get("n_parallel", _N_PARALLEL))
    return ServedModel(entry.name, created_s, "coterie", details, n_parallel)
