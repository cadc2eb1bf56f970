"""An observer of the scheduler that keeps what it sees, and whom a test can wait for."""

from __future__ import annotations

import threading
from collections.abc import Callable

from model_manager.engine.jobs import CONTINUE, Ending, Job, Verdict
from model_manager.types import TokenLogprobs

DEADLINE_S = 120.0


class Recorder:
    """Keeps everything; `decide` may answer each token with a verdict."""

    def __init__(self, decide: Callable[[Recorder, int], Verdict] | None = None) -> None:
        self.token_ids: list[int] = []
        self.text = ""
        self.logprobs: list[TokenLogprobs] = []
        self.prefills: list[tuple[int, int]] = []
        self.job: Job | None = None
        self._decide = decide
        self._ending: Ending | None = None
        self._ended = threading.Event()
        self.progressed = threading.Event()
        self.started = threading.Event()

    def on_prefill(self, done_tokens: int, total_tokens: int) -> None:
        self.prefills.append((done_tokens, total_tokens))
        if done_tokens:
            self.progressed.set()

    def on_token(self, token_id: int, text: str) -> Verdict:
        self.token_ids.append(token_id)
        self.text += text
        self.started.set()
        return CONTINUE if self._decide is None else self._decide(self, token_id)

    def on_logprobs(self, told: TokenLogprobs) -> None:
        self.logprobs.append(told)

    def on_end(self, ending: Ending) -> None:
        assert self._ending is None, "an answer ends once"
        self._ending = ending
        self._ended.set()

    def wait(self) -> Ending:
        """The ending, once it came."""
        assert self._ended.wait(DEADLINE_S), "the answer did not end"
        assert self._ending is not None
        return self._ending
