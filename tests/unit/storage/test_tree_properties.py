"""A conversation against a model of it: a dictionary of parents."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings, strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule

from storage.records import Generation, Part
from storage.store import Store

WORDS = st.text(st.sampled_from("ab 专家é\n"), max_size=12)
PARTS = st.lists(st.builds(Part, st.sampled_from(["text", "reasoning"]), WORDS), max_size=3)


class ConversationMachine(RuleBasedStateMachine):
    """Does what a window may do, in any order, and compares everything that can be read."""

    messages = Bundle("messages")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "coterie.sqlite"
        self.store = Store(self.path)
        self.parents: dict[int, int | None] = {}
        self.parts: dict[int, tuple[Part, ...]] = {}
        self.status: dict[int, str] = {}
        self.head: int | None = None

    def teardown(self) -> None:
        assert self.store.conversations.verify() == []
        self.store.close()
        self.folder.cleanup()

    @initialize()
    def create(self) -> None:
        self.id = self.store.conversations.create().id
        # A neighbour, so that nothing may leak into the next conversation.
        other = self.store.conversations.create().id
        self.store.conversations.append(other, None, "user", [Part("text", "ab 专家")])

    def added(self, message_id: int, parent: int | None, parts: tuple[Part, ...], status: str) -> int:
        self.parents[message_id], self.parts[message_id], self.status[message_id] = parent, parts, status
        self.head = message_id
        return message_id

    @rule(target=messages, parts=PARTS)
    def append_first(self, parts: list[Part]) -> int:
        message = self.store.conversations.append(self.id, None, "user", parts)
        return self.added(message.id, None, tuple(parts), "complete")

    @rule(target=messages, parent=messages, parts=PARTS)
    def append_below(self, parent: int, parts: list[Part]) -> int:
        message = self.store.conversations.append(self.id, parent, "assistant", parts)
        return self.added(message.id, parent, tuple(parts), "complete")

    @rule(target=messages, parent=messages)
    def start(self, parent: int) -> int:
        message = self.store.conversations.start_answer(self.id, parent, Generation("m"))
        return self.added(message.id, parent, (), "streaming")

    def streaming(self) -> list[int]:
        return [message for message, status in self.status.items() if status == "streaming"]

    @precondition(lambda self: self.streaming())
    @rule(data=st.data(), parts=PARTS, more=WORDS, go_on=st.booleans())
    def flush(self, data: st.DataObject, parts: list[Part], more: str, go_on: bool) -> None:
        message = data.draw(st.sampled_from(self.streaming()))
        before = list(self.parts[message])
        if go_on and before:
            parts = [*before[:-1], Part(before[-1].kind, before[-1].text + more), *parts]
        self.store.conversations.flush_answer(message, parts)
        self.parts[message] = tuple(parts)

    @precondition(lambda self: self.streaming())
    @rule(data=st.data(), parts=PARTS, status=st.sampled_from(["complete", "failed", "interrupted"]))
    def finish(self, data: st.DataObject, parts: list[Part], status: str) -> None:
        message = data.draw(st.sampled_from(self.streaming()))
        self.store.conversations.finish_answer(message, parts, Generation("m"), status)  # type: ignore[arg-type]  # drawn
        self.parts[message], self.status[message] = tuple(parts), status

    @rule(message=messages)
    def select(self, message: int) -> None:
        below = {message}
        for child, parent in self.parents.items():
            if parent in below:
                below.add(child)
        self.head = max(below)
        assert self.store.conversations.select(self.id, message).head_id == self.head
        assert self.head not in self.parents.values()

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = Store(self.path)

    @rule()
    def crash_and_recover(self) -> None:
        self.store.close()
        self.store = Store(self.path)
        assert self.store.mark_interrupted() == len(self.streaming())
        for message in self.streaming():
            self.status[message] = "interrupted"

    @invariant()
    def path_is_the_way_from_the_first_message_to_the_head(self) -> None:
        expected: list[int] = []
        step = self.head
        while step is not None:
            expected.insert(0, step)
            step = self.parents[step]
        path = self.store.conversations.path(self.id)
        assert [message.id for message in path] == expected
        for message in path:
            assert message.parent_id == self.parents[message.id]
            assert message.parts == self.parts[message.id]
            assert message.status == self.status[message.id]
            versions = [m for m, parent in self.parents.items() if parent == message.parent_id]
            assert list(message.sibling_ids) == versions

    @invariant()
    def search_finds_exactly_the_finished_parts(self) -> None:
        expected = {
            message
            for message, parts in self.parts.items()
            if self.status[message] != "streaming" and any("专家" in part.text for part in parts)
        }
        found = {
            h.message_id for h in self.store.search.find("专家", limit=1000) if h.conversation_id == self.id
        }
        assert found == expected


TestConversationTree = ConversationMachine.TestCase
TestConversationTree.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
