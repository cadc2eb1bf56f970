"""What stands between here and a hub: proxies, certificates, lying names, and the offline switch."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from model_manager.errors import (
    BadCertificateFile,
    CertificateRefused,
    HostRefused,
    Offline,
    ProxyFailed,
    ProxyUnusable,
    TransferCancelled,
)
from model_manager.hosts import is_private, is_proxy, origin_of, proxy_for, without_secrets
from model_manager.http import Http
from model_manager.hub import Hub
from model_manager.tokens import Tokens
from model_manager.transfer import Transfer, TransferOptions
from tests.helpers.certificates import server_context
from tests.helpers.hub_server import HubServer, random_bytes
from tests.helpers.proxies import Kind, Proxy

REPO = "o/Model-GGUF"
FILE = "m-Q4_K_M.gguf"
HUB, CDN = "hub.example", "cdn.example"
OPTIONS = TransferOptions(timeout_s=10, max_retries=1, backoff_s=0.01, reserve_bytes=0)


@pytest.fixture(autouse=True)
def no_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def plain() -> Iterator[HubServer]:
    with HubServer() as server:
        server.endpoint, server.cdn_endpoint = f"http://{HUB}", f"http://{CDN}"
        server.add(REPO, FILE, random_bytes(3 << 20))
        yield server


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[HubServer, str]]:
    context, ca_file = server_context(tmp_path, HUB, CDN)
    with HubServer(context) as server:
        server.endpoint, server.cdn_endpoint = f"https://{HUB}", f"https://{CDN}"
        server.add(REPO, FILE, random_bytes(1 << 20))
        yield server, str(ca_file)


def proxy_before(server: HubServer, kind: Kind) -> Proxy:
    return Proxy(kind, {HUB: server.places["hub"], CDN: server.places["cdn"]})


def fetch(http: Http, server: HubServer, folder: Path, tokens: Tokens | None = None) -> Path:
    hub = Hub(http, server.endpoint, tokens)
    try:
        (file,) = hub.resolve(f"{REPO}/{FILE}").files
        token = hub.token_for(file.url)
        transfer = Transfer(http, file.url, folder / FILE, sha256=file.sha256, token=token, options=OPTIONS)
        return transfer.run(lambda: False)
    finally:
        hub.close()
        http.close()


@pytest.mark.parametrize("kind", ["http", "socks"])
def test_download_through_a_proxy_that_alone_knows_the_names(
    plain: HubServer, tmp_path: Path, kind: Kind
) -> None:
    with proxy_before(plain, kind) as proxy:
        path = fetch(Http(proxy=lambda: proxy.url), plain, tmp_path)
    assert path.read_bytes() == plain.repos[REPO].files[FILE].content
    assert {HUB, CDN} == {asked.partition(":")[0] for asked in proxy.asked}


@pytest.mark.parametrize("kind", ["http", "socks"])
def test_tls_through_a_proxy_with_an_authority_of_ones_own(
    secure: tuple[HubServer, str], tmp_path: Path, kind: Kind
) -> None:
    server, ca_file = secure
    tokens = Tokens({origin_of(server.endpoint): "hf_x"})
    with proxy_before(server, kind) as proxy:
        path = fetch(Http(proxy=lambda: proxy.url, ca_file=lambda: ca_file), server, tmp_path, tokens)
    assert path.read_bytes() == server.repos[REPO].files[FILE].content
    sent = {(seen.server, seen.headers.get("authorization")) for seen in server.requests}
    assert sent == {("hub", "Bearer hf_x"), ("cdn", None)}


def test_proxy_of_the_environment(plain: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with proxy_before(plain, "http") as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert fetch(Http(), plain, tmp_path).exists()
        assert proxy.asked


def test_authority_of_the_environment_and_none_at_all(
    secure: tuple[HubServer, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, ca_file = secure
    with proxy_before(server, "http") as proxy:
        with pytest.raises(CertificateRefused) as caught:
            fetch(Http(proxy=lambda: proxy.url), server, tmp_path)
        assert caught.value.host == HUB
        assert not server.requests
        monkeypatch.setenv("SSL_CERT_FILE", ca_file)
        assert fetch(Http(proxy=lambda: proxy.url), server, tmp_path).exists()


def test_certificate_for_another_name_is_refused(tmp_path: Path) -> None:
    context, ca_file = server_context(tmp_path, "other.example")
    with HubServer(context) as server:
        server.endpoint = f"https://{HUB}"
        with proxy_before(server, "http") as proxy, pytest.raises(CertificateRefused):
            fetch(Http(proxy=lambda: proxy.url, ca_file=lambda: str(ca_file)), server, tmp_path)


@pytest.mark.parametrize("content", [None, b"", b"not PEM", b"-----BEGIN CERTIFICATE-----\nxx\n"])
def test_file_that_is_no_authority_is_said_and_nothing_sent(
    secure: tuple[HubServer, str], tmp_path: Path, content: bytes | None
) -> None:
    server, _ca_file = secure
    bad = tmp_path / "bad.pem"
    if content is not None:
        bad.write_bytes(content)
    with proxy_before(server, "http") as proxy:
        with pytest.raises(BadCertificateFile) as caught:
            fetch(Http(proxy=lambda: proxy.url, ca_file=lambda: str(bad)), server, tmp_path)
        assert str(caught.value.path) == str(bad)
        assert not proxy.asked


@pytest.mark.parametrize("kind", ["http", "socks"])
def test_proxy_that_refuses_or_is_gone(secure: tuple[HubServer, str], tmp_path: Path, kind: Kind) -> None:
    server, ca_file = secure
    with proxy_before(server, kind) as proxy:
        proxy.refuses = True
        with pytest.raises(ProxyFailed):
            fetch(Http(proxy=lambda: proxy.url, ca_file=lambda: ca_file), server, tmp_path)
    with pytest.raises(ProxyFailed) as caught:
        fetch(Http(proxy=lambda: proxy.url, ca_file=lambda: ca_file), server, tmp_path)
    assert caught.value.host == HUB


def test_what_is_no_proxy_is_said(plain: HubServer, tmp_path: Path) -> None:
    with pytest.raises(ProxyUnusable) as caught:
        fetch(Http(proxy=lambda: "socks4://me:secret@127.0.0.1:1"), plain, tmp_path)
    assert caught.value.proxy == "socks4://127.0.0.1:1"


def test_going_offline_cuts_a_download_which_goes_on_later(plain: HubServer, tmp_path: Path) -> None:
    is_offline = False
    with proxy_before(plain, "http") as proxy:
        http = Http(offline=lambda: is_offline, proxy=lambda: proxy.url)
        hub = Hub(http, plain.endpoint)
        (file,) = hub.resolve(f"{REPO}/{FILE}").files
        plain.misbehave("body", stall_after=1 << 20)

        def transfer() -> Transfer:
            return Transfer(http, file.url, tmp_path / FILE, sha256=file.sha256, options=OPTIONS)

        first = transfer()

        def switch() -> bool:
            nonlocal is_offline
            if not is_offline and first.received_bytes >= 1 << 19:
                is_offline = True
                http.hang_up()
            return False

        with pytest.raises(Offline):
            first.run(switch)
        n_asked = len(proxy.asked)
        with pytest.raises(Offline):
            transfer().run(lambda: False)
        assert len(proxy.asked) == n_asked
        assert not (tmp_path / FILE).exists()
        is_offline = False
        plain.behave()
        sent_bytes = plain.sent_bytes
        assert transfer().run(lambda: False).stat().st_size == 3 << 20
        assert plain.sent_bytes - sent_bytes < 3 << 20, "what had arrived was kept"
        hub.close()
        http.close()


def test_a_public_name_for_a_private_address_is_refused(
    secure: tuple[HubServer, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, ca_file = secure
    look_up = socket.getaddrinfo

    def lying(host: Any, *arguments: Any, **named: Any) -> Any:
        return look_up("127.0.0.1" if host in (HUB, CDN) else host, *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", lying)
    for kind, name in (("hub", HUB), ("cdn", CDN)):
        port = server.places[kind].partition(":")[2]
        setattr(server, "endpoint" if kind == "hub" else "cdn_endpoint", f"https://{name}:{port}")
    # A person has named the hub, wherever it is; the storage server was only led to.
    with pytest.raises(HostRefused) as caught:
        fetch(Http(ca_file=lambda: ca_file), server, tmp_path)
    assert caught.value.host == CDN
    assert {seen.server for seen in server.requests} == {"hub"}


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("10.1.2.3", True),
        ("192.168.0.9", True),
        ("169.254.169.254", True),
        ("100.64.0.1", True),
        ("fd00::1", True),
        ("[fe80::1%eth0]", True),
        ("127.0.0.1", True),
        ("printer.local", True),
        ("nas", True),
        ("box.home.arpa", True),
        ("1.1.1.1", False),
        ("2606:4700::1", False),
        ("hub.example", False),
    ],
)
def test_private_hosts(host: str, expected: bool) -> None:
    assert is_private(host) is expected


REPO_FILE = "/o/r/resolve/main/x.gguf"


@pytest.mark.parametrize(
    ("named", "target", "is_allowed"),
    [
        ("https://hub.example", "https://10.0.0.5/x", False),
        ("https://hub.example", "https://nas/x", False),
        ("https://hub.example", "https://169.254.169.254/latest", False),
        ("http://hub.example", "http://cdn.example/x", True),
        ("http://10.0.0.2:8080", "http://10.0.0.3:9000/x", True),
        ("https://10.0.0.2", "https://10.0.0.3/x", True),
        ("https://10.0.0.2", "http://10.0.0.3/x", False),
        ("http://10.0.0.2:8080", "http://127.0.0.1/x", False),
        ("https://hub.example", "file:///etc/passwd", False),
    ],
)
def test_redirects_into_private_networks(named: str, target: str, is_allowed: bool) -> None:
    http = Http()
    http.allow(named)
    if is_allowed:
        http.rules.admit_redirect(f"{named}{REPO_FILE}", target)
        http.rules.admit(target)
        assert not http.rules.carries_token(target)
    else:
        with pytest.raises(HostRefused):
            http.rules.admit_redirect(f"{named}{REPO_FILE}", target)
        with pytest.raises(HostRefused):
            http.rules.admit(target.replace("127.0.0.1", "127.0.0.1.example"))
    http.close()


def test_addresses_of_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_proxy("socks5h://p.example:1080")
    assert not is_proxy("socks4://p.example:1080")
    assert not is_proxy("p.example:1080")
    assert not is_proxy("http://p.example")
    assert without_secrets("http://me:hush@p.example:1") == "http://p.example:1"
    assert proxy_for("https://hub.example/x", "none") is None
    assert proxy_for("https://hub.example/x", "http://p.example:1") == "http://p.example:1"
    assert proxy_for("https://127.0.0.1/x", "http://p.example:1") is None
    monkeypatch.setenv("no_proxy", "hub.example")
    assert proxy_for("https://hub.example/x", "http://p.example:1") is None


def test_a_cut_is_no_cancel() -> None:
    assert not issubclass(Offline, TransferCancelled)
