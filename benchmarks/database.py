"""A million messages: searching, opening, writing, starting, migrating; and `llm logs -q` on the same texts.

The database is made once and kept in the cache (minutes, 2 GiB with its copy). Figures without a ratio are
the 95th of a hundred, or the one that there is.

python -m benchmarks.database [--quick] [--json]
"""

from __future__ import annotations

import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks import python_peers, table
from benchmarks.archive import LONG_CONVERSATION, Archive, archive
from benchmarks.machine import OthersMeter
from benchmarks.table import Effort, Row
from storage.records import Part
from storage.search import Order, Search
from storage.store import Store

N_MESSAGES: Final = 1_000_000
N_CONVERSATIONS: Final = 20_000
_MANY: Final = 100
_SHOWN: Final = 100
_LISTED: Final = 101
"""What the window reads at once, and one more to know whether that is all."""
_ORDERS: Final[tuple[tuple[Order, float | None], ...]] = (("newest", 30), ("relevance", None))


def rows(effort: Effort) -> Iterator[Row]:
    """All of it; a quick run has a fiftieth of the messages."""
    share = 50 if effort.is_quick else 1
    n = N_MESSAGES // share
    made = archive(n, N_CONVERSATIONS // share)
    with tempfile.TemporaryDirectory(prefix="coterie-", dir=made.path.parent) as folder:
        path = Path(folder) / "coterie.sqlite"
        shutil.copyfile(made.path, path)
        began_s = time.perf_counter()
        Store(path).close()
        yield _told(
            f"migrate {n:,} messages from the first version, backup included",
            time.perf_counter() - began_s,
            "s",
        )
        shutil.rmtree(Path(folder) / "backups", ignore_errors=True)
        with OthersMeter() as meter:
            measured = list(_of_store(path, made, n))
        for row in measured:
            yield Row(**{**{name: getattr(row, name) for name in Row.__slots__}, "others_cores": meter.cores})
        size = path.stat().st_size / made.text_bytes
        yield _told(
            "bytes on disk for a byte of text", size, "x", note=f"{made.text_bytes / 1e6:.0f} MB of text"
        )
        yield _beside_llm(path, made, Path(folder), effort)


def _of_store(path: Path, made: Archive, n_messages: int) -> Iterator[Row]:
    starts = [_timed(lambda: Store(path).close()) for _ in range(7)]
    yield _within("open the database", statistics.median(starts), 150)
    store = Store(path)
    try:
        yield from _of_search(store.search, made, n_messages)
        first = _median(lambda: store.conversations.list(_LISTED))
        yield _within(f"open the list: its first {_LISTED - 1} conversations, as the window does", first, 100)
        end_id = store.conversations.list()[-_LISTED].id
        last = _median(lambda: store.conversations.list(_LISTED, after=end_id))
        yield _within("the last of them, at the end of the list", last, 100)
        whole = _median(store.conversations.list)
        yield _within("the whole list, as `conversations list` prints it", whole, None)
        tip = _median(lambda: store.conversations.tip(LONG_CONVERSATION, _SHOWN))
        yield _within(f"open 10,000 messages: the last {_SHOWN}, as the window does", tip, 50)
        path_ms = _median(lambda: store.conversations.path(LONG_CONVERSATION))
        yield _within("all 10,000 of them", path_ms, None)
        conversation = store.conversations.create()
        head: list[int | None] = [None]

        def append() -> None:
            parts = [Part("text", "A sentence that somebody has just said to the model, of usual length.")]
            head[0] = store.conversations.append(conversation.id, head[0], "user", parts).id

        appends = [_timed(append) for _ in range(2 * _MANY)]
        yield _within("append a message (synchronous=FULL), p95", _p95(appends), 5)
        syncs = [_timed(lambda: _synchronize(path.parent)) for _ in range(_MANY)]
        yield _within("this disk: write 4 KiB and fsync, p95", _p95(syncs), None)
    finally:
        store.close()


def _of_search(search: Search, made: Archive, n_messages: int) -> Iterator[Row]:
    """Each query of the mix five times; the first of them finds its pages on disk."""
    mix = f"search {n_messages:,} messages, {len(made.queries)} kinds of query, p95"
    for order, target in _ORDERS:
        times: dict[str, list[float]] = {}
        for kind, queries in made.queries.items():
            find = [partial(search.find, query, order=order) for query in queries]
            times[kind] = [_timed(act) for act in find * 5]
        kinds = ", ".join(f"{kind} {_p95(found):.1f} ms" for kind, found in times.items())
        everything = list(itertools.chain(*times.values()))
        yield _within(f"{mix}, {order} first", _p95(everything), target, note=f"p95 by kind: {kinds}")
    typed = [word[:n] for word in made.queries["rare"] for n in range(1, len(word) + 1)]
    typing = [_timed(partial(search.find, text, limit=20)) for text in typed]
    yield _within("results while typing a word, p95", _p95(typing), 50)


def _beside_llm(path: Path, made: Archive, folder: Path, effort: Effort) -> Row:
    """Both as commands, with a few hundred milliseconds of Python each, on the same questions and answers."""
    python = python_peers.interpreter("llm")
    logs = folder / "logs.db"
    subprocess.run([python, "-c", _FILL_LOGS, str(path), str(logs)], check=True)
    environment = {**os.environ, "LLM_USER_PATH": str(folder)}
    ours = [sys.executable, "-P", "-m", "app", "--data-dir", str(folder), "conversations", "search", "--json"]
    theirs = [python, "-m", "llm", "logs", "list", "-d", str(logs), "--json", "-n", "50", "-q"]
    pairs = []
    with OthersMeter() as meter:
        for query in [made.queries[kind][0] for kind in ("rare", "common")] * effort.pairs(5):
            pairs.append((_command(theirs, query, environment), _command(ours, query, environment)))
    ratios = tuple(their_s / our_s for their_s, our_s in pairs)
    return Row(
        what="search as a command: rare and common words",
        model="",
        ours=f"{statistics.median(our_s for _, our_s in pairs) * 1000:.0f} ms",
        peer=f"llm logs -q {statistics.median(their_s for their_s, _ in pairs) * 1000:.0f} ms",
        figure=statistics.median(ratios),
        target=None,
        spread=ratios,
        others_cores=meter.cores,
        note="times of the peer divided by ours",
    )


# Runs in the peer's own environment, with its own migrations.
_FILL_LOGS: Final = """
import sqlite3, sys
import sqlite_utils
from llm.migrations import migrate
source = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
logs = sqlite_utils.Database(sys.argv[2])
migrate(logs)
rows = source.execute(
    "SELECT answers.id, questions.text, answers.text, messages.created_at, messages.conversation_id"
    " FROM parts AS answers JOIN messages ON messages.id = answers.message_id"
    " JOIN parts AS questions ON questions.message_id = parent_id"
    " WHERE role = 'assistant' AND answers.kind = 'text' AND questions.kind = 'text'"
)
keys = source.execute("SELECT id FROM conversations")
logs["conversations"].insert_all({"id": str(i), "name": "", "model": "starter"} for (i,) in keys)
names = ("id", "model", "prompt", "response", "conversation_id", "datetime_utc")
logs["responses"].insert_all(
    dict(zip(names, (f"{i:026d}", "starter", p, r, str(c), t))) for i, p, r, t, c in rows
)
"""


def _command(command: Sequence[str], query: str, environment: dict[str, str]) -> float:
    began_s = time.perf_counter()
    done = subprocess.run([*command, query], capture_output=True, text=True, env=environment)
    elapsed_s = time.perf_counter() - began_s
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr[-500:]}")
    return elapsed_s


def _timed(act: Callable[[], object]) -> float:
    """Milliseconds."""
    began_s = time.perf_counter()
    act()
    return (time.perf_counter() - began_s) * 1000


def _median(act: Callable[[], object]) -> float:
    return statistics.median(_timed(act) for _ in range(9))


def _p95(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]


def _synchronize(folder: Path) -> None:
    with (folder / "synchronized").open("wb") as file:
        file.write(b"\0" * 4096)
        file.flush()
        os.fsync(file.fileno())


def _within(what: str, figure: float, target: float | None, note: str = "") -> Row:
    return Row(what, "", "", "", figure, target, sense="at most", unit="ms", spread=(figure,), note=note)


def _told(what: str, figure: float, unit: str, note: str = "") -> Row:
    return Row(what, "", "", "", figure, None, sense="at most", unit=unit, spread=(figure,), note=note)


if __name__ == "__main__":
    table.main(rows, __doc__)
