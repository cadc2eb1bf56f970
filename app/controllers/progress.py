"""How far one streaming answer has come, gathered on its thread and read for each frame on the Qt thread."""

from __future__ import annotations

import time
from typing import Literal

from model_manager.types import PrefillProgress, ReasoningDelta, TextDelta
from ui.values import StreamUpdate


class Progress:
    """Collects events; the answer's thread calls `take`, the Qt thread `update`.

    Lists only grow, so that reading while the other thread appends is safe.
    """

    def __init__(self, message_id: int) -> None:
        self.message_id = message_id
        self._reasoning: list[str] = []
        self._text: list[str] = []
        self._prefill_permille = 0
        self._first_token_at: float | None = None
        self._reasoning_ended_at: float | None = None
        self._last_token_at = 0.0

    def take(self, event: PrefillProgress | ReasoningDelta | TextDelta) -> None:
        """One event of the engine; every delta is one token, as our workers send them."""
        if isinstance(event, PrefillProgress):
            self._prefill_permille = 1000 * event.done_tokens // max(1, event.total_tokens)
            return
        now = time.monotonic()
        if self._first_token_at is None:
            self._first_token_at = now
        self._last_token_at = now
        if isinstance(event, ReasoningDelta):
            self._reasoning.append(event.text)
        else:
            if self._reasoning_ended_at is None:
                self._reasoning_ended_at = now
            self._text.append(event.text)

    def update(self) -> StreamUpdate:
        """All of it as one value."""
        n_tokens = len(self._reasoning) + len(self._text)
        first_at = self._first_token_at
        seconds = 0.0 if first_at is None else self._last_token_at - first_at
        reasoning_s = 0.0
        if first_at is not None and self._reasoning:
            reasoning_s = (self._reasoning_ended_at or time.monotonic()) - first_at
        return StreamUpdate(
            message_id=self.message_id,
            phase=self._phase(),
            reasoning="".join(self._reasoning),
            text="".join(self._text),
            prefill_permille=self._prefill_permille,
            reasoning_tokens=len(self._reasoning),
            reasoning_s=reasoning_s,
            completion_tokens=n_tokens,
            tokens_per_s=(n_tokens - 1) / seconds if seconds > 0 else None,
        )

    def _phase(self) -> Literal["prefill", "reasoning", "text"]:
        if self._text:
            return "text"
        return "reasoning" if self._reasoning else "prefill"
