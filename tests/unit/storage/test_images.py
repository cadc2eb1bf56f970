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
    store.conversations.delete(conversation.id)
    assert store.images.of([message.id]) == {}
