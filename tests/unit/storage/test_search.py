from __future__ import annotations

import itertools
import re
import unicodedata
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from storage.records import Filter, FoundIn, Generation, Part, PartKind
from storage.search import N_NAMES, Order
from storage.snippets import MATCH_END, MATCH_START
from storage.store import Store
from tests.helpers.databases import fill, run_sql, text


def say(store: Store, *texts: str, kind: PartKind = "text") -> list[int]:
    conversation = store.conversations.create(title="T").id
    return [store.conversations.append(conversation, None, "user", [Part(kind, t)]).id for t in texts]


def marked(snippet: str) -> list[str]:
    return re.findall(f"{MATCH_START}(.*?){MATCH_END}", snippet)


CODE = "Call llama_get_logits_ith(ctx, -1) and pass --n-cpu-moe 12 to the C++ server at v1.2.3."
CHINESE = "混合专家模型（MoE）用GPU加速，也叫稀疏模型。"
JAPANESE = "専門家の混合モデルについて教えてください"
KOREAN = "전문가 혼합 모델을 설명해 주세요"
ENGLISH = "A Mixture of Experts wakes few experts; naïve café users don't notice."


@pytest.mark.parametrize(
    ("content", "query", "match"),
    [
        (CODE, "llama_get_logits_ith", "llama_get_logits_ith"),
        (CODE, "get_logits_ith", "get_logits_ith"),
        (CODE, "get_logi", "get_logi"),
        (CODE, "logits", "logits"),
        (CODE, "--n-cpu-moe", "n-cpu-moe"),
        (CODE, "n-cpu", "n-cpu"),
        (CODE, "c++", "C"),
        (CODE, "v1.2", "v1.2"),
        (CODE, "ctx, -1", "ctx"),
        (CHINESE, "专家", "专家"),
        (CHINESE, "混合", "混合"),
        (CHINESE, "合专家模", "合专家模"),
        (CHINESE, "型", "型"),
        (CHINESE, "GPU加速", "GPU"),
        (CHINESE, "用gpu", "GPU"),
        (CHINESE, "moe 稀疏", "稀疏"),
        (JAPANESE, "モデル", "モデル"),
        (JAPANESE, "専門", "専門"),
        (KOREAN, "혼합", "혼합"),
        (KOREAN, "모델", "모델"),
        (ENGLISH, "mixture", "Mixture"),
        (ENGLISH, "EXPERTS", "Experts"),
        (ENGLISH, "exper", "Exper"),
        (ENGLISH, "naive cafe", "café"),
        (ENGLISH, "CAFÉ", "café"),
        (ENGLISH, "cafe\u0301", "café"),
        (ENGLISH, '"mixture of experts"', "Mixture of Experts"),
        (ENGLISH, "few   wakes", "wakes"),
        (ENGLISH, "don't", "don't"),
        ("cafe\u0301 au lait", "café", "cafe\u0301"),
        ("GROẞ und ﬁn", "und", "und"),
    ],
)
def test_found_and_marked(store: Store, content: str, query: str, match: str) -> None:
    say(store, "something else entirely 别的", content)
    hits = store.search.find(query)
    assert [hit.message_id for hit in hits] == [2]
    assert match in marked(hits[0].snippet), hits[0].snippet


@pytest.mark.parametrize(
    ("content", "query"),
    [
        (ENGLISH, "experts mixtures"),
        (ENGLISH, '"experts mixture"'),
        (ENGLISH, '"mixture of exp"'),
        (ENGLISH, "xperts"),
        (ENGLISH, "mixt wakes"),
        (CODE, "logits_get"),
        (CHINESE, "专模"),
        (CHINESE, "家专"),
        (CHINESE, "模型混合"),
        (ENGLISH, "e"),
    ],
)
def test_not_found(store: Store, content: str, query: str) -> None:
    say(store, content)
    assert store.search.find(query) == []


@pytest.mark.parametrize(
    "query",
    ["", " ", "*", '"', '""', '" "', "'", "(", ")", "-", "--", "^", ":", "{text}:", "NEAR(a b)", "a AND",
     "OR", "NOT", "a NOT b", "text: a", "a*b", "a\0b", "\0", "\ud800", "专\0家", "・", "🎉", "%_",
     "a" * 5000, "a " * 5000, '"a' * 300, "专" * 5000, "{reasoning} : (x)", "; DROP TABLE parts",
     "\u0301", "x" + "\u0301" * 300],
)  # fmt: skip
def test_hostile_text_never_raises(store: Store, query: str) -> None:
    say(store, ENGLISH, CHINESE)
    parts: tuple[FoundIn | None, ...] = (None, "text", "reasoning", "title", "file")
    orders: tuple[Order, ...] = ("newest", "relevance")
    for part, order in itertools.product(parts, orders):
        store.search.find(query, Filter(part=part), order=order)
    assert store._database.query("SELECT count(*) FROM parts")[0][0] == 2


@given(st.text(max_size=40) | st.text(st.sampled_from('ab"*()-+^:{}专家 \0NEAROT'), max_size=40))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_raises(store: Store, query: str) -> None:
    store.search.find(query)


