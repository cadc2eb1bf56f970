"""What the parts of a URL mean for who may be asked, and through what."""

from __future__ import annotations

import ipaddress
import urllib.request
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


def is_loopback(host: str) -> bool:
    """Whether a host's name or address means this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def origin_of(url: str) -> str:
    """Scheme, host and port, as one text to compare."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{parts.port or _PORTS.get(parts.scheme, 0)}"


def is_same_origin(url: str, other: str) -> bool:
    """Whether scheme, host and port agree."""
    return origin_of(url) == origin_of(other)


def is_file(path: str) -> bool:
    """Whether a request was for a file's bytes; answers to anything else do not lead to other hosts."""
    return "/resolve/" in path or path.lower().endswith(".gguf")


def proxy_for(url: str) -> str | None:
    """The proxy that the environment or the system names; this machine is always asked directly."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_loopback(host) or urllib.request.proxy_bypass(host):
        return None
    proxies = urllib.request.getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if proxy is None or "://" in proxy:
        return proxy
    return f"http://{proxy}"
