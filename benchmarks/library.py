"""Listing a library of 500 models, in a process that has just started.

    python -m benchmarks.library [--quick] [--json]

Measured from the opening of the database to the list in hand, without the start of Python and the imports,
which a second row tells with everything else. Before each run the files' pages are given back to the system,
so that a program that opened them would wait for the disk.
"""

from __future__ import annotations

import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from app.stores import LibraryStore
from benchmarks import table
from benchmarks.machine import OthersMeter
from benchmarks.table import Effort, Row
from model_manager.importing import import_from
from model_manager.library import Library
from storage.thread import StorageThread

N_FILES = 500
N_TOKENS = 2000
"""Of each file's vocabulary: enough that reading 500 headers takes seconds."""
TARGET_MS = 200.0

LISTING = """
import json, sys, time
from pathlib import Path
from app.stores import LibraryStore
from model_manager.library import Library
from storage.thread import StorageThread
began_s = time.perf_counter()
storage = StorageThread(Path(sys.argv[1]) / "coterie.sqlite")
shelf = LibraryStore(storage)
entries = Library(shelf, Path(sys.argv[1]) / "models", usage=shelf.usage).list()
took_s = time.perf_counter() - began_s
storage.close()
print(json.dumps({"took_s": took_s, "n_entries": sum(not entry.is_missing for entry in entries)}))
"""


def rows(effort: Effort) -> Iterator[Row]:
    """The listing alone, the whole command, and the first look at all files."""
    n_runs = effort.pairs(9)
    with tempfile.TemporaryDirectory() as folder, OthersMeter() as meter:
        data_dir = Path(folder)
        paths = [
            _write_model(data_dir / "models" / f"owner-{number % 20}" / f"model-{number:03}.gguf", number)
            for number in range(N_FILES)
        ]
        began_s = time.perf_counter()
        with closing(StorageThread(data_dir / "coterie.sqlite")) as storage:
            report = import_from(Library(LibraryStore(storage), data_dir / "models"), "ours")
        import_s = time.perf_counter() - began_s
        assert sum(item.status == "added" for item in report.items) == N_FILES
        alone_ms, whole_ms = [], []
        for _ in range(n_runs):
            _forget_pages([*paths, data_dir / "coterie.sqlite"])
            alone_ms.append(_list_alone(data_dir))
            _forget_pages([*paths, data_dir / "coterie.sqlite"])
            whole_ms.append(_list_by_command(data_dir))
    others_cores = meter.cores
    what = f"library of {N_FILES} files"
    yield _row(f"{what}, listed from cold", alone_ms, TARGET_MS, others_cores)
    yield _row(f"{what}, `coterie models list` whole", whole_ms, None, others_cores)
    yield Row(
        what=f"{what}, imported",
        model="",
        ours=f"{import_s:.2f} s",
        peer="",
        figure=1000 * import_s / N_FILES,
        target=None,
        sense="at most",
        unit="ms a file",
        others_cores=others_cores,
        note=f"the first look at headers with {N_TOKENS} tokens each; later looks read none",
    )


def _row(what: str, runs_ms: list[float], target_ms: float | None, others_cores: float) -> Row:
    median_ms = statistics.median(runs_ms)
    return Row(
        what=what,
        model="",
        ours=f"{median_ms:.0f} ms",
        peer="",
        figure=median_ms,
        target=target_ms,
        sense="at most",
        unit="ms",
        spread=tuple(runs_ms),
        others_cores=others_cores,
    )


def _list_alone(data_dir: Path) -> float:
    done = subprocess.run(
        [sys.executable, "-c", LISTING, data_dir], stdout=subprocess.PIPE, text=True, check=True
    )
    told = json.loads(done.stdout)
    assert told["n_entries"] >= N_FILES
    return 1000 * float(told["took_s"])


def _list_by_command(data_dir: Path) -> float:
    command = [sys.executable, "-P", "-m", "app", "--data-dir", data_dir, "models", "list", "--json"]
    began_s = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    took_ms = 1000 * (time.perf_counter() - began_s)
    assert len(json.loads(done.stdout)) >= N_FILES
    return took_ms


def _forget_pages(paths: list[Path]) -> None:
    os.sync()
    if not hasattr(os, "posix_fadvise"):
        return
    for path in paths:
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _write_model(path: Path, number: int) -> Path:
    """A small mixture whose header is like a real one's; written by hand, as 500 of them should be quick."""
    values = [
        _pair("general.architecture", 8, _text("qwen3moe")),
        _pair("general.name", 8, _text(f"Model {number}")),
        _pair("general.file_type", 4, struct.pack("<I", 15)),
        _pair("qwen3moe.block_count", 4, struct.pack("<I", 48)),
        _pair("qwen3moe.context_length", 4, struct.pack("<I", 32768)),
        _pair("qwen3moe.expert_count", 4, struct.pack("<I", 128)),
        _pair("qwen3moe.expert_used_count", 4, struct.pack("<I", 8)),
        _pair(
            "tokenizer.ggml.tokens",
            9,
            struct.pack("<IQ", 8, N_TOKENS) + b"".join(_text(f"token{i}") for i in range(N_TOKENS)),
        ),
    ]
    tensor = _text("output.weight") + struct.pack("<IQQIQ", 2, 32, 8, 0, 0)
    head = struct.pack("<4sIQQ", b"GGUF", 3, 1, len(values)) + b"".join(values) + tensor
    padding = b"\0" * (-len(head) % 32)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(head + padding + struct.pack("<f", number) * 256)
    return path


def _pair(key: str, kind: int, value: bytes) -> bytes:
    return _text(key) + struct.pack("<I", kind) + value


def _text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


if __name__ == "__main__":
    table.main(rows, __doc__)
