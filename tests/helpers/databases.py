"""Databases for tests: a small one with everything in it, as a release keeps it, and ways to damage one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np

from storage.knowledge.records import Citation, EmbeddingModel, FileStamp, Passage, ReadDocument
from storage.records import Generation, Part, Prompt, StoredModel
from storage.store import Store

GENERATION = Generation(
    model_name="starter",
    model_sha256="ab" * 32,
    engine="llama.cpp",
    parameters={"temperature": 0.8, "seed": 7},
    prompt_tokens=12,
    cached_tokens=4,
    completion_tokens=30,
    reasoning_tokens=10,
    ttft_ms=51.5,
    prefill_tokens_per_s=410.0,
    decode_tokens_per_s=88.25,
    reasoning_ms=113.0,
    stop_reason="stop",
    load_plan={"n_ctx_tokens": 4096, "n_threads": 2},
    template_sha256="ef" * 32,
    think_budget_tokens=10,
    thinking_ended_by="budget",
    effort="low",
)
SEARCH = (
    Part("tool_call", '{"query": "experts"}', "web_search", "call_1"),
    Part("tool_result", "Mixtures of experts", "web_search", "call_1"),
)
CITATION = Citation(
    number=1,
    collection="notes",
    path=Path("/home/user/notes/mixtures.md"),
    title="mixtures.md",
    passage=Passage("A router chooses the experts.", ("Mixtures", "Routing"), line=3, line_end=3),
)
RED = Part("image", name="red square.png", data=b"\x89PNG red")


def text(words: str) -> list[Part]:
    return [Part("text", words)]


def fill(store: Store) -> None:
    """One of everything: branches, reasoning, an interrupted and a failed answer, Chinese, code, settings."""
    conversations = store.conversations
    first = conversations.create(title="Mixtures", system_prompt="Be brief.", sampling={"temperature": 0.2})
    question = conversations.append(first.id, None, "user", text("What is a mixture of experts?"))
    answer = conversations.start_answer(first.id, question.id, GENERATION)
    thought = Part("reasoning", "They ask about sparse models; 混合专家模型.")
    conversations.flush_answer(answer.id, [thought])
    conversations.finish_answer(
        answer.id,
        [thought, *SEARCH, Part("text", "A model that wakes a few of its experts for each token.")],
        GENERATION,
    )
    store.traces.put(
        answer.id,
        {"prompt_tokens": np.arange(12), "answer_tokens": np.arange(30), "expert_layers": np.array([1, 3])},
    )
    conversations.append(
        first.id, question.id, "assistant", text("Many small networks."), generation=GENERATION
    )
    conversations.append(first.id, None, "user", text("什么是混合专家模型？ Call `llama_get_logits_ith`."))
    conversations.select(first.id, answer.id)
    second = conversations.create()
    conversations.rename(second.id, "Flags", automatic=True)
    flags = conversations.append(second.id, None, "user", text("Explain --n-cpu-moe"), citations=[CITATION])
    conversations.append(
        second.id,
        flags.id,
        "assistant",
        [],
        status="failed",
        generation=Generation("starter", error="EngineDied"),
    )
    cut_off = conversations.start_answer(second.id, flags.id, GENERATION)
    conversations.flush_answer(cut_off.id, text("It keeps the expe"))
    conversations.mark_interrupted()
    organize(store, first.id, second.id, answer.id)
    _fill_knowledge(store)
    store.settings.set("theme", "dark")
    store.models.put(
        StoredModel("starter", ("/models/starter.gguf",), 98_000_000, ("cd" * 32,), info={"n": 8})
    )
    store.downloads.add("owner/repo:Q4_K_M", "repo-Q4_K_M", {"files": []})


def organize(store: Store, mixtures: int, flags: int, answer: int) -> None:
    """Folders, tags, a rating, prompts, an archived conversation and one in the trash with a shared image."""
    store.shelf.move(mixtures, "Work/Models")
    store.shelf.tag(mixtures, "moe")
    store.shelf.tag(flags, "MoE")
    store.shelf.pin(mixtures)
    store.ratings.rate(answer, 1)
    store.prompts.put(Prompt("Reviewer", "Find mistakes.", "starter", {"temperature": 0.1}))
    store.prompts.put(Prompt("Brief", "Be brief."))
    archived = store.conversations.create(title="Squares").id
    for words in ("What is this?", "And what is this?"):
        store.conversations.append(archived, None, "user", [RED, *text(words)])
    store.shelf.archive(archived)
    thrown = store.conversations.create(title="Nonsense").id
    store.conversations.append(thrown, None, "user", text("Never mind the experts."))
    store.trash.put(thrown)


def _fill_knowledge(store: Store) -> None:
    """The document that is cited, and one that could not be read."""
    path, passage = CITATION.path, CITATION.passage
    folder = path.parent
    store.knowledge.add_source("notes", folder)
    store.knowledge.set_model("notes", EmbeddingModel("starter", "ab" * 32, 4))
    document = ReadDocument("markdown", "mixtures.md", "12" * 32, (passage,))
    store.knowledge.put_document("notes", folder, path, FileStamp(40, 1_700_000_000_000_000_000), document)
    (found,) = store.knowledge.without_vector("notes", 10)
    store.knowledge.put_vectors("notes", {found.id: np.array([1, 0, 0, 1], np.float32)})
    store.knowledge.note_refused("notes", folder, folder / "scan.pdf", FileStamp(9, 1), "no_text")


def make_release_database(target: Path, scratch: Path) -> None:
    """The file that is kept for this release: `tests/data/databases/v<release>.sqlite`.

    Made once, by hand, in a Python that is started in the root of the repository.

    Args:
        target: Must not exist.
        scratch: An empty folder.
    """
    store = Store(scratch / "release.sqlite")
    try:
        fill(store)
        store.back_up(target)
    finally:
        store.close()


def run_sql(path: Path, script: str) -> None:
    """Change a file behind the program's back."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys=OFF")
        connection.executescript(script)


def read_sql(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()
