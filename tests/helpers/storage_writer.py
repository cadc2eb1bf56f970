"""A program that talks and streams into a database until it is killed, and says what it may rely on.

    python -m tests.helpers.storage_writer DATABASE SEED

Each line on stdout is written after the call that it reports has returned:

    message ID N_CHARACTERS     a finished message
    flushed ID N_CHARACTERS     a streaming answer, as far as it was flushed

What a message says follows from its id, so that whoever reads the database later knows what must stand there.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

from storage.records import Generation, Part
from storage.store import Store


def words(message_id: int, n_characters: int) -> str:
    """The beginning of what message `message_id` says."""
    unit = f"word{message_id} 专家{message_id}. "
    return (unit * (n_characters // len(unit) + 1))[:n_characters]


def parts_of(message_id: int, n_characters: int) -> list[Part]:
    """A message's parts: what it says, the first half of each 100 characters as reasoning."""
    said = words(message_id, n_characters)
    pieces = [said[i : i + 50] for i in range(0, len(said), 50)]
    return [Part("reasoning" if n % 2 == 0 else "text", piece) for n, piece in enumerate(pieces)]


def report(what: str, message_id: int, n_characters: int) -> None:
    os.write(1, f"{what} {message_id} {n_characters}\n".encode())


def exchange(store: Store, conversation: int, chance: random.Random) -> int:
    """Ask, and answer in a few flushes, saying so; returns the answer's id."""
    conversations = store.conversations
    question = conversations.append(conversation, None, "user", [Part("text", "question")])
    report("message", question.id, -1)
    answer = conversations.start_answer(conversation, question.id, Generation("starter"))
    report("flushed", answer.id, 0)
    n_characters = 0
    for _ in range(chance.randrange(1, 12)):
        n_characters += chance.randrange(1, 400)
        conversations.flush_answer(answer.id, parts_of(answer.id, n_characters))
        report("flushed", answer.id, n_characters)
    conversations.finish_answer(answer.id, parts_of(answer.id, n_characters), Generation("starter"))
    report("message", answer.id, n_characters)
    return answer.id


def main(path: Path, seed: int) -> None:
    chance = random.Random(seed)
    store = Store(path)
    store.mark_interrupted()
    conversation = store.conversations.create().id
    while True:
        exchange(store, conversation, chance)
        if chance.random() < 0.1:
            conversation = store.conversations.create().id


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
