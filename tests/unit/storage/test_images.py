from __future__ import annotations

from storage.records import Image, Part
from storage.store import Store

RED, BLUE = Image("red.png", b"\x89PNG red"), Image("蓝.png", b"\x89PNG blue")


def test_images_stay_with_their_message(store: Store) -> None:
    conversations = store.conversations
    conversation = conversations.create()
    first = conversations.append(conversation.id, None, "user", [Part("text", "See?")], images=[RED, BLUE])
    plain = conversations.append(conversation.id, first.id, "user", [Part("text", "No.")])
    assert first.image_names == ("red.png", "蓝.png")
    assert plain.image_names == ()
    assert [message.image_names for message in conversations.path(conversation.id)] == [
        ("red.png", "蓝.png"),
        (),
    ]
    assert store.images.of([first.id, plain.id]) == {first.id: (RED, BLUE)}
    assert conversations.verify() == []


def test_images_go_with_their_conversation(store: Store) -> None:
    conversation = store.conversations.create()
    message = store.conversations.append(conversation.id, None, "user", [Part("text", "x")], images=[RED])
    store.trash.delete(conversation.id)
    assert store.images.of([message.id]) == {}
    assert store.search.find("red") == []


def test_the_same_bytes_are_kept_once_until_the_last_message_goes(store: Store) -> None:
    conversations = store.conversations
    ids = [conversations.create().id for _ in range(2)]
    copy = Image("copy.png", RED.data)
    messages = [
        conversations.append(ids[0], None, "user", [Part("text", "x")], images=[RED, copy]),
        conversations.append(ids[1], None, "user", [Part("text", "y")], images=[RED]),
    ]
    assert len(store._database.query("SELECT 1 FROM blobs")) == 1
    store.trash.delete(ids[0])
    assert store.images.of([message.id for message in messages]) == {messages[1].id: (RED,)}
    assert conversations.verify() == []
    store.trash.delete(ids[1])
    assert store._database.query("SELECT 1 FROM blobs") == []


def test_names_of_files_are_found(store: Store) -> None:
    conversation = store.conversations.create()
    message = store.conversations.append(
        conversation.id, None, "user", [Part("text", "x")], images=[RED, BLUE]
    )
    (hit,) = store.search.find("red")
    assert (hit.message_id, hit.part, hit.snippet) == (message.id, "file", "\ue000red\ue001.png")
    assert [hit.part for hit in store.search.find("蓝")] == ["file"]
