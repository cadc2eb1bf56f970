"""Documents: how fast they are indexed and searched, beside plain FTS5 and pypdf; and what is found.

Texts are those of the archive (three languages), 10,000 passages of them. Vectors for the times are random
ones of 384 numbers; what a model needs for a question's vector is its own affair. What is found is measured
with questions about `docs/decisions`; the starter is no embedding model, so its figures are a floor.

python -m benchmarks.knowledge [--quick] [--json]
"""

from __future__ import annotations

import io
import itertools
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pypdf import PdfReader

from app.paths import Paths
from app.services import Services
from benchmarks import archive, table
from benchmarks.machine import OthersMeter
from benchmarks.questions import QUESTIONS
from benchmarks.table import Effort, Row
from model_manager.engine.client import Cancel
from storage.knowledge.records import EmbeddingModel
from storage.store import Store
from tests.helpers.documents import pdf

N_PASSAGES: Final = 10_000
_N_DIMENSIONS: Final = 384
_TEXTS_A_FILE: Final = 160
_FILES_AT_ONCE: Final = 20
_LIMIT: Final = 5
_N_PAGES: Final = 200
_MODEL: Final = "starter-dense"
_DECISIONS: Final = Path(__file__).parent.parent / "docs" / "decisions"


def rows(effort: Effort) -> Iterator[Row]:
    """All of it; a quick run has a twentieth of the passages, and no vectors of a model."""
    with tempfile.TemporaryDirectory(prefix="coterie-") as folder:
        services = Services(Paths(Path(folder) / "data"), Path(folder))
        try:
            yield from _of_indexing(services, Path(folder), effort)
            yield from _of_searching(services, effort)
            yield from _of_finding(services, effort)
        finally:
            services.close()


def _of_indexing(services: Services, folder: Path, effort: Effort) -> Iterator[Row]:
    texts = folder / "texts"
    n_wanted = N_PASSAGES // (20 if effort.is_quick else 1)
    with OthersMeter() as meter:
        n_bytes, n_files, ours_s = 0, 0, 0.0
        sentences = archive.texts()
        n_passages = 0
        while n_passages < n_wanted:
            n_bytes += _write(texts, sentences, n_files)
            n_files += _FILES_AT_ONCE
            services.knowledge.add("texts", [texts])
            began_s = time.perf_counter()
            services.knowledge.refresh("texts", Cancel())
            ours_s += time.perf_counter() - began_s
            n_passages = services.storage.call(lambda store: store.knowledge.get("texts")).n_passages
        began_s = time.perf_counter()
        _fill_plain(folder / "plain.sqlite", texts)
        plain_s = time.perf_counter() - began_s
    yield Row(
        what="documents: text read, cut and indexed by words",
        model="",
        ours=f"{n_bytes / ours_s / 1e6:.2f} MB/s",
        peer=f"plain FTS5 {n_bytes / plain_s / 1e6:.2f} MB/s",
        figure=plain_s / ours_s,
        target=None,
        spread=(plain_s / ours_s,),
        others_cores=meter.cores,
        note=f"{n_bytes / 1e6:.1f} MB in {n_files} files; the peer puts paragraphs into a table of FTS5, and"
        " keeps neither places nor pairs of Chinese characters",
    )
    yield _of_pdf(services, folder, effort)


def _write(folder: Path, sentences: Iterator[str], first: int) -> int:
    """Some more files, the first of this number; how many bytes."""
    folder.mkdir(exist_ok=True)
    size = 0
    for number in range(first, first + _FILES_AT_ONCE):
        body = "\n\n".join(itertools.islice(sentences, _TEXTS_A_FILE)).encode()
        (folder / f"{number:05}.md").write_bytes(body)
        size += len(body)
    return size


