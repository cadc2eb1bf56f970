from __future__ import annotations

from dataclasses import replace

from storage.records import Filter, Part
from storage.store import Store

RED = Part("image", name="red.png", data=b"\x89PNG red")
BLUE = Part("image", name="蓝.png", data=b"\x89PNG blue")


def test_images_stay_with_their_message(store: Store) -> None:
    conversations = store.conversations
    conversation = conversations.create()
    first = conversations.append(conversation.id, None, "user", [RED, BLUE, Part("text", "See?")])
    plain = conversations.append(conversation.id, first.id, "user", [Part("text", "No.")])
    assert [part.name for part in first.attached] == ["red.png", "蓝.png"]
    assert plain.attached == ()
    assert [len(message.attached) for message in conversations.path(conversation.id)] == [2, 0]
    assert store.parts.attachments([first.id, plain.id]) == {first.id: (RED, BLUE)}
    assert conversations.verify() == []


def test_images_go_with_their_conversation(store: Store) -> None:
    conversation = store.conversations.create()
    message = store.conversations.append(conversation.id, None, "user", [RED, Part("text", "x")])
    store.trash.delete(conversation.id)
    assert store.parts.attachments([message.id]) == {}
    assert store.search.find("red") == []


def test_the_same_bytes_are_kept_once_until_the_last_message_goes(store: Store) -> None:
    conversations = store.conversations
    ids = [conversations.create().id for _ in range(2)]
    copy = replace(RED, name="copy.png")
    messages = [
        conversations.append(ids[0], None, "user", [RED, copy, Part("text", "x")]),
        conversations.append(ids[1], None, "user", [RED, Part("text", "y")]),
    ]
    assert len(store._database.query("SELECT 1 FROM blobs")) == 1
    store.trash.delete(ids[0])
    assert store.parts.attachments([message.id for message in messages]) == {messages[1].id: (RED,)}
    assert conversations.verify() == []
    store.trash.delete(ids[1])
    assert store._database.query("SELECT 1 FROM blobs") == []


def test_names_of_files_are_found(store: Store) -> None:
    conversation = store.conversations.create()
    message = store.conversations.append(conversation.id, None, "user", [RED, BLUE, Part("text", "x")])
    (hit,) = store.search.find("red")
    assert (hit.message_id, hit.part, hit.snippet) == (message.id, "file", "\ue000red\ue001.png")
    assert [hit.part for hit in store.search.find("蓝")] == ["file"]


def test_everything_that_a_message_holds_is_kept_in_order_and_found(store: Store) -> None:
    conversations = store.conversations
    conversation = conversations.create()
    notes = Part("file", "words of the notes", "notes.txt")
    archive = Part("file", name="data.zip", data=b"PK")
    question = conversations.append(conversation.id, None, "user", [RED, notes, archive, Part("text", "x")])
    parts = (
        Part("reasoning", "Look it up."),
        Part("tool_call", '{"query": "experts"}', "web_search", "call_1"),
        Part("tool_result", "Mixtures 专家", "web_search", "call_1"),
        Part("text", "Found."),
    )
    answer = conversations.append(conversation.id, question.id, "assistant", parts)
    assert conversations.message(answer.id).parts == parts
    assert (answer.text, answer.reasoning) == ("Found.", "Look it up.")
    assert store.parts.attachments([question.id]) == {question.id: (RED, notes, archive)}
    for words, part in (
        ("web_search", "tool_call"),
        ("query", "tool_call"),
        ("专家", "tool_result"),
        ("words", "file"),
        ("data.zip", "file"),
    ):
        assert part in [hit.part for hit in store.search.find(words)], words
        where = Filter(part=part)  # type: ignore[arg-type]  # one of FoundIn
        assert {hit.part for hit in store.search.find(words, where)} == {part}, words
        assert [one.id for one in conversations.list(where=where)] == [conversation.id]
    assert store.search.find("web_search", Filter(part="text")) == []
    assert conversations.verify() == []
    store.trash.delete(conversation.id)
    assert store.search.find("web_search") == store.search.find("words") == []
    assert conversations.verify() == []
