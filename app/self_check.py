"""Proves on this machine that everything works together: a model, a worker, an answer, the database.

Runs in a temporary data folder; nothing of the person's is touched.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.answering import Answered
from app.orders import Ask
from app.paths import Paths
from app.services import Services
from app.words import sentence
from model_manager import starter
from model_manager.engine.client import Cancel

_QUESTION = "Say hello in one sentence."
_MAX_TOKENS = 24


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried.

    Attributes:
        detail: What came out, or the sentence of what went wrong.
    """

    name: str
    ok: bool
    detail: str


def run() -> list[Check]:
    """Try everything; what depends on a failed check is not tried, and says so."""
    checks: list[Check] = []
    with tempfile.TemporaryDirectory(prefix="coterie-check-", ignore_cleanup_errors=True) as folder:
        trial = _Trial(Path(folder))
        try:
            for name, check in trial.checks():
                checks.append(_try(name, check, checks))
        finally:
            trial.close()
    return checks


def _try(name: str, check: Callable[[], str], before: list[Check]) -> Check:
    failed = next((earlier.name for earlier in before if not earlier.ok), None)
    if failed is not None:
        return Check(name, False, f"not tried, because {failed!r} failed")
    try:
        return Check(name, True, check())
    except AssertionError as error:
        return Check(name, False, str(error))
    except Exception as error:  # noqa: BLE001 : whatever it is, it is the result of the check
        return Check(name, False, f"{sentence(error)} ({error})")


class _Trial:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._services: Services | None = None
        self._answered: Answered | None = None

    def checks(self) -> list[tuple[str, Callable[[], str]]]:
        return [
            ("starter", self._starter),
            ("database", self._database),
            ("load", self._load),
            ("answer", self._answer),
            ("read back", self._read_back),
            ("search", self._search),
            ("unload", self._unload),
        ]

    def close(self) -> None:
        if self._services is not None:
            self._services.close()

    @property
    def services(self) -> Services:
        assert self._services is not None
        return self._services

    def _starter(self) -> str:
        return str(starter.ensure_starter())

    def _database(self) -> str:
        paths = Paths(self._folder)
        runtime_dir = self._folder / "run"
        runtime_dir.mkdir(mode=0o700)
        self._services = Services(paths, runtime_dir)
        return str(paths.database)

    def _load(self) -> str:
        with self.services.engines.use(self.services.library.get(starter.STARTER)) as engine:
            return f"{engine.info.engine}, {engine.info.n_experts} experts, {engine.info.n_threads} threads"

    def _answer(self) -> str:
        order = Ask(
            _QUESTION, model=starter.STARTER, sampling={"temperature": 0.0, "max_tokens": _MAX_TOKENS}
        )
        for event in self.services.answering.answer(order, Cancel()):
            if isinstance(event, Answered):
                self._answered = event
        assert self._answered is not None
        if self._answered.error is not None:
            raise self._answered.error
        assert self._answered.answer.text.strip(), "the answer is empty"
        return self._answered.answer.text.strip()

    def _read_back(self) -> str:
        assert self._answered is not None
        answer = self._answered.answer
        path = self.services.storage.call(lambda store: store.conversations.path(answer.conversation_id))
        assert [message.text for message in path] == [_QUESTION, answer.text], "what was stored differs"
        return f"{len(path)} messages"

    def _search(self) -> str:
        hits = self.services.storage.call(lambda store: store.search.find("hello"))
        assert hits, "the question is not found"
        return f"{len(hits)} found"

    def _unload(self) -> str:
        self.services.engines.unload()
        assert self.services.engines.worker_pid is None, "the worker still runs"
        return "the worker has ended"
