"""Access tokens, and the host that each of them belongs to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from model_manager.hosts import origin_of

HUB_ENDPOINT: Final = "https://huggingface.co"
MODELSCOPE_ENDPOINT: Final = "https://modelscope.cn"

VARIABLES: Final = ("HF_TOKEN", "HF_ENDPOINT", "MODELSCOPE_API_TOKEN", "MODELSCOPE_ENDPOINT")
"""Of the environment: two tokens, each with the address that it is for."""

_HOMES: Final = (
    ("HF_TOKEN", "HF_ENDPOINT", HUB_ENDPOINT),
    ("MODELSCOPE_API_TOKEN", "MODELSCOPE_ENDPOINT", MODELSCOPE_ENDPOINT),
)


def tokens_of(get: Callable[[str], str | None]) -> dict[str, str]:
    """The tokens of an environment, by the origin that each is for.

    Args:
        get: Looks up one of `VARIABLES`; None where it is not set.
    """
    return {
        origin_of(get(endpoint) or home): token
        for variable, endpoint, home in _HOMES
        if (token := get(variable)) and token.isascii() and token.isprintable()
    }


class Tokens:
    """Which token goes to which host: never to another, and never to a mirror that it was not given for.

    A token belongs to an origin (scheme, host, port). That of the environment belongs to the environment's
    endpoint and counts more than a kept one; that of who runs a command through this program counts most, on
    the thread of that command. Thread-safe.
    """

    def __init__(
        self,
        environment: Mapping[str, str] | None = None,
        kept: Callable[[str], str | None] = lambda _origin: None,
    ) -> None:
        """Prepare.

        Args:
            environment: Tokens of the environment by the origin that they are for.
            kept: Looks one up by its origin, wherever it is kept. Asked at each use, so it must be cheap.
        """
        self._environment = dict(environment or {})
        self._kept = kept
        self._caller: ContextVar[Mapping[str, str] | None] = ContextVar("caller", default=None)
        self._lent: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()

    @contextmanager
    def of_caller(self, tokens: Mapping[str, str]) -> Iterator[None]:
        """What this thread asks for inside the block, it asks for with these, each at its own origin."""
        mark = self._caller.set(tokens)
        try:
            yield
        finally:
            self._caller.reset(mark)

    def lend(self, url: str, repo_id: str) -> None:
        """Let a later download of a repository use the token of who asks for it now; forgotten at the end."""
        token = (self._caller.get() or {}).get(origin_of(url))
        if token is not None:
            with self._lock:
                self._lent[origin_of(url), repo_id.lower()] = token

    def of_environment(self, url: str) -> str | None:
        """The environment's own for a host."""
        return self._environment.get(origin_of(url))

    def for_url(self, url: str, repo_id: str = "") -> str | None:
        """The token for one request; None asks without."""
        origin = origin_of(url)
        with self._lock:
            lent = self._lent.get((origin, repo_id.lower()))
        own = (self._caller.get() or {}).get(origin)
        return own or lent or self._environment.get(origin) or self._kept(origin) or None
