from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from storage.errors import NoSuchConversation, NoSuchMessage
from storage.records import Generation, Part
from storage.store import Store
from tests.helpers.databases import GENERATION, text


def test_new_conversation_keeps_what_it_was_given(store: Store) -> None:
    made = store.conversations.create(
        title="Café 专家", model_name="starter", system_prompt="Be brief.", sampling={"temperature": 0.5}
    )
    assert store.conversations.get(made.id) == made
    assert (made.title, made.model_name, made.system_prompt) == ("Café 专家", "starter", "Be brief.")
    assert made.sampling == {"temperature": 0.5}
    assert made.head_id is None
    assert not made.title_is_automatic
    assert made.created_at == made.updated_at
    assert abs(datetime.now(UTC) - made.created_at) < timedelta(minutes=5)
    assert store.conversations.create().title_is_automatic


def test_newest_message_comes_first_in_the_list(store: Store) -> None:
    first, second, third = (store.conversations.create(title=name).id for name in "abc")
    assert [c.id for c in store.conversations.list()] == [third, second, first]
    store._database.query("SELECT 1")
    with store._database.transaction():
        store._database.execute("UPDATE conversations SET updated_at = '2020-01-01T00:00:00.000Z'")
    store.conversations.append(first, None, "user", text("hello"))
    assert [c.id for c in store.conversations.list()] == [first, third, second]
    assert [c.id for c in store.conversations.list(limit=1)] == [first]
    store.conversations.rename(second, "renamed")
    assert [c.id for c in store.conversations.list()] == [first, third, second]


def test_the_list_comes_in_pieces_that_are_the_whole(store: Store) -> None:
    ids = [store.conversations.create(title=str(n)).id for n in range(7)]
    for pinned in ids[2], ids[5]:
        store.shelf.pin(pinned)
    with store._database.transaction():  # the same moment: only the ids tell them apart
        store._database.execute(
            "UPDATE conversations SET updated_at = '2020-01-01T00:00:00.000Z' WHERE id < 4"
        )
    store.shelf.archive(ids[6])
    whole = store.conversations.list()
    pieces = store.conversations.list(2)
    while more := store.conversations.list(2, after=pieces[-1].id):
        pieces += more
    assert pieces == whole
    assert len(whole) == 6


def test_automatic_title_gives_way_to_a_person(store: Store) -> None:
    made = store.conversations.create()
    assert store.conversations.rename(made.id, "guess", automatic=True).title == "guess"
    assert store.conversations.rename(made.id, "better guess", automatic=True).title == "better guess"
    named = store.conversations.rename(made.id, "mine")
    assert (named.title, named.title_is_automatic) == ("mine", False)
    kept = store.conversations.rename(made.id, "late guess", automatic=True)
    assert (kept.title, kept.title_is_automatic) == ("mine", False)


def test_configure_replaces_all_three(store: Store) -> None:
    made = store.conversations.create(model_name="a", system_prompt="x", sampling={"top_k": 1})
    changed = store.conversations.configure(
        made.id, system_prompt="y", sampling={"seed": 7, "stop": ["a"]}, model_name=None
    )
    assert (changed.system_prompt, changed.sampling, changed.model_name) == (
        "y",
        {"seed": 7, "stop": ["a"]},
        None,
    )


def test_append_moves_the_head_and_keeps_order_and_kinds(store: Store) -> None:
    conversation = store.conversations.create().id
    question = store.conversations.append(conversation, None, "user", text("q"))
    parts = [Part("reasoning", "hm"), Part("text", ""), Part("reasoning", "again"), Part("text", "yes")]
    answer = store.conversations.append(conversation, question.id, "assistant", parts, generation=GENERATION)
    assert answer.parts == tuple(parts)
    assert (answer.text, answer.reasoning) == ("yes", "hmagain")
    assert answer.generation == GENERATION
    assert store.conversations.path(conversation) == [question, answer]
    assert store.conversations.get(conversation).head_id == answer.id
    assert store.conversations.path_to(question.id) == [question]


