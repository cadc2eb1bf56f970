"""Who may be asked, decided by rule; `http` applies it to every request and every hop of a redirect.

- a host that somebody named: the hub's endpoint, or a URL that was typed in (`Admission.allow`);
- a host that the answer to a download of such a host leads to (hubs hand their large files to storage servers
  that change): asking is allowed for the rest of the run, the token stays behind. It must be https and in the
  public network; an endpoint that is itself plain http, or in a private network, may lead to the same;
- this machine itself, always, also offline; but no redirect from outside leads to it.
"""

from __future__ import annotations

import threading
from urllib.parse import urlsplit

from model_manager.errors import HostRefused
from model_manager.hosts import is_file, is_loopback, is_private, origin_of


class Admission:
    """The list of hosts. Thread-safe."""

    def __init__(self) -> None:
        self._allowed: set[str] = set()
        self._led_to: set[str] = set()
        self._token_origins: set[str] = set()
        self._files: set[str] = set()
        self._lock = threading.Lock()

    def allow(self, url: str, *, may_carry_token: bool = False, is_file: bool = False) -> None:
        """As `Http.allow`."""
        origin = origin_of(url)
        with self._lock:
            self._allowed.add(origin)
            if may_carry_token:
                self._token_origins.add(origin)
            if is_file:
                self._files.add(_place(url))

    def allowed(self) -> tuple[str, ...]:
        """The origins that may be asked now, besides this machine itself; sorted."""
        with self._lock:
            return tuple(sorted(self._allowed | self._led_to))

    def admit(self, url: str) -> None:
        """Let a request pass.

        Raises:
            HostRefused: Nobody has named this host.
        """
        host = urlsplit(url).hostname or ""
        with self._lock:
            if not is_loopback(host) and origin_of(url) not in self._allowed | self._led_to:
                raise HostRefused(host)

    def admit_redirect(self, source: str, target: str) -> None:
        """Decide where an answer may lead, and remember a storage server that it may lead to.

        Raises:
            HostRefused: Not there.
        """
        here, there = urlsplit(source), urlsplit(target)
        old, new = here.hostname or "", there.hostname or ""
        if origin_of(target) == origin_of(source):
            return
        if is_loopback(new):
            if not is_loopback(old):
                raise HostRefused(new)
            return
        with self._lock:
            if origin_of(target) in self._allowed | self._led_to:
                return
            leads_on = new == old or is_file(here.path) or _place(source) in self._files
            is_open = there.scheme == "http" and (here.scheme != "http" or is_loopback(old))
            is_inward = is_private(new) and not is_private(old)
            if there.scheme not in ("http", "https") or not leads_on or is_open or is_inward:
                raise HostRefused(new)
            self._led_to.add(origin_of(target))
            if _place(source) in self._files:  # the next hop of the same download
                self._files.add(_place(target))

    def must_be_public(self, url: str) -> bool:
        """Whether this host was only led to, so that its name must not stand for a private address."""
        with self._lock:
            return origin_of(url) in self._led_to - self._allowed and not is_private(
                urlsplit(url).hostname or ""
            )

    def carries_token(self, url: str) -> bool:
        """Whether an `Authorization` header may go there."""
        with self._lock:
            return origin_of(url) in self._token_origins


def _place(url: str) -> str:
    return f"{origin_of(url)}{urlsplit(url).path}"
