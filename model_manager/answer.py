"""What a server's answer to "the rest of this file, please" means, and whether its body may be appended.

The rules, so that bytes of two files never mix and no lie costs bytes that are good:

- The first answer of a hub names the file itself: `X-Linked-ETag` is its SHA-256, `X-Linked-Size` its size;
  the body comes from a storage server whose own ETag says nothing. Elsewhere the ETag names the file.
- A SHA-256 other than the planned one: `RemoteFileChanged`; what is on disk is kept.
- No planned SHA-256 and another name than before: begin anew, for what is on disk is of a file that is gone.
- 206 must begin where was asked and agree about the size. 200 to a range is the whole file: begin anew, but
  only if its length is right (a sign-in page of a captive portal is a 200, too).
- 416 while bytes are missing means a shorter file: begin anew where nothing is planned, else try again.

Source: RFC 9110, sections 13.1.5 (If-Range), 14 (ranges), 15.5.17 (416); huggingface_hub 2.4,
`file_download.get_hf_file_metadata`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model_manager.errors import (
    AccessDenied,
    HubError,
    HubFailing,
    HubUnavailable,
    ModelManagerError,
    NotOnHub,
    RateLimited,
    RemoteFileChanged,
    SizeMismatch,
)
from model_manager.header_numbers import CONTENT_RANGE, UNSATISFIED_RANGE, count_of
from model_manager.hosts import is_same_origin
from model_manager.http import URL, Connection, Http, Response
from model_manager.partial import without_query
from model_manager.sidecar import Origin

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_REDIRECTS = 5
MAX_RETRY_AFTER_S = 300.0
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Retry(Exception):
    """An attempt failed in a way that may pass.

    Attributes:
        error: What to raise when it does not pass.
        after_s: The server asked to wait this long.
    """

    def __init__(self, error: ModelManagerError, after_s: float = 0.0) -> None:
        super().__init__(str(error))
        self.error = error
        self.after_s = after_s


class Restart(Exception):
    """The bytes on disk are not of the file that the server has."""


class Complete(Exception):
    """The server says that there is nothing after the bytes on disk."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for.

    Attributes:
        held: What the bytes on disk are of; None while there are none.
        start_bytes: The first byte that is missing.
        end_bytes: Where the next bytes on disk begin; None for the rest of the file.
        sha256: What the whole must hash to; None if nobody has said.
        size_bytes: What the whole must measure; None if nobody has said.
    """

    url: str
    held: Origin | None
    start_bytes: int
    end_bytes: int | None
    sha256: str | None
    size_bytes: int | None
    token: str | None

    @property
    def holds_any(self) -> bool:
        """Whether there is a byte on disk that others must fit."""
        return bool(self.start_bytes) or self.end_bytes is not None

    @property
    def range(self) -> str:
        """For the header of this name; "" asks for the whole file."""
        if not self.holds_any:
            return ""
        return f"bytes={self.start_bytes}-{'' if self.end_bytes is None else self.end_bytes - 1}"


@dataclass(frozen=True, slots=True)
class Answer:
    """A body that continues what is on disk, or is the whole when `is_whole`.

    Attributes:
        origin: What is now known of the file.
        takes_ranges: The server has sent a range, or says that it would.
    """

    response: Response
    origin: Origin
    is_whole: bool
    takes_ranges: bool


def ask(http: Http, wanted: Wanted, timeout_s: float, on_connection: Callable[[Connection], None]) -> Answer:
    """Ask for the bytes after those on disk; the caller reads and closes the body.

    Raises:
        Retry, Restart, Complete: See there.
        ModelManagerError: The answer is final and is a no.
        TransportError: No answer.
    """
    named, response = _follow(http, wanted, timeout_s, on_connection)
    try:
        origin = _identify(wanted, named, response)
        is_whole = _is_whole(wanted, origin, response)
        takes_ranges = response.status_code == 206 or response.headers.get("Accept-Ranges") == "bytes"
        return Answer(response, origin, is_whole, takes_ranges)
    except BaseException:
        response.close()
        raise


def _follow(
    http: Http, wanted: Wanted, timeout_s: float, on_connection: Callable[[Connection], None]
) -> tuple[dict[str, str], Response]:
    """The answer with the body, and what the answers on the way said about the file."""
    headers = {"Accept-Encoding": "identity"}
    if wanted.range:
        headers["Range"] = wanted.range
    url, named = URL(wanted.url), dict[str, str]()
    for _ in range(MAX_REDIRECTS + 1):
        own = is_same_origin(str(url), wanted.url)
        extra = {"Authorization": f"Bearer {wanted.token}"} if wanted.token and own else {}
        etag = wanted.held.etag if wanted.held and wanted.holds_any else None
        if own and etag and not _SHA256.fullmatch(etag):
            extra["If-Range"] = f'"{etag}"'
        response = http.open(
            str(url),
            headers=headers | extra,
            why="download",
            timeout_s=timeout_s,
            on_connection=on_connection,
        )
        for name in ("X-Linked-ETag", "X-Linked-Size"):
            if name in response.headers:
                named.setdefault(name, response.headers[name])
        if not response.has_redirect_location:
            try:
                _raise_for_status(wanted, response, is_storage=not own)
            except BaseException:
                response.close()
                raise
            return named, response
        url = url.join(response.headers["Location"])
        response.close()
    raise Retry(HubUnavailable(url.host, "too many redirects"))


def _raise_for_status(wanted: Wanted, response: Response, *, is_storage: bool) -> None:
    status, url = response.status_code, without_query(str(response.url))
    if status in (200, 206):
        return
    if status == 416:
        _judge_unsatisfied_range(wanted, response)
    if status in (401, 403):
        denied = AccessDenied(status, url)
        # A storage address is signed for a while only; the next attempt asks for a fresh one.
        raise Retry(denied) if is_storage else denied
    if status in (404, 410):
        raise NotOnHub(status, url)
    if status == 429:
        raise Retry(RateLimited(status, url), retry_after_s(response))
    if status >= 500 or status == 408:
        raise Retry(HubFailing(response.url.host, status), retry_after_s(response))
    raise HubError(status, url)


def _judge_unsatisfied_range(wanted: Wanted, response: Response) -> None:
    match = UNSATISFIED_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    total_bytes = int(match[1]) if match else None
    if total_bytes == wanted.start_bytes and wanted.size_bytes is None:
        raise Complete
    if wanted.sha256 is None and wanted.holds_any:
        raise Restart("the server's file is shorter than what is on disk")
    raise Retry(RemoteFileChanged(without_query(wanted.url)))


def _identify(wanted: Wanted, named: dict[str, str], response: Response) -> Origin:
    """What the server says the file is.

    Raises:
        RemoteFileChanged: It is not the planned one.
        Restart: It is not the one on disk.
    """
    url = without_query(wanted.url)
    etag = bare_etag(named.get("X-Linked-ETag") or response.headers.get("ETag"))
    linked = etag if etag and "X-Linked-ETag" in named and _SHA256.fullmatch(etag) else None
    sha256 = wanted.sha256 or linked
    if linked != sha256 and linked is not None:
        raise RemoteFileChanged(url)
    linked_bytes = count_of(named.get("X-Linked-Size"))
    size_bytes = linked_bytes if wanted.size_bytes is None else wanted.size_bytes
    if linked_bytes is not None and linked_bytes != size_bytes:
        raise Retry(SizeMismatch(url, size_bytes or 0, linked_bytes))
    if wanted.holds_any and linked is None and not _is_same(wanted.held, etag, sha256):
        raise Restart("the server names another version")
    if wanted.holds_any and etag is None and sha256 is None:
        raise Restart("nothing tells one version from another")
    return Origin(url, etag, sha256, size_bytes)


def _is_same(held: Origin | None, etag: str | None, sha256: str | None) -> bool:
    """Whether a server's name for its file is that of the bytes on disk, as far as it tells."""
    if held is None:
        return False
    is_adopted = held.etag is None and sha256 is not None  # no server has named them, their hash will tell
    return held.etag == etag or (is_adopted and held.sha256 == sha256)


