"""What the parts of a URL mean for who may be asked, and through what."""

from __future__ import annotations

import ipaddress
import re
import urllib.request
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}
_PRIVATE_ENDINGS = (".local", ".localdomain", ".lan", ".internal", ".intranet", ".home.arpa")
_MODELSCOPE_FILE = re.compile(r"/api/v1/models/[^/]+/[^/]+/repo")


def is_loopback(host: str) -> bool:
    """Whether a host's name or address means this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_private(host: str) -> bool:
    """Whether a name or address is for a private network only (or for this machine), as far as it tells.

    Source: IANA's registries of special-purpose addresses; RFC 6762, RFC 8375 and ICANN's `.internal`.
    """
    try:
        return not ipaddress.ip_address(host.strip("[]").partition("%")[0]).is_global
    except ValueError:
        return "." not in host or host.lower().rstrip(".").endswith(_PRIVATE_ENDINGS)


def origin_of(url: str) -> str:
    """Scheme, host and port, as one text to compare."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{parts.port or _PORTS.get(parts.scheme, 0)}"


def is_same_origin(url: str, other: str) -> bool:
    """Whether scheme, host and port agree."""
    return origin_of(url) == origin_of(other)


def is_file(path: str) -> bool:
    """Whether a request was for a file's bytes; answers to anything else do not lead to other hosts."""
    is_hub_file = "/resolve/" in path or path.lower().endswith(".gguf")
    return is_hub_file or _MODELSCOPE_FILE.fullmatch(path) is not None


def proxy_for(url: str, choice: str = "system") -> str | None:
    """The proxy to ask through; this machine is always asked directly, and what `no_proxy` names.

    Args:
        url: What is asked for.
        choice: "system" is what the environment or the system names, "none" is no proxy; else its address.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_loopback(host) or urllib.request.proxy_bypass(host):
        return None
    if choice != "system":
        return None if choice == "none" else choice
    proxies = urllib.request.getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if proxy is None or "://" in proxy:
        return proxy
    return f"http://{proxy}"


def is_proxy(url: str) -> bool:
    """Whether an address can be a proxy's: one that speaks HTTP or SOCKS 5."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https", "socks5", "socks5h") and bool(parts.hostname and parts.port)
    except ValueError:
        return False


def without_secrets(url: str) -> str:
    """A proxy's address without the name and password in it."""
    head, at, tail = url.rpartition("@")
    scheme, slashes, _user = head.partition("://")
    return f"{scheme}{slashes}{tail}" if at else url