def test_versions_are_siblings_oldest_first(store: Store) -> None:
    conversation = store.conversations.create().id
    first = store.conversations.append(conversation, None, "user", text("q"))
    one = store.conversations.append(conversation, first.id, "assistant", text("1"))
    two = store.conversations.append(conversation, first.id, "assistant", text("2"))
    edited = store.conversations.append(conversation, None, "user", text("q, edited"))
    assert store.conversations.message(two.id).sibling_ids == (one.id, two.id)
    assert store.conversations.path(conversation)[0].sibling_ids == (first.id, edited.id)
    assert store.conversations.select(conversation, first.id).head_id == two.id
    assert store.conversations.select(conversation, one.id).head_id == one.id
    assert [m.id for m in store.conversations.path(conversation)] == [first.id, one.id]


def test_tip_is_the_end_of_the_path(store: Store) -> None:
    conversation = store.conversations.create()
    head: int | None = None
    for number in range(6):
        before = head
        head = store.conversations.append(conversation.id, before, "user", text(f"message {number}")).id
        store.conversations.append(conversation.id, before, "user", text("another version"))
    assert head is not None
    store.conversations.select(conversation.id, head)
    path = store.conversations.path(conversation.id)
    for n in (1, 2, 5, 6, 100):
        assert store.conversations.tip(conversation.id, n) == path[-n:]
        assert store.conversations.path_to(path[-2].id, n) == path[:-1][-n:]
    assert store.conversations.tip(store.conversations.create().id, 3) == []
    for since in range(len(path)):
        n_messages = len(path) - since
        assert store.conversations.tip(conversation.id, 1, path[since].id) == path[-n_messages:]


def test_first_messages_of_other_conversations_are_no_versions(store: Store) -> None:
    ids = [
        store.conversations.append(store.conversations.create().id, None, "user", text("q")).sibling_ids
        for _ in range(2)
    ]
    assert ids == [(1,), (2,)]


def test_parent_of_another_conversation_is_refused(store: Store) -> None:
    one, two = store.conversations.create().id, store.conversations.create().id
    message = store.conversations.append(one, None, "user", text("q"))
    with pytest.raises(NoSuchMessage):
        store.conversations.append(two, message.id, "assistant", text("a"))
    with pytest.raises(NoSuchMessage):
        store.conversations.start_answer(two, message.id, GENERATION)
    with pytest.raises(NoSuchMessage):
        store.conversations.select(two, message.id)
    assert store.conversations.path(two) == []


def test_what_is_not_there_is_said_so(store: Store) -> None:
    conversations = store.conversations
    for action in (
        lambda: conversations.get(7),
        lambda: conversations.rename(7, "x"),
        lambda: conversations.configure(7, system_prompt="", sampling={}, model_name=None),
        lambda: store.trash.put(7),
        lambda: store.trash.restore(7),
        lambda: store.trash.delete(7),
        lambda: store.shelf.pin(7),
        lambda: store.shelf.archive(7),
        lambda: store.shelf.move(7, "Work"),
        lambda: store.shelf.tag(7, "x"),
        lambda: store.shelf.untag(7, "x"),
        lambda: conversations.path(7),
        lambda: conversations.append(7, None, "user", []),
        lambda: conversations.start_answer(7, None, GENERATION),
        lambda: conversations.select(7, 1),
    ):
        with pytest.raises(NoSuchConversation) as missing:
            action()
        assert missing.value.conversation_id == 7
    for action in (
        lambda: conversations.message(7),
        lambda: conversations.path_to(7),
        lambda: conversations.flush_answer(7, []),
        lambda: conversations.finish_answer(7, [], GENERATION),
    ):
        with pytest.raises(NoSuchMessage):
            action()


