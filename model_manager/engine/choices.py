"""Several answers to one prompt (`n`), as one response.

The first is begun alone; when the prompt has been read, the others share its cells. Each has a seed of its
own: the request's, and those that follow it. Each tells of its end in a chunk of its own; a last one sums up.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from typing import Any

from model_manager.engine.answer_reader import AnswerPlan
from model_manager.engine.answers import DONE, Activity, Answer, Handle, Submit
from model_manager.engine.bodies import usage_body
from model_manager.engine.jobs import Ending
from model_manager.types import Usage


class Choices:
    """Stands where one `Answer` would stand; belongs to the event loop that made it."""

    def __init__(self, plan: AnswerPlan, activity: Activity, n: int) -> None:
        self._plan = plan
        self._first = _First(dataclasses.replace(plan, index=0), activity, self)
        others = (dataclasses.replace(plan, index=index) for index in range(1, n))
        self._answers = [self._first, *(Answer(one, activity) for one in others)]
        self._handles = _Handles()
        self._submit: Submit | None = None

    def start(self, submit: Submit) -> Handle:
        """Have all of them computed."""
        self._submit = submit
        self._handles.add(submit(self._first, 0))
        return self._handles

    def conclude(self) -> None:
        """End the reasoning of all of them as soon as possible; from any thread."""
        for answer in self._answers:
            answer.conclude()

    def begin_others(self, ending: Ending | None = None) -> None:
        """The prompt has been read, or the first answer ended without that; on the decode thread."""
        submit, self._submit = self._submit, None
        if submit is None:
            return
        for number, answer in enumerate(self._answers[1:], 1):
            if ending is None:
                self._handles.add(submit(answer, number))
            else:
                answer.on_end(dataclasses.replace(ending, error=None))

    @property
    def ending(self) -> Ending | None:
        """How the first one ended that failed, or else the first one at all; None while any goes on."""
        endings = [answer.ending for answer in self._answers]
        if None in endings:
            return None
        return next((ending for ending in endings if ending and ending.error), endings[0])

    async def events(self) -> AsyncIterator[bytes]:
        """Bytes to send, of whichever answer has some; ends with the last of them."""
        arrived: asyncio.Queue[bytes | None] = asyncio.Queue()

        async def gather(answer: Answer) -> None:
            async for chunk in answer.events():
                arrived.put_nowait(chunk)
            arrived.put_nowait(None)

        tasks = [asyncio.create_task(gather(answer)) for answer in self._answers]
        try:
            n_running = len(tasks)
            while n_running:
                chunk = await arrived.get()
                if chunk is None:
                    n_running -= 1
                else:
                    yield chunk
            yield self._summary() + DONE
        finally:
            for task in tasks:
                task.cancel()

    def beat(self) -> None:
        """Send a comment, to show the reader that the engine is alive."""
        self._first.beat()

    def result(self) -> dict[str, Any]:
        """All of them as one `chat.completion`, after `events` has ended without an error."""
        bodies = [answer.result() for answer in self._answers]
        choices = [{**body["choices"][0], "coterie": body["coterie"]} for body in bodies]
        return {**bodies[0], "choices": choices, "usage": usage_body(self._usage())}

    def _summary(self) -> bytes:
        ending = self.ending
        if ending is None or ending.error is not None:
            return b""
        body = {"choices": [], "usage": usage_body(self._usage())}
        return self._first.event(body)

    def _usage(self) -> Usage:
        """The prompt is read once, and counted once."""
        usages = [answer.usage(answer.ending) for answer in self._answers if answer.ending is not None]
        return dataclasses.replace(
            usages[0],
            completion_tokens=sum(usage.completion_tokens for usage in usages),
            reasoning_tokens=sum(usage.reasoning_tokens for usage in usages),
        )


class _First(Answer):
    """The one that reads the prompt, and tells when it has."""

    def __init__(self, plan: AnswerPlan, activity: Activity, choices: Choices) -> None:
        super().__init__(plan, activity)
        self._choices = choices

    def on_prefill(self, done_tokens: int, total_tokens: int) -> None:
        super().on_prefill(done_tokens, total_tokens)
        if done_tokens == total_tokens:
            self._choices.begin_others()

    def on_end(self, ending: Ending) -> None:
        super().on_end(ending)
        self._choices.begin_others(ending)


class _Handles:
    """All that is computed; what is added after a cancel is cancelled at once."""

    def __init__(self) -> None:
        self._handles: list[Handle] = []
        self._is_cancelled = False

    def add(self, handle: Handle) -> None:
        self._handles.append(handle)
        if self._is_cancelled:
            handle.cancel()

    def cancel(self) -> None:
        self._is_cancelled = True
        for handle in list(self._handles):
            handle.cancel()
