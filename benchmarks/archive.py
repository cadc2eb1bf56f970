"""A database as somebody has who has chatted for years, at the schema's first version.

A million messages of 20,000 conversations in English, German and Chinese; words as rare and as common as in
real text (Zipf), questions and answers as long (log-normal), one conversation of 10,000 messages. Always the
same for the same numbers.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import sqlite_utils
from numpy.typing import NDArray

from storage.migrations import APPLICATION_ID, migrations
from storage.terms import indexed

N_WORDS = 40_000
LONG_CONVERSATION = 1
N_LONG_MESSAGES = 10_000

_ONSETS = "b c d f g h k l m n p r s t v w br cl dr fl gr pl pr sh st th tr"
_VOWELS = "a e i o u ai ea ou"
_CODAS = ("", "", "n", "r", "s", "t", "l", "nd", "st")
_ENGLISH = "the of and to a in is it you that he was for on are with as his they be at one have this from"
_GERMAN = "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an"
_CHINESE = (
    "的一是了我不人在他有这个上们来到时大地为子中你说生国年着就"
    "那和要她出也得里后自以会家可下而过天去能对小多然于心学"
)
_FIRST_DAY_S = 1_640_000_000
_BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Archive:
    """What was made.

    Attributes:
        path: The database, at the schema's first version.
        text_bytes: UTF-8 of all that was said.
        queries: By kind: words that are rare and common, beginnings of words, pairs of Chinese characters,
            two words together, phrases.
    """

    path: Path
    text_bytes: int
    queries: Mapping[str, Sequence[str]]


def archive(n_messages: int, n_conversations: int) -> Archive:
    """Make it unless the cache has it: minutes and about a kilobyte a message."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "coterie" / "benchmarks"
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / f"archive-{n_messages}.sqlite"
    notes = path.with_suffix(".json")
    if not notes.exists():
        path.unlink(missing_ok=True)
        text_bytes = _write(path, n_messages, n_conversations)
        notes.write_text(json.dumps({"text_bytes": text_bytes}))
    return Archive(path, json.loads(notes.read_text())["text_bytes"], queries())


def queries() -> dict[str, list[str]]:
    """See `Archive.queries`."""
    words, common = _vocabulary(), _ENGLISH.split()[1:21]
    rare = words[-2_000::100]
    return {
        "rare": rare,
        "common": common,
        "prefix": [word[:3] for word in words[2_000:4_000:100]],
        "Chinese pair": [_CHINESE[i] + _CHINESE[-i - 1] for i in range(20)],
        "two words": [f"{a} {b}" for a, b in zip(common, rare, strict=True)],
        "phrase": [f'"{a} {b}"' for a, b in zip(common, reversed(common), strict=True)],
    }


def _write(path: Path, n_messages: int, n_conversations: int) -> int:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        migrations.apply(sqlite_utils.Database(connection), stop_before="m002_create_settings")
        connection.execute("PRAGMA user_version = 1")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")
        n_bytes = 0
        sentences = texts()
        message_id = 0
        for conversation_id in range(1, n_conversations + 1):
            n = N_LONG_MESSAGES if conversation_id == LONG_CONVERSATION else 0
            n = n or max(2, (n_messages - message_id) // (n_conversations - conversation_id + 1))
            said = [next(sentences) for _ in range(n)]
            n_bytes += sum(len(text.encode()) for text in said)
            _insert(connection, conversation_id, message_id + 1, said)
            message_id += n
            if conversation_id % 100 == 0:
                connection.commit()
        connection.commit()
    return n_bytes


def _insert(connection: sqlite3.Connection, conversation_id: int, first_id: int, said: list[str]) -> None:
    moment_s = _FIRST_DAY_S + conversation_id * 7000
    ids = range(first_id, first_id + len(said))
    times = [_text_of(moment_s + 30 * i) for i in range(len(said))]
    title = " ".join(said[0].split()[:6])[:60]
    connection.execute(
        "INSERT INTO conversations (id, title, title_is_automatic, created_at, updated_at, system_prompt,"
        " sampling) VALUES (?, ?, 1, ?, ?, '', '{}')",
        [conversation_id, title, times[0], times[-1]],
    )
    connection.executemany(
        "INSERT INTO messages (id, conversation_id, parent_id, role, status, created_at)"
        " VALUES (?, ?, ?, ?, 'complete', ?)",
        (
            (id_, conversation_id, id_ - 1 if i else None, "assistant" if i % 2 else "user", times[i])
            for i, id_ in enumerate(ids)
        ),
    )
    connection.executemany(
        "INSERT INTO parts (id, message_id, position, kind, text) VALUES (?, ?, 0, 'text', ?)",
        ((id_, id_, text) for id_, text in zip(ids, said, strict=True)),
    )
    connection.executemany(
        "INSERT INTO search (rowid, text) VALUES (?, ?)",
        ((id_, indexed(text)) for id_, text in zip(ids, said, strict=True)),
    )
    connection.executemany(
        "INSERT INTO generations (message_id, model_name, engine, parameters, prompt_tokens,"
        " completion_tokens, decode_tokens_per_s, stop_reason, started_at, ended_at)"
        " VALUES (?, 'starter', 'llama.cpp', '{}', 200, 80, 100.0, 'stop', ?, ?)",
        ((id_, times[i], times[i]) for i, id_ in enumerate(ids) if i % 2),
    )
    connection.execute(
        "UPDATE conversations SET head_id = ? WHERE id = ?", [first_id + len(said) - 1, conversation_id]
    )


def texts() -> Iterator[str]:
    """Sentences, questions and answers in turn, without end."""
    dice = np.random.default_rng(7)
    words = _vocabulary()
    english = np.array([*_ENGLISH.split(), *words], dtype=object)
    german = np.array([*_GERMAN.split(), *map(str.capitalize, reversed(words))], dtype=object)
    chinese = np.array(list(_CHINESE), dtype=object)
    number = 0
    while True:
        # Questions are short, answers are not.
        lengths = np.exp(dice.normal(np.tile([2.5, 3.9], _BATCH // 2), 0.8)).astype(int) + 2
        for length in lengths.tolist():
            number += 1
            language = number % 10
            if language == 9:
                yield "".join(chinese[_ranks(dice, length, len(chinese))]) + "。"
            else:
                known = german if language == 8 else english
                yield " ".join(known[_ranks(dice, length, len(known))]) + "."


def _ranks(dice: np.random.Generator, n: int, n_known: int) -> NDArray[np.int64]:
    """Places in a list by Zipf's law: the k-th word is about 1 / k as frequent as the first."""
    return (n_known ** dice.random(n)).astype(np.int64) - 1


def _vocabulary() -> list[str]:
    """Words that can be said, the frequent ones short."""
    dice = np.random.default_rng(3)
    found: dict[str, None] = {}
    onsets, vowels = _ONSETS.split(), _VOWELS.split()
    while len(found) < N_WORDS:
        n_syllables = 1 + (len(found) >= 800) + (len(found) >= 20_000)
        parts = []
        for _ in range(n_syllables):
            parts += [onsets[dice.integers(len(onsets))], vowels[dice.integers(len(vowels))]]
        found["".join([*parts, _CODAS[dice.integers(len(_CODAS))]])] = None
    return list(found)


def _text_of(moment_s: float) -> str:
    return datetime.fromtimestamp(moment_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
