"""Whether an error means that this machine has no network, which passes by itself, or something else."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator

from model_manager.errors import CertificateRefused, HostSilent, HubUnavailable, NetworkAway, ProxyFailed
from model_manager.http import ConnectTimeout, HTTPError, ProxyError

_AWAY = frozenset(
    getattr(errno, name)
    for name in (
        "ENETUNREACH",
        "ENETDOWN",
        "EHOSTUNREACH",
        "EHOSTDOWN",
        "EADDRNOTAVAIL",
        "ENONET",
    )
    if hasattr(errno, name)
)
_DOCUMENTATION_ADDRESS = ("192.0.2.1", 9)


def unavailable(host: str, error: HTTPError) -> HubUnavailable:
    """What a request without an answer means for who waits: `NetworkAway` if the network is.

    A name that nobody knows is a typing error where there is a network, and the network's absence where there
    is none; some systems say the same of both. Where packets get lost without a word, `HostSilent` says so.
    `ProxyFailed` and `CertificateRefused` tell what stands between.
    """
    reason = str(error) or type(error).__name__
    if _is_away(error):
        return NetworkAway(host, reason)
    if _is_silent(error):
        return HostSilent(host, reason) if has_route() else NetworkAway(host, reason)
    if isinstance(error, ProxyError):
        return ProxyFailed(host, reason)
    # The library keeps only the words of OpenSSL's error.
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        return CertificateRefused(host, reason)
    return HubUnavailable(host, reason)


def has_route() -> bool:
    """Whether the system would know where to send a packet to the world outside. None is sent."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(_DOCUMENTATION_ADDRESS)
    except OSError:
        return False
    return True


def _is_away(error: HTTPError) -> bool:
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror):
            return cause.errno == socket.EAI_AGAIN or not has_route()
        if isinstance(cause, OSError) and cause.errno in _AWAY:
            return True
    return False


def _is_silent(error: HTTPError) -> bool:
    causes = [cause for cause in _causes(error) if isinstance(cause, OSError)]
    return isinstance(error, ConnectTimeout) or any(cause.errno == errno.ETIMEDOUT for cause in causes)


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
