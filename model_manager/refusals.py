"""What a hub's status means where it is not what was hoped for."""

from __future__ import annotations

from model_manager.errors import AccessDenied, HubError, HubFailing, HubUnavailable, NotOnHub, RateLimited


def refusal_of(status: int, url: str, host: str) -> HubError | HubUnavailable:
    """The error that it is.

    Args:
        status: Any but 200.
        url: What was asked for, without its query.
        host: Of whom.
    """
    if status in (401, 403):
        return AccessDenied(status, url)
    if status in (404, 410):
        return NotOnHub(status, url)
    if status == 429:
        return RateLimited(status, url)
    if status >= 500:
        return HubFailing(host, status)
    return HubError(status, url)