ALPHABET = st.sampled_from("abC_é专家模 \n-.\"'1🎉")


@given(content=st.text(ALPHABET, min_size=1, max_size=60), data=st.data())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_word_and_every_cjk_pair_of_a_text_finds_it(
    store: Store, content: str, data: st.DataObject
) -> None:
    (message_id,) = say(store, content)
    queries = (
        re.findall(r"\S+", content)
        + re.findall("(?=([专家模]{2}))", content)
        + re.findall("[专家模]", content)
    )
    queries = [query for query in queries if re.search("[abCé1专家模]", query)]
    if queries:
        query = data.draw(st.sampled_from(queries))
        assert message_id in [hit.message_id for hit in store.search.find(query, limit=100_000)]


@pytest.mark.parametrize("words", ["한글 모델", "ガイド", "naïve café"])
def test_decomposed_text_is_found_by_composed_words_and_the_other_way(store: Store, words: str) -> None:
    """Names pasted from a Mac's file manager are decomposed."""
    ids = say(store, unicodedata.normalize("NFD", words), unicodedata.normalize("NFC", words))
    for form in ("NFC", "NFD"):
        assert [hit.message_id for hit in store.search.find(unicodedata.normalize(form, words))] == ids[::-1]


def test_newest_first_and_limited(store: Store) -> None:
    ids = say(store, *["experts"] * 5)
    assert [hit.message_id for hit in store.search.find("experts")] == ids[::-1]
    assert [hit.message_id for hit in store.search.find("experts", limit=2)] == ids[:-3:-1]


def test_kinds_are_told_apart(store: Store) -> None:
    conversation = store.conversations.create(title="Title").id
    parts = [Part("reasoning", "secret experts"), Part("text", "plain experts")]
    message = store.conversations.append(conversation, None, "assistant", parts)
    assert [hit.part for hit in store.search.find("experts")] == ["reasoning", "text"]
    assert [hit.part for hit in store.search.find("experts", Filter(part="text"))] == ["text"]
    assert store.search.find("secret plain") == []
    assert store.search.find("secret", Filter(part="text")) == []
    (hit,) = store.search.find("secret")
    assert (hit.conversation_id, hit.message_id, hit.title) == (conversation, message.id, "Title")
    assert hit.created_at == message.created_at


def test_snippet_is_short_one_line_and_around_the_match(store: Store) -> None:
    words = [f"word{n}" for n in range(3000)]
    say(store, "\n\n".join(words))
    (hit,) = store.search.find("word1500")
    assert f"{MATCH_START}word1500{MATCH_END}" in hit.snippet
    assert hit.snippet.startswith("…word149")
    assert hit.snippet.endswith("…")
    assert "\n" not in hit.snippet
    assert len(hit.snippet) < 90


def test_marks_in_a_text_are_not_taken_for_ours(store: Store) -> None:
    say(store, f"{MATCH_START}fake{MATCH_END} experts")
    (hit,) = store.search.find("experts")
    assert marked(hit.snippet) == ["experts"]


def test_rebuilding_repairs_the_index(store: Store) -> None:
    say(store, ENGLISH, CHINESE)
    database = store._database
    with database.transaction():
        database.execute("INSERT INTO search (search) VALUES ('delete-all')")
    assert len(store.conversations.verify()) == 2
    store.search.rebuild()
    assert store.conversations.verify() == []
    assert store.search.find("专家")


def test_index_that_a_migration_emptied_is_filled_at_the_door(path: Path, store: Store) -> None:
    say(store, ENGLISH, CHINESE)
    store.close()
    run_sql(path, "INSERT INTO search (search) VALUES ('delete-all')")
    again = Store(path)
    try:
        assert [hit.message_id for hit in again.search.find("专家")] == [2]
        assert again.conversations.verify() == []
    finally:
        again.close()


def test_titles_are_found_first_and_follow_their_conversation(store: Store) -> None:
    conversations = store.conversations
    zebra = conversations.create(title="Zebra crossing 斑马线").id
    conversations.append(zebra, None, "user", text("horse"))
    (said,) = say(store, "a zebra said so")
    hits = store.search.find("zeb")
    assert [(hit.part, hit.message_id) for hit in hits] == [("title", 1), ("text", said)]
    assert marked(hits[0].snippet) == ["Zeb"]
    assert [hit.part for hit in store.search.find("斑马")] == ["title"]
    assert store.search.find("zebra horse") == []
    conversations.rename(zebra, "Tapir")
    assert [hit.part for hit in store.search.find("zebra")] == ["text"]
    assert [hit.title for hit in store.search.find("tapir", Filter(part="title"))] == ["Tapir"]
    store.trash.delete(zebra)
    assert store.search.find("tapir") == []
    assert conversations.verify() == []


def test_few_titles_stand_before_what_was_said(store: Store) -> None:
    for n in range(N_NAMES + 3):
        conversation = store.conversations.create(title=f"experts {n}").id
        store.conversations.append(conversation, None, "user", text("experts"))
    parts = [hit.part for hit in store.search.find("experts", limit=10)]
    assert parts == ["title"] * N_NAMES + ["text"] * (10 - N_NAMES)
    assert len(store.search.find("experts", Filter(part="title"))) == N_NAMES + 3
    assert [hit.title for hit in store.search.find("experts", Filter(part="title"), limit=1)] == [
        f"experts {N_NAMES + 2}"
    ]


