"""Our own format: its import gives an equal tree, whatever was said."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from storage.exchange.carried import Broken, Carried
from storage.exchange.exporters import lossless
from storage.exchange.filing import Filing
from storage.exchange.reading import read
from storage.knowledge.records import Citation, Passage
from storage.records import Generation, Part
from storage.store import Store

# NUL, lone surrogates, right-to-left and combining text, and what must be escaped somewhere.
NASTY = st.text(
    st.one_of(
        st.sampled_from('\0\x1f\ud800\udfff\u202e\u0627\u0301"\\</script>\u2028\U0001f600é专'),
        st.characters(codec=None),
    ),
    max_size=30,
)
PARTS = st.lists(
    st.one_of(
        st.builds(Part, st.sampled_from(["text", "reasoning"]), NASTY),
        st.builds(Part, st.sampled_from(["tool_call", "tool_result"]), NASTY, NASTY, NASTY),
        st.builds(Part, st.just("image"), name=NASTY, data=st.binary(max_size=8)),
        st.builds(Part, st.just("file"), NASTY, NASTY, data=st.one_of(st.none(), st.binary(max_size=8))),
    ),
    max_size=4,
)
NUMBERS = st.one_of(st.none(), st.integers(0, 1 << 40))
REALS = st.one_of(st.none(), st.floats(0, 1e9))
GENERATIONS = st.builds(
    Generation,
    model_name=NASTY,
    engine=NASTY,
    parameters=st.dictionaries(
        NASTY, st.one_of(NASTY, st.booleans(), st.floats(-2, 2), st.none()), max_size=3
    ),
    prompt_tokens=NUMBERS,
    completion_tokens=NUMBERS,
    ttft_ms=REALS,
    decode_tokens_per_s=REALS,
    stop_reason=st.one_of(st.none(), st.just("length")),
    error=st.one_of(st.none(), NASTY),
    effort=st.one_of(st.none(), NASTY),
)
PLACES = st.one_of(st.none(), st.integers(0, 1 << 40))
CITATIONS = st.builds(
    Citation,
    number=st.integers(1, 9),
    collection=NASTY,
    path=st.just(Path("/notes/专家.md")),
    title=NASTY,
    passage=st.builds(
        Passage,
        text=NASTY,
        headings=st.lists(NASTY, max_size=2).map(tuple),
        page=PLACES,
        line=PLACES,
        line_end=PLACES,
    ),
)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {
            "above": st.integers(0, 9),
            "role": st.sampled_from(["user", "assistant", "system"]),
            "parts": PARTS,
            "status": st.sampled_from(["complete", "interrupted", "failed"]),
            "generation": st.one_of(st.none(), GENERATIONS),
            "citations": st.lists(CITATIONS, max_size=2, unique_by=lambda one: one.number),
            "rating": st.sampled_from([None, 1, -1]),
            "tokens": st.one_of(st.none(), st.lists(st.integers(0, 1 << 20), max_size=4)),
        }
    ),
    max_size=7,
)


def exported(store: Store, conversation_id: int) -> Carried:
    carried = store.filing.carried(conversation_id)
    assert carried is not None
    return carried


def written(carried: Carried, path: Path) -> Path:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        lossless.write_one(carried, file)
    return path


def built(store: Store, title: str, system_prompt: str, messages: list[dict[str, Any]]) -> int:
    conversation = store.conversations.create(title=title, system_prompt=system_prompt, sampling={"top_k": 3})
    ids: list[int | None] = [None]
    for message in messages:
        stored = store.conversations.append(
            conversation.id,
            ids[message["above"] % len(ids)],
            message["role"],
            message["parts"],
            status=message["status"],
            generation=message["generation"],
            citations=message["citations"],
        )
        ids.append(stored.id)
        if message["role"] == "assistant" and message["tokens"] is not None:
            store.traces.put(stored.id, {"answer_tokens": message["tokens"]})
        if message["role"] == "assistant" and message["rating"]:
            store.ratings.rate(stored.id, message["rating"])
    if messages:
        store.conversations.rename(conversation.id, title)  # a person's own, also an empty one
        store.shelf.move(conversation.id, "Work/专家")
        store.shelf.tag(conversation.id, "moe")
        store.shelf.tag(conversation.id, "数学")
        store.shelf.pin(conversation.id)
        store.shelf.archive(conversation.id)
    if len(ids) > 2 and ids[1] is not None:
        store.conversations.select(conversation.id, ids[1])
    return conversation.id


def test_import_of_an_export_gives_an_equal_tree(tmp_path: Path) -> None:
    here, there = Store(tmp_path / "here.sqlite"), Store(tmp_path / "there.sqlite")

    @settings(max_examples=100, deadline=None)
    @given(title=NASTY, system_prompt=NASTY, messages=MESSAGES)
    def carries(title: str, system_prompt: str, messages: list[dict[str, Any]]) -> None:
        conversation_id = built(here, title, system_prompt, messages)
        before = exported(here, conversation_id)
        (arrived,) = (i for i in read(written(before, tmp_path / "x.json")) if isinstance(i, Carried))
        assert arrived == before
        filed = there.filing.file(arrived)
        assert exported(there, filed.conversation_id) == before
        assert there.filing.file(arrived).outcome == "known"
        assert here.filing.preview(arrived).outcome == "known"
        here.trash.delete(conversation_id)
        there.trash.delete(filed.conversation_id)

    try:
        carries()
        assert there.conversations.verify() == []
    finally:
        here.close()
        there.close()


def test_a_message_of_sixteen_megabytes(store: Store, tmp_path: Path) -> None:
    conversation = store.conversations.create(title="Long")
    store.conversations.append(conversation.id, None, "user", [Part("text", "wörd \0" * 2_000_000)])
    before = exported(store, conversation.id)
    (arrived,) = (i for i in read(written(before, tmp_path / "x.json")) if isinstance(i, Carried))
    assert arrived == before


def test_goes_there_and_comes_back_longer(store: Store, tmp_path: Path) -> None:
    conversation = store.conversations.create(title="Both ways")
    question = store.conversations.append(conversation.id, None, "user", [Part("text", "Question")])
    other = Store(tmp_path / "other.sqlite")
    try:
        there = other.filing.file(exported(store, conversation.id)).conversation_id
        (root,) = other.conversations.path(there)
        other.conversations.append(there, root.id, "assistant", [Part("text", "Answer")])
        back = store.filing.file(exported(other, there))
    finally:
        other.close()
    assert (back.outcome, back.n_messages) == ("grown", 1)
    assert [message.text for message in store.conversations.path(conversation.id)] == ["Question", "Answer"]
    assert store.conversations.path(conversation.id)[0].id == question.id


def test_an_answer_that_is_being_written_is_carried_as_far_as_it_came(store: Store) -> None:
    conversation = store.conversations.create()
    question = store.conversations.append(conversation.id, None, "user", [Part("text", "Question")])
    answer = store.conversations.start_answer(conversation.id, question.id, Generation("m"))
    store.conversations.flush_answer(answer.id, [Part("text", "So f")])
    carried = exported(store, conversation.id)
    assert carried.messages[1].parts == (Part("text", "So f"),)
    assert carried.messages[1].status == "interrupted"


def test_several_are_an_array_of_lines(store: Store, tmp_path: Path) -> None:
    for title in ("One", "Two", "Three"):
        store.conversations.create(title=title)
    file = io.StringIO()
    carried = [exported(store, conversation_id) for conversation_id in store.filing.ids()]
    assert lossless.write_all(carried, file) == 3
    assert len(file.getvalue().splitlines()) == 5
    path = tmp_path / "all.json"
    path.write_text(file.getvalue(), "utf-8")
    assert [item for item in read(path) if isinstance(item, Carried)] == carried


def edited(tmp_path: Path, **changes: Any) -> list[Any]:
    """What is read of a valid file with changes at its top level."""
    message = {"key": "a", "parent": None, "role": "user", "parts": [{"kind": "text", "text": "x"}]}
    value = {"format": "coterie", "version": 1, "title": "T", "messages": [message]} | changes
    path = tmp_path / "edited.json"
    path.write_text(json.dumps(value))
    return list(read(path))


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    (broken,) = (item for item in edited(tmp_path, version=2) if isinstance(item, Broken))
    assert "format 2" in broken.reason


@pytest.mark.parametrize(
    "message",
    [
        {"key": "a", "parent": "a", "role": "user", "parts": [{"kind": "text", "text": "circle"}]},
        {"key": "a", "parent": "gone", "role": "nobody", "parts": [{"kind": "song", "text": 7}]},
        {"key": None, "role": "assistant", "status": "streaming", "created_at": "never", "generation": {}},
        {"role": "assistant", "generation": {"model_name": "m", "ttft_ms": 1e400, "prompt_tokens": "many"}},
        {"role": "assistant", "generation": {"model_name": "m", "parameters": {"x": 1e400, "y": 1}}},
        {"role": "user", "traces": [{"kind": "answer_tokens", "dtype": "<i4", "shape": [1], "data": "AAAA"}]},
        {
            "role": "assistant",
            "traces": [{"kind": "tokens", "dtype": "O", "shape": [1 << 60], "data": "AAAA"}],
        },
        {
            "role": "assistant",
            "traces": [{"kind": "answer_tokens", "dtype": "<i4", "shape": [-1], "data": "A"}],
        },
        {"role": "user", "citations": [{"number": -1}, {"number": 1e300}, {"number": 2, "line": "x"}, 7]},
        {"role": "assistant", "images": [{"name": 7, "data": "?"}], "parts": "none"},
    ],
)
def test_what_is_wrong_in_a_file_is_left_out(
    tmp_path: Path, filing: Filing, store: Store, message: dict[str, Any]
) -> None:
    items = edited(tmp_path, messages=[message, 7], sampling={"top_p": 1e400}, created_at=-5)
    (carried,) = (item for item in items if isinstance(item, Carried))
    filing.file(carried)
    assert store.conversations.verify() == []
    assert filing.file(carried).outcome == "known"


def test_a_date_far_away_is_kept(tmp_path: Path) -> None:
    (carried,) = (i for i in edited(tmp_path, created_at="0001-02-03T04:05:06Z") if isinstance(i, Carried))
    assert carried.created_at == datetime(1, 2, 3, 4, 5, 6, tzinfo=UTC)
