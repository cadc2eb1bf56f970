"""Remote engines: servers with OpenAI's API that a person has named, as sources of models.

The list is a setting; the keys are in `app.secrets`. Every request goes through `model_manager.http`, so the
offline switch closes them and the log of requests shows them.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from app.errors import EngineNotListed, UnusableAddress, UnusableName
from app.secrets import Secrets, from_environment
from model_manager.engine.client import EngineClient
from model_manager.errors import EngineUnreachable, ModelNameTaken
from model_manager.hosts import is_loopback
from model_manager.http import Http
from model_manager.types import ModelEntry

log = logging.getLogger(__name__)

STALL_TIMEOUT_S = 300.0
"""Others keep a request waiting without a word for as long as their queue is."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class RemoteEngine:
    """One line of the list.

    Attributes:
        name: Of its entry among the models.
        url: Where its API is, without the last `/v1`.
        model: What to ask it for; empty for the first that it lists.
    """

    name: str
    url: str
    model: str = ""


class RemoteEngines:
    """The list. May be used from any thread."""

    def __init__(
        self,
        http: Http,
        secrets: Secrets,
        read: Callable[[], Sequence[Mapping[str, Any]]],
        write: Callable[[Sequence[Mapping[str, Any]]], None],
    ) -> None:
        """Read nothing yet.

        Args:
            http: The door to the network.
            secrets: Where keys are.
            read: The stored list.
            write: Stores another one.
        """
        self._http = http
        self._secrets = secrets
        self._read = read
        self._write = write
        self._lock = threading.Lock()
        self._clients: dict[RemoteEngine, EngineClient] = {}
        self._first_models: dict[RemoteEngine, str] = {}

    def list(self) -> list[RemoteEngine]:
        """All of them, by name."""
        found = [RemoteEngine(str(e["name"]), str(e["url"]), str(e.get("model") or "")) for e in self._read()]
        return sorted(found, key=lambda engine: engine.name)

    def get(self, name: str) -> RemoteEngine:
        """One of them.

        Raises:
            EngineNotListed: There is none of this name.
        """
        for engine in self.list():
            if engine.name == name:
                return engine
        raise EngineNotListed(name)

    def entries(self) -> Sequence[ModelEntry]:
        """As the library shows them."""
        return [entry_of(engine) for engine in self.list()]

    def add(self, name: str, url: str, model: str, key: str | None, others: Sequence[ModelEntry]) -> bool:
        """Put an engine on the list, in place of one of the same name; nothing is asked of it.

        Args:
            name: For the list of models.
            url: Its address, with or without `/v1` at the end.
            model: What to ask it for; empty for the first that it lists.
            key: None for a server that wants none.
            others: The other models, whose names are taken.

        Returns:
            Whether the key, if there is one, is kept for other runs.

        Raises:
            UnusableName, UnusableAddress: They cannot be.
            ModelNameTaken: A model has this name.
        """
        if not _NAME.fullmatch(name):
            raise UnusableName(name)
        for entry in others:
            if entry.name == name and not entry.address:
                raise ModelNameTaken(name, entry.paths[0])
        engine = RemoteEngine(name, base_url(url), model)
        is_kept = True
        with self._lock:
            staying = [other for other in self.list() if other.name != name]
            self._forget(name)
            if key is not None:
                is_kept = self._secrets.set(name, key)
            else:
                self._secrets.delete(name)
            self._store([*staying, engine])
        return is_kept

    def remove(self, name: str) -> None:
        """Take it off the list, and its key away.

        Raises:
            EngineNotListed: There is none of this name.
        """
        with self._lock:
            engine = self.get(name)
            self._forget(name)
            self._secrets.delete(name)
            self._store([other for other in self.list() if other != engine])

    def client(self, name: str) -> EngineClient:
        """What speaks to it.

        Raises:
            EngineNotListed: There is none of this name.
        """
        engine = self.get(name)
        with self._lock:
            if engine not in self._clients:
                http = self._http.engine_client(engine.url, self._key(engine))
                self._clients[engine] = EngineClient(
                    http,
                    engine.name,
                    address=engine.url,
                    stall_timeout_s=STALL_TIMEOUT_S,
                    model=lambda: self.model(name),
                )
            return self._clients[engine]

    def model(self, name: str) -> str:
        """What it calls its model; asks it where nobody has said.

        Raises:
            EngineNotListed: There is none of this name.
            ModelManagerError: It does not answer, or has no model.
        """
        engine = self.get(name)
        if engine.model:
            return engine.model
        if engine not in self._first_models:
            models = self.client(name).models()
            if not models:
                raise EngineUnreachable(engine.url, "it lists no model")
            self._first_models[engine] = models[0]
        return self._first_models[engine]

    def close(self) -> None:
        """Give the connections back."""
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()

    def _key(self, engine: RemoteEngine) -> str | None:
        key = self._secrets.get(engine.name)
        if key is None and len(self.list()) == 1:
            # With several it would be sent to servers that it was not meant for.
            key = from_environment()
        return key

    def _forget(self, name: str) -> None:
        for engine in [engine for engine in self._clients if engine.name == name]:
            self._clients.pop(engine).close()
        self._first_models.clear()

    def _store(self, engines: Sequence[RemoteEngine]) -> None:
        self._write([{"name": e.name, "url": e.url, "model": e.model} for e in engines])


def base_url(url: str) -> str:
    """The address as clients need it: without a slash or `/v1` at its end.

    Raises:
        UnusableAddress: It is no web address, or holds a secret, which belongs in the keyring.
    """
    try:
        parts = urlsplit(url.strip())
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good or parts.username or parts.password or parts.query or parts.fragment:
        raise UnusableAddress(url)
    return url.strip().rstrip("/").removesuffix("/v1").rstrip("/")


def sends_key_openly(engine: RemoteEngine) -> bool:
    """Whether everybody on the way can read what is sent."""
    parts = urlsplit(engine.url)
    return parts.scheme == "http" and not is_loopback(parts.hostname or "")


def entry_of(engine: RemoteEngine) -> ModelEntry:
    """The engine as a model."""
    return ModelEntry(
        name=engine.name,
        paths=(),
        size_bytes=0,
        architecture="",
        n_experts=0,
        n_experts_used=0,
        n_ctx_train_tokens=0,
        quantization="",
        source=f"engine:{engine.url}",
        address=engine.url,
    )
