"""Getting an answer of a hub, whichever it is: so much of it at most, and refusals as what they mean."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from model_manager.errors import HubError
from model_manager.http import Http, HTTPError
from model_manager.network import unavailable
from model_manager.partial import without_query
from model_manager.refusals import refusal_of
from model_manager.types import HubModel

MOST_CARD_BYTES: Final = 256 << 10


def card_path(model: HubModel) -> str | None:
    """The file that is a repository's card; None where it has none."""
    return next((file.path for file in model.files if file.path.lower() == "readme.md"), None)


def get_card(http: Http, url: str, token: str | None) -> str:
    """The text of a card, at most 256 KiB of it.

    Raises:
        AccessDenied, NotOnHub, RateLimited, HubUnavailable, HubError, Offline, HostRefused: As named.
    """
    with http.purpose("model card"):
        return get_body(http, url, token, MOST_CARD_BYTES, cut=True).decode("utf-8", "replace")


def get_body(http: Http, url: str, token: str | None, most_bytes: int, *, cut: bool = False) -> bytes:
    """What an address answers.

    Args:
        http: The door.
        url: Of the answer.
        token: Sent with the question.
        most_bytes: No more is read.
        cut: A longer one is cut there, and no error.

    Raises:
        AccessDenied, NotOnHub, RateLimited, HubUnavailable, HubError, Offline, HostRefused: As named.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    host = urlsplit(url).hostname or ""
    content = bytearray()
    try:
        with http.new_client() as client, client.stream("GET", url, headers=headers) as response:
            if response.status_code != 200:
                raise refusal_of(response.status_code, without_query(url), host)
            for piece in response.iter_bytes():
                content += piece
                if len(content) >= most_bytes:
                    break
    except HTTPError as error:
        raise unavailable(host, error) from error
    if len(content) > most_bytes and not cut:
        raise HubError(200, without_query(url))
    return bytes(content[:most_bytes])
