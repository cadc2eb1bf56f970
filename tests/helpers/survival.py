"""What a writer that was killed had been promised, and whether it was kept."""

from __future__ import annotations

from collections.abc import Sequence

from storage.records import Message
from storage.store import Store
from tests.helpers.storage_writer import parts_of

Said = dict[int, tuple[str, int]]
"""By message: the last that its writer said about it, "message" or "flushed", and how many characters."""

# Characters in which the first word of every message is whole.
_WHOLE_WORD = 20


def acknowledged(lines: Sequence[str]) -> Said:
    """What was said. A line that was cut off was not said."""
    said: Said = {}
    for line in lines:
        if line.endswith("\n"):
            what, message_id, n_characters = line.split()
            said[int(message_id)] = (what, int(n_characters))
    return said


def said_by(message: Message) -> str:
    """All that a message says, reasoning included."""
    return "".join(part.text for part in message.parts)


def check(store: Store, said: Said, *, lost_power: bool = False) -> int:
    """Everything acknowledged is there; returns how many answers had been cut off.

    Args:
        store: After the crash, with what still streamed marked as interrupted.
        said: What is to be there.
        lost_power: What was only flushed need not be: it was promised to outlive the program, not the power.
    """
    known = {row["id"] for row in store._database.query("SELECT id FROM messages")}
    n_cut_off = 0
    for message_id, (what, n_characters) in said.items():
        if lost_power and what == "flushed" and message_id not in known:
            continue
        message = store.conversations.message(message_id)
        if n_characters == -1:
            assert (message.text, message.status) == ("question", "complete")
            continue
        kept = said_by(message)
        # Beyond what was acknowledged there may be the flush, or the end, that was killed after its commit.
        if not (lost_power and what == "flushed"):
            assert len(kept) >= n_characters
        assert message.parts == tuple(parts_of(message_id, len(kept)))
        if what == "message":
            assert message.status == "complete"
            assert len(kept) == n_characters
        else:
            assert message.status in ("interrupted", "complete")
        if message.status == "interrupted":
            n_cut_off += 1
            if len(kept) >= _WHOLE_WORD:
                found = [hit.message_id for hit in store.search.find(f'"word{message_id}"', limit=100)]
                assert message_id in found
    return n_cut_off