def test_filters(store: Store) -> None:
    fill(store)

    def found(where: Filter, words: str = "expe") -> set[int]:
        return {hit.message_id for hit in store.search.find(words, where)}

    everything = found(Filter())
    assert everything >= {1, 2}
    assert found(Filter(role="user")) < everything
    assert found(Filter(role="assistant", part="text")) <= everything - found(Filter(role="user"))
    assert found(Filter(rating=1)) == {2}
    assert found(Filter(rating=-1)) == set()
    assert found(Filter(tags=("MOE",))) == everything
    assert found(Filter(tags=("moe", "other"))) == set()
    assert found(Filter(folder="Work"), "networks") == {3}
    assert found(Filter(folder="work/models"), "networks") == {3}
    assert found(Filter(folder="Wor"), "networks") == set()
    assert found(Filter(folder=""), "networks") == set()
    assert found(Filter(model="starter"), "networks") == {3}
    assert found(Filter(model="other"), "networks") == set()
    assert found(Filter(conversation_id=2)) == {7}
    assert found(Filter(is_archived=True), "this") == {8, 9}
    assert found(Filter(is_archived=False), "this") == set()
    assert found(Filter(), "nonsense") == set()
    assert found(Filter(is_in_trash=True), "nonsense") == {10}
    assert found(Filter(is_pinned=True)) == found(Filter(conversation_id=1))
    now = datetime.now(UTC)
    assert found(Filter(since=now - timedelta(hours=1), until=now + timedelta(hours=1))) == everything
    assert found(Filter(since=now + timedelta(hours=1))) == set()
    assert found(Filter(until=now - timedelta(hours=1))) == set()


def test_filters_leave_as_many_as_were_asked_for(store: Store) -> None:
    ids = say(store, *["experts"] * 30)
    rare = store.conversations.create(title="R").id
    kept = [store.conversations.append(rare, None, "user", text("experts")).id for _ in range(3)]
    store.shelf.tag(rare, "rare")
    say(store, *["experts"] * 30)
    hits = store.search.find("experts", Filter(tags=("rare",)), limit=2)
    assert [hit.message_id for hit in hits] == kept[:0:-1]
    assert ids[0] not in [hit.message_id for hit in hits]


@pytest.mark.parametrize(
    "where",
    [
        Filter(tags=("odd",)),
        Filter(folder="F"),
        Filter(is_pinned=True),
        Filter(conversation_id=3),
        Filter(rating=1),
        Filter(model="rare"),
        Filter(model="common", rating=1),
        Filter(model="common", tags=("odd",)),
    ],
)
def test_few_are_looked_up_with_the_same_outcome(
    store: Store, monkeypatch: pytest.MonkeyPatch, where: Filter
) -> None:
    for n in range(1, 9):
        conversation = store.conversations.create().id
        ids = [
            store.conversations.append(
                conversation, None, "assistant", text("experts"), generation=Generation(model)
            ).id
            for model in ("common", "common", "rare")
        ]
        if n % 2:
            store.shelf.tag(conversation, "odd")
            store.shelf.move(conversation, "F/G")
            store.shelf.pin(conversation)
            store.ratings.rate(ids[n % 3], 1)
    store.trash.put(5)
    looked_up = store.search.find("experts", where)
    assert looked_up
    monkeypatch.setattr("storage.search.N_RANGES", 0)
    assert store.search.find("experts", where) == looked_up


def test_relevance_puts_what_is_most_about_the_words_first(store: Store) -> None:
    ids = say(
        store,
        "Experts. " + "Something else altogether, about nothing in particular. " * 30 + "Mixture.",
        "A mixture of experts wakes few experts; the mixture of experts is sparse.",
        "Of a mixture, and of experts " * 2 + "and more of other things " * 10,
        "专家 mixture experts",
    )
    by_relevance = [hit.message_id for hit in store.search.find("mixture of experts", order="relevance")]
    assert by_relevance == [ids[1], ids[2]]
    best, *_rest, worst = [h.message_id for h in store.search.find("experts mixture", order="relevance")]
    assert (best, worst) == (ids[1], ids[0])
    assert len(store.search.find("experts", order="relevance", limit=2)) == 2
    assert store.search.find("absent", order="relevance") == []


def test_reading_stops_when_there_is_enough(store: Store) -> None:
    """Newest first costs the same however much there is: nothing is sorted."""
    say(store, "experts")
    plans: list[str] = []
    query = store._database.query

    def explained(sql: str, parameters: Any = ()) -> list[Any]:
        plans.extend(row["detail"] for row in query(f"EXPLAIN QUERY PLAN {sql}", parameters))
        return query(sql, parameters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store._database, "query", explained)
        store.search.find("experts", Filter(part="text"))
    assert any("search VIRTUAL TABLE" in plan for plan in plans)
    assert not [plan for plan in plans if "TEMP B-TREE" in plan]
