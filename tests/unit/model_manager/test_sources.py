"""ModelScope, and files at any address, against a server on this machine; and whom each token goes to."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from model_manager.direct import disposition_name
from model_manager.errors import (
    AccessDenied,
    HashMismatch,
    HubUnavailable,
    InvalidReference,
    NotOnHub,
    UnsafeFilename,
)
from model_manager.hosts import origin_of
from model_manager.http import Http
from model_manager.hub import Hub
from model_manager.modelscope import ModelScope
from model_manager.references import HubReference, UrlReference
from model_manager.sources import Sources
from model_manager.tokens import Tokens, tokens_of
from model_manager.transfer import Transfer
from tests.helpers.hub_server import HubServer, random_bytes

REPO = "qwen/Small-MoE-A1B-GGUF"
FILE = "small-Q4_K_M.gguf"


@pytest.fixture
def server() -> Iterator[HubServer]:
    with HubServer() as hub:
        hub.add(REPO, "README.md", b"# small")
        hub.add(REPO, FILE, random_bytes(1000))
        hub.add(REPO, "Q8_0/small-Q8_0-00001-of-00002.gguf", random_bytes(2000, 2))
        hub.add(REPO, "Q8_0/small-Q8_0-00002-of-00002.gguf", random_bytes(3000, 3))
        hub.add("ann/weights", "model.safetensors", random_bytes(10))
        yield hub


@pytest.fixture
def http() -> Iterator[Http]:
    door = Http()
    yield door
    door.close()


def sources_at(http: Http, server: HubServer, tokens: Tokens | None = None) -> Sources:
    given = tokens or Tokens()
    # The hub is another: what is asked of this server, it is asked as ModelScope.
    return Sources(Hub(http, "http://127.0.0.1:9", given), ModelScope(http, server.endpoint, given), given)


@pytest.fixture
def sources(http: Http, server: HubServer) -> Sources:
    return sources_at(http, server)


def reference(sources: Sources, ref: str) -> HubReference:
    found = sources.parse(ref)
    assert isinstance(found, HubReference)
    return found


def test_modelscope_has_files_sizes_hashes_and_facts(sources: Sources, server: HubServer) -> None:
    model = sources.model_info(reference(sources, f"modelscope:{REPO}"))
    assert (model.source, model.revision, model.ref) == ("modelscope", "master", f"modelscope:{REPO}")
    files = server.repos[REPO].files.values()
    assert {file.path: (file.size_bytes, file.sha256) for file in model.files} == {
        file.path: (len(file.content), file.sha256) for file in files
    }
    assert model.facts is not None
    assert (model.facts.license, model.facts.downloads, model.facts.is_moe) == ("apache-2.0", 1234, True)
    assert sources.card(model) == "# small"


def test_modelscope_resolves_shards_below_a_folder_of_its_own(sources: Sources, tmp_path: Path) -> None:
    item = sources.resolve(f"modelscope:{REPO}:q8_0")
    assert [file.path for file in item.files] == [
        f"modelscope.cn/{REPO}/Q8_0/small-Q8_0-00001-of-00002.gguf",
        f"modelscope.cn/{REPO}/Q8_0/small-Q8_0-00002-of-00002.gguf",
    ]
    with pytest.raises(InvalidReference) as caught:
        sources.resolve(f"modelscope:{REPO}:Q2_K")
    assert "Q8_0" in caught.value.choices
    with pytest.raises(NotOnHub):
        sources.resolve("modelscope:nobody/nothing")


def test_modelscope_file_is_downloaded_over_its_storage_server(
    sources: Sources, server: HubServer, http: Http, tmp_path: Path
) -> None:
    (file,) = sources.resolve(f"modelscope:{REPO}/{FILE}").files
    transfer = Transfer(http, file.url, tmp_path / FILE, size_bytes=file.size_bytes, sha256=file.sha256)
    assert transfer.run(lambda: False).read_bytes() == server.repos[REPO].files[FILE].content
    assert {seen.server for seen in server.requests} == {"hub", "cdn"}


def test_modelscope_search_pages_and_filters(sources: Sources, server: HubServer) -> None:
    for n in range(120):
        server.add(f"many/M{n}-GGUF", "m.gguf", random_bytes(10))
        server.repos[f"many/M{n}-GGUF"].downloads = n
    found = sources.search("", source="modelscope", limit=110)
    assert len(found) == 110
    assert found[0].repo_id == REPO
    assert found[1].downloads == 119
    assert [facts.repo_id for facts in sources.search("small", source="modelscope", moe_only=True)] == [REPO]
    assert sources.search("weights", source="modelscope") == ()
    server.repos[REPO].license = "mit"
    assert sources.search("small", source="modelscope", license_name="apache-2.0") == ()
    assert len(sources.search("", source="modelscope", author="qwen")) == 1


@pytest.mark.parametrize(
    "answer",
    ["[]", "null", "{}", '{"data": [], "Data": {"Files": 3}}', "no json", '{"Data": {"Files": null}}'],
)
def test_nonsense_of_modelscope_is_said(sources: Sources, server: HubServer, answer: str) -> None:
    server.misbehave("api", answer=answer, times=-1)
    with pytest.raises(HubUnavailable):
        sources.search("x", source="modelscope")
    with pytest.raises(HubUnavailable):
        sources.model_info(reference(sources, f"modelscope:{REPO}"))


def test_names_of_modelscope_are_checked(sources: Sources, server: HubServer) -> None:
    server.add("evil/GGUF", "../../up.gguf", random_bytes(10))
    with pytest.raises(UnsafeFilename):
        sources.resolve("modelscope:evil/GGUF/../../up.gguf")


def test_pages_of_modelscope_are_understood(sources: Sources) -> None:
    found = reference(sources, f"https://www.modelscope.cn/models/{REPO}/resolve/master/a/{FILE}")
    assert (found.source, found.repo_id, found.path) == ("modelscope", REPO, f"a/{FILE}")
    found = reference(sources, f"https://modelscope.cn/models/{REPO}/files")
    assert (found.source, found.repo_id, found.path) == ("modelscope", REPO, None)


# --- any address ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('attachment; filename="plain.gguf"', "plain.gguf"),
        ("attachment; filename*=UTF-8''%E6%A8%A1%E5%9E%8B.gguf; filename=other.gguf", "模型.gguf"),
        ("attachment", ""),
        ("", ""),
        ('attachment; filename="a\r\nX: y.gguf"', "a  X: y.gguf"),
    ],
)
def test_name_of_a_disposition(disposition: str, name: str) -> None:
    assert disposition_name(disposition) == name


def test_file_behind_a_nameless_address(sources: Sources, server: HubServer) -> None:
    url = server.attach('attachment; filename="Tiny-Q4_0.gguf"', random_bytes(5000))
    item = sources.resolve(url)
    (file,) = item.files
    assert (item.name, file.path, file.size_bytes) == ("Tiny-Q4_0", "127.0.0.1/Tiny-Q4_0.gguf", 5000)
    assert server.sent_bytes <= 1


@pytest.mark.parametrize("name", ["../../up.gguf", "/etc/x.gguf", "C:\\x.gguf", "CON.gguf", "a\u202eb.gguf"])
def test_name_from_a_server_is_checked(sources: Sources, server: HubServer, name: str) -> None:
    from urllib.parse import quote

    url = server.attach(f"attachment; filename*=UTF-8''{quote(name)}", random_bytes(10))
    with pytest.raises(UnsafeFilename):
        sources.resolve(url)


def test_file_that_is_no_model_is_refused(sources: Sources, server: HubServer) -> None:
    for disposition in ('attachment; filename="setup.exe"', ""):
        with pytest.raises(InvalidReference):
            sources.resolve(server.attach(disposition, random_bytes(10)))
    with pytest.raises(NotOnHub):
        sources.resolve(f"{server.endpoint}/nothing?here")


def test_hash_in_an_address_decides(sources: Sources, server: HubServer, http: Http, tmp_path: Path) -> None:
    content = random_bytes(4000)
    server.add("o/r", "m.gguf", content)
    digest = hashlib.sha256(content).hexdigest()
    url = f"{server.endpoint}/direct/o/r/m.gguf"
    (file,) = sources.resolve(f"{url}#sha256={digest.upper()}").files
    assert (file.url, file.sha256) == (url, digest)
    Transfer(http, file.url, tmp_path / "m.gguf", sha256=file.sha256).run(lambda: False)
    (file,) = sources.resolve(f"{url}#sha256={'0' * 64}").files
    with pytest.raises(HashMismatch):
        Transfer(http, file.url, tmp_path / "n.gguf", sha256=file.sha256).run(lambda: False)
    assert not (tmp_path / "n.gguf").exists()
    with pytest.raises(InvalidReference):
        sources.parse(f"{url}#sha256=12")


@pytest.mark.parametrize(
    "ref",
    ["https://x.example/a.zip", "https://x.example/", "http://x.example/m.gguf", "ftp://x.example/m.gguf"],
)
def test_what_is_no_model_is_refused_before_it_is_asked(sources: Sources, ref: str) -> None:
    with pytest.raises(InvalidReference):
        sources.parse(ref)
    assert isinstance(sources.parse("https://x.example/get?id=3"), UrlReference)


# --- tokens -----------------------------------------------------------------------------------------------


def test_tokens_of_an_environment_are_for_its_own_endpoints() -> None:
    found = {"HF_TOKEN": "hf_a", "HF_ENDPOINT": "https://mirror.example/", "MODELSCOPE_API_TOKEN": "ms_b"}
    assert tokens_of(found.get) == {
        "https://mirror.example:443": "hf_a",
        "https://modelscope.cn:443": "ms_b",
    }
    assert tokens_of({"HF_TOKEN": "hf_a"}.get) == {"https://huggingface.co:443": "hf_a"}
    assert tokens_of({"HF_TOKEN": "bad\nheader"}.get) == {}


def test_a_token_opens_a_gated_repository_and_stays_with_its_host(http: Http, server: HubServer) -> None:
    server.repos[REPO].gated_token = "ms_right"
    with pytest.raises(AccessDenied):
        sources_at(http, server).resolve(f"modelscope:{REPO}")
    tokens = Tokens({origin_of(server.endpoint): "ms_right"})
    sources = sources_at(http, server, tokens)
    file = sources.resolve(f"modelscope:{REPO}").files[0]
    assert sources.token_for(file.url) == "ms_right"
    assert sources.token_for(f"{server.cdn_endpoint}/lfs/x") is None
    assert sources.token_for("http://127.0.0.1:9/o/r/resolve/main/x.gguf") is None


def test_token_of_who_asks_goes_first_and_only_for_that_one() -> None:
    origin, other = "https://hub.example:443", "https://mirror.example:443"
    tokens = Tokens({origin: "owner"}, {other: "kept"}.get)
    assert tokens.for_url("https://hub.example/o/r") == "owner"
    assert tokens.for_url("https://mirror.example/") == "kept"
    with tokens.of_caller({origin: "caller"}):
        assert tokens.for_url("https://hub.example/o/r") == "caller"
        assert tokens.for_url("https://mirror.example/") == "kept"
        seen: list[str | None] = []
        thread = threading.Thread(target=lambda: seen.append(tokens.for_url(origin)), name="other")
        thread.start()
        thread.join()
        tokens.lend("https://hub.example", "O/R")
    assert seen == ["owner"]
    assert tokens.for_url("https://hub.example", "x/y") == "owner"
    assert tokens.for_url("https://hub.example", "o/r") == "caller"