def test_answer_is_there_from_its_first_moment(store: Store) -> None:
    conversation = store.conversations.create().id
    question = store.conversations.append(conversation, None, "user", text("q"))
    answer = store.conversations.start_answer(conversation, question.id, Generation("starter"))
    assert (answer.status, answer.role, answer.parts) == ("streaming", "assistant", ())
    assert store.conversations.path(conversation) == [question, answer]


def test_flushed_text_is_read_back_while_it_streams(store: Store) -> None:
    conversation = store.conversations.create().id
    answer = store.conversations.start_answer(conversation, None, Generation("starter"))
    for parts in (
        [Part("reasoning", "")],
        [Part("reasoning", "I th")],
        [Part("reasoning", "I think")],
        [Part("reasoning", "I think"), Part("text", "A")],
        [Part("reasoning", "I think"), Part("text", "A"), Part("reasoning", "so"), Part("text", "B")],
        # Text that was shown may be taken back: the beginning of a stop string.
        [Part("reasoning", "I think"), Part("text", "A")],
        [Part("text", "something else")],
    ):
        store.conversations.flush_answer(answer.id, parts)
        assert store.conversations.message(answer.id).parts == tuple(parts)
        assert store.conversations.verify() == []
    store.conversations.flush_answer(answer.id, [Part("text", "something else")], GENERATION)
    assert store.conversations.message(answer.id).generation == GENERATION


def test_flush_that_failed_is_made_good_by_the_next(store: Store) -> None:
    answer = store.conversations.start_answer(store.conversations.create().id, None, GENERATION)
    store.conversations.flush_answer(answer.id, text("one"))
    with pytest.raises(TypeError):
        store.conversations.flush_answer(
            answer.id, text("one two"), Generation("m", parameters={"x": object()})
        )
    assert store.conversations.message(answer.id).text == "one"
    store.conversations.flush_answer(answer.id, text("one two three"))
    assert store.conversations.message(answer.id).text == "one two three"


def test_finished_answer_is_exactly_what_was_given_last(store: Store) -> None:
    conversation = store.conversations.create().id
    answer = store.conversations.start_answer(conversation, None, Generation("starter"))
    store.conversations.flush_answer(answer.id, [Part("reasoning", "abc")])
    parts = [Part("reasoning", "abcd"), Part("text", "done")]
    finished = store.conversations.finish_answer(answer.id, parts, GENERATION)
    assert (finished.status, finished.parts, finished.generation) == ("complete", tuple(parts), GENERATION)
    assert store._database.query("SELECT * FROM chunks") == []
    assert store.conversations.message(answer.id) == finished


def test_finished_answer_cannot_be_changed(store: Store) -> None:
    conversation = store.conversations.create().id
    answer = store.conversations.start_answer(conversation, None, GENERATION)
    store.conversations.finish_answer(answer.id, text("a"), GENERATION, status="failed")
    with pytest.raises(ValueError, match="failed"):
        store.conversations.flush_answer(answer.id, text("b"))
    with pytest.raises(ValueError, match="failed"):
        store.conversations.finish_answer(answer.id, text("b"), GENERATION)
    with pytest.raises(ValueError, match="stream"):
        store.conversations.append(conversation, None, "user", [], status="streaming")
    assert store.conversations.message(answer.id).text == "a"


def test_what_is_acknowledged_is_synchronized_and_flushes_are_not(store: Store) -> None:
    conversation = store.conversations.create().id
    levels = []
    for action in (
        lambda: store.conversations.append(conversation, None, "user", text("q")),
        lambda: store.conversations.start_answer(conversation, 1, GENERATION),
        lambda: store.conversations.flush_answer(2, text("half")),
        lambda: store.conversations.finish_answer(2, text("whole"), GENERATION),
        lambda: store.conversations.start_answer(conversation, 1, GENERATION),
        lambda: store.mark_interrupted(),
    ):
        action()
        levels.append(store._database.query("PRAGMA synchronous")[0][0])
    normal, full = 1, 2
    assert levels == [full, normal, normal, full, normal, full]


