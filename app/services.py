"""Everything that the owner of a data folder has open: the window and every command work on this.

Plain Python: may be used from any thread, knows no event loop.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.answering import Answering
from app.engines import Engines
from app.inspecting import Inspecting
from app.keeping import Keeping
from app.kept_tokens import KeptTokens
from app.knowledge import Knowledge
from app.paths import Paths
from app.quantizing import Quantizing
from app.remotes import RemoteEngines
from app.replaying import Replaying
from app.secrets import Secrets
from app.stores import DownloadStore, LibraryStore
from app.vetting import Vetting
from model_manager import catalogue
from model_manager.downloads import Downloads
from model_manager.engine import prompt_cache
from model_manager.engine.probe import Prober
from model_manager.engine.quantizer import Quantizer
from model_manager.errors import EngineError, ModelManagerError, ProxyUnusable
from model_manager.hosts import is_proxy, without_secrets
from model_manager.http import Http
from model_manager.hub import Hub
from model_manager.importers import hub_cache
from model_manager.library import Library
from model_manager.measured_memory import kept_measured, measured_values
from model_manager.modelscope import ModelScope
from model_manager.sources import Sources
from model_manager.tls import require_authority
from model_manager.tokens import Tokens, tokens_of
from model_manager.types import DownloadLimits, DownloadSnapshot, EngineState, HubModel, ModelEntry
from model_manager.vision_files import is_vision_name
from storage.errors import StorageError
from storage.thread import StorageThread

log = logging.getLogger(__name__)


def self_command() -> tuple[str, ...]:
    """What starts this program again, frozen or not."""
    if getattr(sys, "frozen", False):
        return (sys.executable,)
    # -P: else a folder of the person with an `app.py` in it would be run in our place.
    return (sys.executable, "-P", "-m", "app")


class Services:
    """Opened once by an owner, closed by it in the reverse order.

    Attributes:
        storage: The database's thread.
        library: Models of this machine, and those of remote engines.
        remotes: The list of remote engines.
        downloads: Running, waiting and ended downloads.
        vetting: Forecasts what models would take, and lets them be loaded.
        engines: The loaded models.
        keeping: Imports from other programs' stores, and the library's other large jobs.
        answering: Makes answers.
        inspecting: Looks into them.
        knowledge: Collections of documents.
        quantizing: Makes smaller models out of larger ones.
        replaying: Makes them again.
        http: The door to the network, with its log of requests.
        sources: Where models come from.
        tokens: What opens gated repositories, each for its own host.
        kept_tokens: Those of them that the system's keyring keeps.
        n_interrupted: Answers that the last owner left unfinished; they are marked now.
    """

    def __init__(self, paths: Paths, runtime_dir: Path, worker_command: Sequence[str] | None = None) -> None:
        """Open the data folder; only its owner may.

        Raises:
            DatabaseUnusable: The database cannot be opened (its kinds say why).
        """
        self.paths = paths
        with contextlib.ExitStack() as opened:
            self.storage = StorageThread(paths.database)
            opened.callback(self.storage.close)
            self.n_interrupted = self.storage.call(lambda store: store.mark_interrupted())
            self._settings = self.storage.call(lambda store: store.settings.all())
            self.http = Http(
                offline=lambda: bool(self._settings["offline"]),
                proxy=lambda: str(self._settings["proxy"]),
                ca_file=lambda: self._settings["ca_file"] or None,
                log_path=paths.data_dir / "logs" / "network.jsonl",
            )
            opened.callback(self.http.close)
            self.kept_tokens = KeptTokens(Secrets("token"))
            self.tokens = Tokens(tokens_of(os.environ.get), self.kept_tokens.get)
            endpoint = os.environ.get("HF_ENDPOINT") or self._settings["hub_endpoint"]
            hub = Hub(self.http, endpoint, self.tokens)
            hub.on_seen = self._verify_entry
            opened.callback(hub.close)
            endpoint = os.environ.get("MODELSCOPE_ENDPOINT") or self._settings["modelscope_endpoint"]
            self.sources = Sources(hub, ModelScope(self.http, endpoint, self.tokens), self.tokens)
            models_dir = Path(self._settings["models_dir"] or paths.models_dir)
            self.remotes = RemoteEngines(
                self.http,
                Secrets(),
                lambda: self._settings["remote_engines"],
                lambda engines: self.set_setting("remote_engines", list(engines)),
            )
            opened.callback(self.remotes.close)
            shelf = LibraryStore(self.storage)
            self.library = Library(shelf, models_dir, self.remotes.entries, shelf.usage)
            self._on_downloaded: list[Callable[[DownloadSnapshot], None]] = []
            self.downloads = Downloads(
                DownloadStore(self.storage),
                self.sources,
                self.http,
                models_dir,
                on_finished=self._on_finished,
                limits=self._download_limits,
                hub_cache_dir=hub_cache.cache_dir(os.environ.get),
            )
            opened.callback(self.downloads.close)
            self.vetting = Vetting(Prober((*self_command(), "probe")), self.http)
            self.engines = Engines(
                worker_command or (*self_command(), "worker"),
                runtime_dir,
                lambda: int(self._settings["n_ctx_tokens"] or 0),
                lambda: int(self._settings["models_memory_bytes"] or 0),
                self.remotes.client,
                prompt_cache=lambda: (paths.prompt_cache_dir, int(self._settings["prompt_cache_bytes"] or 0)),
                unload_after_s=lambda: 60.0 * int(self._settings["unload_after_min"] or 0),
                vetting=self.vetting,
                trace=lambda: "live" if self._settings["trace"] == "live" else "replay",
                on_used=self._note_use,
            )
            opened.callback(self.engines.close)
            self.keeping = Keeping(self.library, self.engines)
            self.keeping.settle()
            self.engines.subscribe(self._note_memory)
            self.answering = Answering(self.storage, self.library, self.engines, self.default_model)
            self.knowledge = Knowledge(self.storage, self.library, self.engines, (*self_command(), "reader"))
            self.inspecting = Inspecting(self.storage, self.library, self.engines)
            self.quantizing = Quantizing(self.library, Quantizer((*self_command(), "quantizer")))
            opened.callback(self.quantizing.close)
            self.replaying = Replaying(self.storage, self.library, self.engines)
            self._take_up_finished()
            self._opened = opened.pop_all()

    def setting(self, key: str) -> Any:
        """What is set, else the default; see `storage.settings`."""
        return self._settings[key]

    def settings(self) -> dict[str, Any]:
        """Every setting."""
        return dict(self._settings)

    def set_setting(self, key: str, value: Any) -> None:
        """Keep a setting; it holds from now on (hubs and the models folder from the next start).

        Raises:
            NoSuchSetting: The key is not declared.
            ProxyUnusable, BadCertificateFile: It would keep every request from being made.
        """
        if key == "proxy" and value not in ("system", "none") and (not is_proxy(value) or "@" in value):
            raise ProxyUnusable(without_secrets(value))
        if key == "ca_file" and value:
            require_authority(value)
        self.storage.call(lambda store: store.settings.set(key, value))
        self._settings = self._settings | {key: value}
        if key == "downloads_at_once":
            self.downloads.limits_changed()
        if key == "offline" and value:
            self.http.hang_up()

    def set_context(self, model: str, n_ctx_tokens: int) -> None:
        """Use so much context from now on: for all models, unless this one has a length of its own.

        Raises:
            ModelNotFound, ModelFileError: It is not there.
        """
        entry = self.library.get(model)
        if "n_ctx_tokens" in entry.plan:
            self.library.set_plan(entry.name, {"n_ctx_tokens": n_ctx_tokens})
        else:
            self.set_setting("n_ctx_tokens", n_ctx_tokens)

    def default_model(self) -> ModelEntry:
        """What answers where nothing else was chosen; the first entry when the chosen one is gone."""
        name = self._settings["default_model"]
        if name is not None:
            with contextlib.suppress(ModelManagerError):
                return self.library.get(name)
        return self.library.list()[0]

    def remove_model(self, name: str, *, delete_foreign_files: bool = False) -> None:
        """End its worker, forget it, and delete its files if they are ours; for a remote engine, its key.

        Raises:
            ModelNotFound, CannotRemoveStarter, KeptByStore, CannotWrite: As `Library.remove`.
        """
        if any(engine.name == name for engine in self.remotes.list()):
            self.remotes.remove(name)
            return
        self.engines.unload(name)
        self.library.remove(name, delete_foreign_files=delete_foreign_files)
        prompt_cache.clear(self.paths.prompt_cache_dir, name)

    def forget_conversation(self, conversation_id: int) -> None:
        """Remove what models have computed of a conversation, on disk and in those that are loaded."""
        for state in self.engines.states():
            client = self.engines.client_of(state.name)
            if client is not None:
                with contextlib.suppress(EngineError):  # one that is gone holds nothing
                    client.forget(str(conversation_id))
        prompt_cache.forget(self.paths.prompt_cache_dir, str(conversation_id))

    def subscribe_downloads(self, listener: Callable[[DownloadSnapshot], None]) -> None:
        """`listener` is told of each download that is done or failed, on its thread; the library has it."""
        self._on_downloaded.append(listener)

    def close(self) -> None:
        """Stop everything in order; what was acknowledged is on disk. May be called twice."""
        self._opened.close()

    def _note_use(self, name: str) -> None:
        with contextlib.suppress(RuntimeError):  # closed: an answer that ends with the program
            self.storage.submit(lambda store: store.speeds.mark_used(name))

    def _verify_entry(self, model: HubModel) -> None:
        """Note that the hub has an entry of the catalogue as it is described; the first time counts."""
        entry = catalogue.find(model.repo_id)
        seen = self._settings["verified_models"]
        if entry is None or entry.repo_id in seen:
            return
        contradictions = catalogue.differences(entry, model)
        if contradictions:
            log.info("the catalogue's %s differs on the hub: %s", entry.repo_id, contradictions)
            return
        noted = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "revision": model.revision}
        self.set_setting("verified_models", {**seen, entry.repo_id: noted})

    def _note_memory(self, state: EngineState) -> None:
        """Keep what a model takes now that it is loaded, beside what was forecast for it."""
        if state.status != "ready" or state.info is None or state.info.placement is None:
            return
        with contextlib.suppress(ModelManagerError, StorageError):  # a file that is no entry; the end is near
            known = kept_measured(self.library.get(state.name).measured)
            now = datetime.now(UTC).isoformat(timespec="seconds")
            values = measured_values(state.info, now)
            if known is None or known.memory != state.info.placement.memory:
                self.library.set_measured(state.name, values)

    def _download_limits(self) -> DownloadLimits:
        return DownloadLimits(
            n_files=int(self._settings["downloads_at_once"] or 1),
            n_connections=int(self._settings["download_connections"] or 1),
            rate_bytes_per_s=int(self._settings["download_rate"] or 0),
        )

    def _take_up_finished(self) -> None:
        """Add what was done when the program was ended before the library had it."""
        done = [snapshot for snapshot in self.downloads.snapshots() if snapshot.status == "done"]
        known = {path for entry in self.library.list() for path in entry.paths} if done else set()
        for snapshot in done:
            paths = [path for path, _digest in snapshot.files]
            if paths and known.isdisjoint(paths) and all(path.is_file() for path in paths):
                self._on_finished(snapshot)

    def _on_finished(self, snapshot: DownloadSnapshot) -> None:
        if snapshot.status == "done":
            model = [(path, digest) for path, digest in snapshot.files if not is_vision_name(path.name)]
            paths, digests = zip(*(model or snapshot.files), strict=True)
            if all(path.suffix == ".gguf" for path in paths):
                try:
                    self.library.add_downloaded(paths, digests, f"hub:{snapshot.ref}")
                except ModelManagerError as error:
                    # The bytes are what the hub promised; that they are no model is said in the library.
                    log.info("downloaded, but not a usable model: %s", error)
        for listener in list(self._on_downloaded):
            listener(snapshot)
