"""Searching a hub and grouping what a repository holds, against a hub on this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from model_manager.errors import HubUnavailable, ModelManagerError, NotOnHub, Offline, RateLimited
from model_manager.fit_types import Machine
from model_manager.http import Http
from model_manager.hub import Hub, SearchOrder
from model_manager.offers import recommended, shelf_of
from model_manager.quantizations import quality_of
from model_manager.types import HubFile, HubModel
from tests.helpers.hub_server import HubServer, random_bytes
from tests.helpers.known_templates import TEMPLATES

GIB = 2**30


@pytest.fixture
def server() -> Iterator[HubServer]:
    with HubServer() as server:
        for number, (name, architecture, license_name) in enumerate(
            [
                ("ann/Small-4B-GGUF", "qwen3", "apache-2.0"),
                ("ann/Mix-30B-A3B-GGUF", "qwen3moe", "apache-2.0"),
                ("bob/Mixture-GGUF", "gpt-oss", "mit"),
            ]
        ):
            server.add(name, "model-Q4_K_M.gguf", random_bytes(100))
            repo = server.repos[name]
            repo.downloads, repo.likes, repo.trending = 10 * number, 100 - number, [5, 9, 1][number]
            repo.modified_at = f"2026-03-0{[2, 1, 3][number]}T00:00:00.000Z"
            repo.license = license_name
            repo.gguf = {"total": 10**9 * (number + 1), "architecture": architecture, "context_length": 4096}
        server.add("bob/Weights", "model.safetensors", random_bytes(100))
        yield server


@pytest.fixture
def hub(server: HubServer) -> Iterator[Hub]:
    door = Http()
    hub = Hub(door, server.endpoint)
    yield hub
    hub.close()
    door.close()


def names(hub: Hub, text: str = "", **options: object) -> list[str]:
    return [facts.repo_id for facts in hub.search(text, **options)]  # type: ignore[arg-type]  # a test's own


def test_facts_are_read(hub: Hub) -> None:
    (facts,) = hub.search("mix-30b")
    assert (facts.repo_id, facts.downloads, facts.likes, facts.trending) == (
        "ann/Mix-30B-A3B-GGUF",
        10,
        99,
        9,
    )
    assert (facts.architecture, facts.total_params, facts.n_ctx_train_tokens) == ("qwen3moe", 2 * 10**9, 4096)
    assert (facts.license, facts.modified_at) == ("apache-2.0", "2026-03-01T00:00:00+00:00")
    assert facts.is_moe


@pytest.mark.parametrize(
    ("sort", "order"),
    [("downloads", "BMS"), ("likes", "SMB"), ("trending", "MSB"), ("modified", "BSM")],
)
def test_order_and_filters(hub: Hub, sort: SearchOrder, order: str) -> None:
    full = {"S": "ann/Small-4B-GGUF", "M": "ann/Mix-30B-A3B-GGUF", "B": "bob/Mixture-GGUF"}
    assert names(hub, sort=sort) == [full[letter] for letter in order]
    assert names(hub, sort=sort, limit=1) == [full[order[0]]]
    assert names(hub, sort=sort, moe_only=True) == [full[letter] for letter in order if letter != "S"]


@pytest.mark.parametrize(
    ("name", "is_reasoning"),
    [
        ("Qwen-Qwen3-0.6B", True),
        ("deepseek-ai-DeepSeek-V3.1", True),
        ("openai-gpt-oss-120b", True),
        ("google-gemma-4-31B-it", True),
        ("MiniMax-M3", True),
        ("LFM2.5-8B-A1B", True),
        ("LFM2-8B-A1B", False),
        ("Qwen3-Coder", False),
        ("meta-llama-Llama-3.3-70B-Instruct", False),
        ("ibm-granite-granite-4.0", False),
    ],
)
def test_who_reasons_is_read_from_the_template(
    hub: Hub, server: HubServer, name: str, is_reasoning: bool
) -> None:
    template = (TEMPLATES / f"{name}.jinja").read_text("utf-8")
    server.add("o/some-GGUF", "some-Q4_K_M.gguf", b"")
    server.repos["o/some-GGUF"].gguf = {"architecture": "llama", "chat_template": template}
    (facts,) = hub.search("some")
    assert facts.is_reasoning is is_reasoning


def test_filters(hub: Hub) -> None:
    assert names(hub, author="bob") == ["bob/Mixture-GGUF"]
    assert names(hub, license_name="MIT") == ["bob/Mixture-GGUF"]
    assert names(hub, author="nobody") == []
    assert names(hub, "weights") == []


def test_pages_are_followed_no_further_than_needed(hub: Hub, server: HubServer) -> None:
    server.page_size = 1
    assert len(names(hub, limit=2)) == 2
    assert [seen.path for seen in server.requests] == ["/api/models"] * 2
    assert server.requests[1].query["filter"] == ["gguf"]


@pytest.mark.parametrize(
    "answer",
    ["{}", "5", '"text"', "null", "<html>", '{"error": "x"}', "[[[[", ""],
)
def test_garbage_is_an_unavailable_hub(hub: Hub, server: HubServer, answer: str) -> None:
    server.misbehave("api", answer=answer)
    with pytest.raises(HubUnavailable):
        hub.search("x")
    server.misbehave("api", answer=answer)
    with pytest.raises(HubUnavailable):
        hub.model_info("ann/Small-4B-GGUF")


def test_entries_that_make_no_sense_are_left_out(hub: Hub, server: HubServer) -> None:
    server.misbehave(
        "api",
        answer='[5, null, {}, {"id": "a/odd", "gguf": 7, "tags": "x", "downloads": "many", "likes": -3,'
        ' "trendingScore": 1e400, "cardData": [], "lastModified": 0},'
        ' {"id": "a/when", "lastModified": "never"}, {"id": "a/good", "gguf": {"total": true}}]',
    )
    found = hub.search("x")
    assert [facts.repo_id for facts in found] == ["a/odd", "a/good"]
    assert (found[0].downloads, found[0].likes, found[0].trending, found[0].architecture) == (0, 0, 0.0, "")
    assert found[1].total_params == 0


def test_a_listing_leads_nowhere_else(hub: Hub, server: HubServer) -> None:
    link = '<https://elsewhere.example/api/models>; rel="next"'
    server.misbehave("api", answer='[{"id": "a/b"}]', headers={"Link": link})
    with pytest.raises(ModelManagerError):
        hub.search("x")


@pytest.mark.parametrize(("status", "error"), [(429, RateLimited), (500, HubUnavailable), (404, NotOnHub)])
def test_refusals_come_at_once(
    hub: Hub, server: HubServer, status: int, error: type[ModelManagerError]
) -> None:
    server.misbehave("api", status=status, times=-1)
    with pytest.raises(error):
        hub.search("x")
    assert len(server.requests) == 1


def test_offline_and_down() -> None:
    for door, endpoint, error in (
        (Http(offline=lambda: True), "https://hub.example", Offline),
        (Http(), "http://127.0.0.1:9", HubUnavailable),
    ):
        hub = Hub(door, endpoint)
        with pytest.raises(error):
            hub.search("x")
        hub.close()
        door.close()


def test_card(hub: Hub, server: HubServer) -> None:
    name = "ann/Small-4B-GGUF"
    assert hub.card(hub.model_info(name)) == ""
    server.add(name, "README.md", b"# Small\n\xff" + b"x" * (1 << 20))
    card = hub.card(hub.model_info(name))
    assert card.startswith("# Small\n\N{REPLACEMENT CHARACTER}xx")
    assert len(card) < 300_000


def model(*files: tuple[str, int]) -> HubModel:
    return HubModel("a/b", "main", tuple(HubFile(path, size_bytes, None) for path, size_bytes in files))


def test_files_are_grouped() -> None:
    shelf = shelf_of(
        model(
            ("b-Q4_K_M.gguf", 4 * GIB),
            ("Q8_0/b-Q8_0-00001-of-00002.gguf", 4 * GIB),
            ("Q8_0/b-Q8_0-00002-of-00002.gguf", 3 * GIB),
            ("b-Q6_K-00001-of-00002.gguf", 3 * GIB),
            ("mmproj-F16.gguf", GIB),
            ("b.imatrix.gguf", 1),
            ("README.md", 1),
            ("old/b-Q2_K.gguf", 2 * GIB),
            ("new/b-Q2_K.gguf", GIB),
            ("folder/plain.gguf", 1),
        ),
        Machine(16 * GIB),
    )
    assert [(offer.ref, offer.size_bytes) for offer in shelf.offers] == [
        ("a/b:Q8_0", 7 * GIB),
        ("a/b:Q4_K_M", 4 * GIB),
        ("a/b/old/b-Q2_K.gguf", 2 * GIB),
        ("a/b/new/b-Q2_K.gguf", GIB),
        ("a/b/folder/plain.gguf", 1),
    ]
    assert [file.path for file in shelf.projectors] == ["mmproj-F16.gguf"]
    assert [file.path for file in shelf.incomplete] == ["b-Q6_K-00001-of-00002.gguf"]


@pytest.mark.parametrize(
    ("ram_gib", "best"), [(64, "Q5_K_M"), (7, "Q4_K_M"), (4.5, "Q2_K"), (3.4, "Q2_K"), (2, None)]
)
def test_recommendation_follows_the_memory(ram_gib: float, best: str | None) -> None:
    files = [("F16", 16), ("Q8_0", 8.5), ("Q5_K_M", 5.7), ("Q4_K_M", 4.9), ("Q2_K", 2.9)]
    shelf = shelf_of(
        model(*((f"m-{name}.gguf", int(size * GIB)) for name, size in files)), Machine(int(ram_gib * GIB))
    )
    chosen = [offer.label for offer in recommended(shelf.offers) if offer.is_recommended]
    assert chosen == ([best] if best else [])


@pytest.mark.parametrize(
    ("label", "grade"),
    [
        ("Q4_K_M", "good"),
        ("UD-Q4_K_XL", "good"),
        ("ud-q2_k_xl", "broken"),
        ("Q3_K_XL", "fair"),
        ("Q6_K_L", "same"),
        ("UD-Q8_K_XL", "same"),
        ("MXFP4_MOE", "good"),
        ("BF16", "exact"),
        ("Q5_K", "near"),
        ("mymodel", "unknown"),
        ("", "unknown"),
    ],
)
def test_quality_by_name(label: str, grade: str) -> None:
    assert quality_of(label).grade == grade


def test_figures_are_those_of_the_table_alone() -> None:
    assert quality_of("q4_k").perplexity_increase == quality_of("Q4_K_M").perplexity_increase == 0.1754
    assert quality_of("UD-Q4_K_XL").perplexity_increase is None