def test_interrupted_answers_keep_their_text_and_are_found(path: Path, store: Store) -> None:
    conversation = store.conversations.create().id
    question = store.conversations.append(conversation, None, "user", text("q"))
    one = store.conversations.start_answer(conversation, question.id, GENERATION)
    two = store.conversations.start_answer(conversation, question.id, GENERATION)
    store.conversations.flush_answer(
        one.id, [Part("reasoning", "unusual thought"), Part("text", "half an ans")]
    )
    assert store.search.find("unusual") == []
    store.close()
    again = Store(path)
    try:
        assert again.conversations.message(one.id).status == "streaming"
        assert again.mark_interrupted() == 2
        assert again.mark_interrupted() == 0
        message = again.conversations.message(one.id)
        assert message.status == "interrupted"
        assert message.parts == (Part("reasoning", "unusual thought"), Part("text", "half an ans"))
        assert message.generation == GENERATION
        assert again.conversations.message(two.id).parts == ()
        assert [hit.message_id for hit in again.search.find("unusual")] == [one.id]
        assert again.conversations.verify() == []
    finally:
        again.close()


def test_flushing_goes_on_after_the_file_was_opened_again(path: Path, store: Store) -> None:
    answer = store.conversations.start_answer(store.conversations.create().id, None, GENERATION)
    store.conversations.flush_answer(answer.id, text("abc"))
    store.close()
    again = Store(path)
    try:
        again.conversations.flush_answer(answer.id, text("abcdef"))
        assert again.conversations.message(answer.id).text == "abcdef"
    finally:
        again.close()


def test_deleting_takes_everything_and_no_id_comes_back(store: Store) -> None:
    keep = store.conversations.create().id
    store.conversations.append(keep, None, "user", text("secret kept"))
    gone = store.conversations.create().id
    question = store.conversations.append(gone, None, "user", text("secret 秘密"))
    answer = store.conversations.start_answer(gone, question.id, GENERATION)
    store.conversations.flush_answer(answer.id, text("half"))
    store.trash.delete(gone)
    for table in ("messages", "parts"):
        assert store._database.query(f"SELECT count(*) FROM {table}")[0][0] == 1
    for table in ("chunks", "generations"):
        assert store._database.query(f"SELECT count(*) FROM {table}")[0][0] == 0
    assert [hit.conversation_id for hit in store.search.find("secret")] == [keep]
    assert store.search.find("秘密") == []
    assert store.conversations.verify() == []
    assert store.conversations.create().id > gone
    assert store.conversations.append(keep, None, "user", text("x")).id > answer.id
    with pytest.raises(NoSuchMessage):
        store.conversations.flush_answer(answer.id, text("half more"))


def test_deleted_words_are_overwritten_in_the_file(path: Path, store: Store) -> None:
    conversation = store.conversations.create().id
    store.conversations.append(conversation, None, "user", text("correct horse battery staple"))
    store.trash.delete(conversation)
    store.close()
    assert b"horse battery" not in path.read_bytes()


def test_flushing_a_long_trace_writes_little_more_than_its_length(path: Path, store: Store) -> None:
    """Rewriting the whole text each time would have written 10 MB of text alone."""
    store._database.query("PRAGMA wal_autocheckpoint=0")
    answer = store.conversations.start_answer(store.conversations.create().id, None, GENERATION)
    log_path = path.with_name(path.name + "-wal")
    before = log_path.stat().st_size
    trace = "thinking about it " * 5_600
    n_flushes = 200
    for n in range(1, n_flushes + 1):
        store.conversations.flush_answer(answer.id, [Part("reasoning", trace[: len(trace) * n // n_flushes])])
    written = log_path.stat().st_size - before
    # A page or two of the chunks and one of their index each time.
    assert written < len(trace) + n_flushes * 4 * 4200, f"{written} bytes for {len(trace)}"
    assert store.conversations.message(answer.id).reasoning == trace