def _fill_plain(path: Path, folder: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE VIRTUAL TABLE passages USING fts5 (text)")
        for file in sorted(folder.iterdir()):
            paragraphs = [(text,) for text in _joined(file.read_text().split("\n\n"))]
            connection.executemany("INSERT INTO passages (text) VALUES (?)", paragraphs)
        connection.commit()


def _joined(paragraphs: Sequence[str]) -> Iterator[str]:
    """As long as our passages, so that both search as many."""
    held = ""
    for paragraph in paragraphs:
        if held and len(held) + len(paragraph) > 1200:
            yield held
            held = ""
        held += paragraph + "\n\n"
    yield held


def _of_pdf(services: Services, folder: Path, effort: Effort) -> Row:
    sentences = (text for text in archive.texts() if text.isascii())
    n_pages = _N_PAGES // (10 if effort.is_quick else 1)
    data = pdf(["\n".join(itertools.islice(sentences, 12)) for _ in range(n_pages)])
    ratios, times = [], []
    with OthersMeter() as meter:
        for number in range(effort.pairs(3)):
            path = folder / f"{number}.pdf"
            path.write_bytes(data + b"\n" * number)  # another file each time
            services.knowledge.add(f"pdf {number}", [path])
            began_s = time.perf_counter()
            services.knowledge.refresh(f"pdf {number}", Cancel())
            ours_s = time.perf_counter() - began_s
            began_s = time.perf_counter()
            for page in PdfReader(io.BytesIO(data)).pages:
                page.extract_text()
            pypdf_s = time.perf_counter() - began_s
            ratios.append(pypdf_s / ours_s)
            times.append((ours_s, pypdf_s))
    ours, theirs = (statistics.median(column) for column in zip(*times, strict=True))
    return Row(
        what="documents: PDF read and indexed by words",
        model="",
        ours=f"{n_pages / ours:.0f} pages/s",
        peer=f"pypdf, text alone {n_pages / theirs:.0f} pages/s",
        figure=statistics.median(ratios),
        target=None,
        spread=tuple(ratios),
        others_cores=meter.cores,
        note=f"{n_pages} pages; ours starts a process with limits for the reading",
    )


def _of_searching(services: Services, effort: Effort) -> Iterator[Row]:
    queries = [query for queries in archive.queries().values() for query in queries[: effort.pairs(20)]]
    n_passages = services.storage.call(_embed_at_random)
    question = np.random.default_rng(9).standard_normal(_N_DIMENSIONS).astype(np.float32)
    plain = sqlite3.connect(services.paths.data_dir.parent / "plain.sqlite")
    with closing(plain), OthersMeter() as meter:
        peer = [_timed(partial(_search_plain, plain, query)) for query in queries * 3]
        words = [_search(services, query, None) for query in queries * 3]
        both = [_search(services, query, question) for query in queries * 3]
    peer_ms = _p95(peer)
    for what, times in (("words", words), ("words and vectors", both)):
        yield Row(
            what=f"search {n_passages:,} passages by {what}, p95",
            model="",
            ours=f"{_p95(times):.1f} ms",
            peer=f"plain FTS5 {peer_ms:.1f} ms",
            figure=_p95(times),
            target=None,
            sense="at most",
            unit="ms",
            spread=(statistics.median(times), _p95(times)),
            others_cores=meter.cores,
            note="rare and common words, beginnings, pairs of Chinese characters, phrases",
        )


def _embed_at_random(store: Store) -> int:
    dice = np.random.default_rng(5)
    store.knowledge.set_model("texts", EmbeddingModel("random", None, _N_DIMENSIONS))
    while waiting := store.knowledge.without_vector("texts", 500):
        vectors = dice.standard_normal((len(waiting), _N_DIMENSIONS)).astype(np.float32)
        store.knowledge.put_vectors("texts", {hit.id: one for hit, one in zip(waiting, vectors, strict=True)})
    return store.knowledge.get("texts").n_passages


def _search(services: Services, query: str, vector: NDArray[np.float32] | None) -> float:
    """Milliseconds on the thread of the database."""
    return services.storage.call(
        lambda store: _timed(lambda: store.knowledge.search("texts", query, vector, limit=_LIMIT))
    )


def _search_plain(connection: sqlite3.Connection, query: str) -> None:
    words = " OR ".join(f'"{word}"' for word in query.replace('"', "").split())
    connection.execute(
        "SELECT text FROM passages WHERE passages MATCH ? ORDER BY bm25(passages) LIMIT ?", [words, _LIMIT]
    ).fetchall()


def _of_finding(services: Services, effort: Effort) -> Iterator[Row]:
    services.knowledge.add("decisions", [_DECISIONS])
    services.knowledge.refresh("decisions", Cancel())
    yield _found(services, "words alone", "")
    if not effort.is_quick:
        services.knowledge.choose_model("decisions", _MODEL)
        services.knowledge.refresh("decisions", Cancel())
        yield _found(services, "words and meaning", _MODEL)


def _found(services: Services, what: str, model: str) -> Row:
    ranks = []
    for question, words in QUESTIONS:
        found = services.knowledge.find("decisions", question, Cancel(), limit=50)
        texts = [" ".join(hit.passage.text.split()) for hit in found.passages]
        ranks.append(next((rank for rank, text in enumerate(texts, start=1) if words in text), None))
        if ranks[-1] is None or ranks[-1] > _LIMIT:
            print(f"{what}: {question} ({ranks[-1]})", file=sys.stderr)
    among = sum(rank is not None and rank <= _LIMIT for rank in ranks)
    reciprocal = sum(1 / rank for rank in ranks if rank is not None) / len(ranks)
    return Row(
        what=f"right passage among the first {_LIMIT}, {what}",
        model=model,
        ours=f"{among} of {len(QUESTIONS)}",
        peer="",
        figure=among / len(QUESTIONS),
        target=None,
        spread=(reciprocal,),
        note=f"questions about {_DECISIONS.name}, in other words than the passages'; mean reciprocal rank"
        f" {reciprocal:.2f}",
    )


def _timed(act: Callable[[], object]) -> float:
    """Milliseconds."""
    began_s = time.perf_counter()
    act()
    return (time.perf_counter() - began_s) * 1000


def _p95(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]


if __name__ == "__main__":
    table.main(rows, __doc__)