def _is_whole(wanted: Wanted, origin: Origin, response: Response) -> bool:
    """Whether the body begins at byte 0 instead of where was asked.

    Raises:
        Retry: It is neither, or its length is not that of the file.
    """
    url, headers = without_query(wanted.url), response.headers
    if headers.get("Content-Encoding", "identity") != "identity":
        raise Retry(HubUnavailable(response.url.host, "an encoded body"))
    if response.status_code == 206:
        match = CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
        if match is None or int(match[1]) != wanted.start_bytes:
            raise Retry(HubUnavailable(response.url.host, "another range than asked for"))
        if match[3] != "*" and origin.size_bytes not in (None, int(match[3])):
            raise Retry(SizeMismatch(url, origin.size_bytes or 0, int(match[3])))
        return False
    length_bytes = count_of(headers.get("Content-Length"))
    if length_bytes is not None:
        if origin.size_bytes not in (None, length_bytes):
            raise Retry(SizeMismatch(url, origin.size_bytes or 0, length_bytes))
    elif wanted.holds_any:
        raise Retry(HubUnavailable(response.url.host, "a whole file of unknown length instead of a range"))
    return True


def promised_bytes(response: Response) -> int | None:
    """Size of the whole file according to an answer; None if it does not say."""
    if response.status_code == 206:
        match = CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        return int(match[3]) if match and match[3] != "*" else None
    return count_of(response.headers.get("Content-Length"))


def retry_after_s(response: Response) -> float:
    """Seconds the server asks to wait, at most five minutes; the form with a date is not used by hubs."""
    return min(MAX_RETRY_AFTER_S, float(count_of(response.headers.get("Retry-After")) or 0))


def bare_etag(etag: str | None) -> str | None:
    """A strong ETag without its quotes; a weak one does not tell bytes apart."""
    if etag is None or etag.startswith("W/"):
        return None
    return etag.strip('"') or None
