"""One answer on the terminal, as it arrives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

from app.answering import Answered, Started
from app.cli import shapes
from app.cli.output import print_json, printable
from app.cli.progress import LoadingLine
from app.console import Console
from app.errors import Interrupted
from app.orders import Order
from app.services import Services
from model_manager.engine.client import Cancel
from model_manager.types import ReasoningDelta, TextDelta, TokenLogprobs, Usage
from ui import formats
from ui.i18n import tr

_DIM, _PLAIN = "\x1b[2m", "\x1b[0m"
_TIMINGS = ("ttft_ms", "prefill_tokens_per_s", "decode_tokens_per_s")


def perform(
    order: Order,
    services: Services,
    console: Console,
    *,
    as_json: bool,
    on_started: Callable[[Started], None] = lambda started: None,
) -> Answered:
    """Have an order answered and print what arrives; Ctrl+C ends the answer and keeps what there is.

    Args:
        order: What is asked.
        services: Who answers.
        console: Where it is printed.
        as_json: A line of JSON for each event, else text.
        on_started: Told when question and answer are stored.

    Returns:
        The end. Its error, if it has one, is not printed.

    Raises:
        ModelManagerError, StorageError: Nothing was stored, or the answer could not be.
    """
    cancel = Cancel()
    printer = _Printer(console, as_json)
    answered: Answered | None = None
    loading = LoadingLine(console, services.engines)
    with console.on_interrupt(cancel.set), loading:
        events = services.answering.answer(order, cancel)
        try:
            for event in events:
                match event:
                    case Started():
                        on_started(event)
                    case ReasoningDelta():
                        loading.end()
                        printer.show("reasoning", event.text)
                    case TextDelta():
                        loading.end()
                        printer.show("text", event.text)
                    case TokenLogprobs():
                        print_json(console, shapes.logprobs_line(event))
                    case Answered():
                        answered = event
        except Interrupted:
            cancel.set()
            raise
        finally:
            events.close()
    assert answered is not None
    printer.end(answered)
    return answered


class _Printer:
    """One answer on the way out: JSON lines, or text with the reasoning dimmed."""

    def __init__(self, console: Console, as_json: bool) -> None:
        self._console = console
        self._as_json = as_json
        self._kind = ""

    def show(self, kind: str, text: str) -> None:
        if self._as_json:
            print_json(self._console, {"type": kind, "text": text})
            return
        if kind != self._kind and self._console.is_screen:
            begin = _DIM if kind == "reasoning" else _PLAIN
            self._console.out(f"{_PLAIN}\n\n{begin}" if self._kind else begin)
        elif kind != self._kind and self._kind:
            self._console.out("\n\n")
        self._kind = kind
        self._console.out(printable(text) if self._console.is_screen else text)

    def end(self, answered: Answered) -> None:
        if not self._as_json:
            if self._kind:
                self._console.out(f"{_PLAIN}\n" if self._console.is_screen else "\n")
            self._show_facts(answered)
            return
        if answered.error is not None:
            return  # said by whoever catches it
        finished, answer = answered.finished, answered.answer
        usage = finished.usage if finished else Usage(0, 0, 0, 0)
        timings = asdict(finished.timings) if finished else dict.fromkeys(_TIMINGS)
        print_json(
            self._console,
            {
                "type": "done",
                "conversation_id": answer.conversation_id,
                "message_id": answer.id,
                "usage": asdict(usage),
                "timings": timings,
                "stop_reason": answer.generation.stop_reason if answer.generation else None,
            },
        )

    def _show_facts(self, answered: Answered) -> None:
        finished = answered.finished
        if finished is None or not self._console.is_screen:
            return
        rate = finished.timings.decode_tokens_per_s
        facts = [tr("{n} tokens", n=finished.usage.completion_tokens)]
        if rate is not None:
            facts.append(tr("{rate} tokens/s", rate=formats.decimal(rate)))
        self._console.err(f"{_DIM}{' · '.join(facts)}{_PLAIN}\n\n")
