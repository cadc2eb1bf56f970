"""How the transcript behaves: a long stream of thoughts with formulas, and a chat of 10,000 messages.

    python -m benchmarks.transcript [--quick] [--json]

A frame is one update of the stream with everything it causes: block splitting, parsing, layout, painting,
and what the event loop finds to do until it is idle. Its peer is a QTextBrowser that gets the whole Markdown
anew on every update, painted the same way.
"""

from __future__ import annotations

import gc
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QEventLoop
from PySide6.QtWidgets import QApplication, QTextBrowser, QWidget

from benchmarks import table
from benchmarks.machine import OthersMeter
from benchmarks.table import Effort, Row
from storage.records import Generation, Message, MessageStatus, Part, Role
from ui import theme
from ui.chat.transcript import Transcript
from ui.values import StreamUpdate

FRAME_S = 1 / 30
N_MESSAGES = 10_000
N_TOKENS = 5_000
RATE = 200.0
_FORMULAS = (
    r"$E = mc^2$",
    r"$\sum_{i=1}^{n} x_i^2$",
    r"$\frac{\partial L}{\partial w_{%d}}$",
    r"\(\mathbf{x}^T A_{%d} \mathbf{x}\)",
)
_DISPLAYS = (
    "\n\n$$\n\\int_0^\\infty e^{-%d x^2}\\,dx = \\frac{\\sqrt{\\pi}}{2}\n$$\n\n",
    "\n\n\\[\n\\begin{pmatrix} 1 & %d & 3 \\\\ 4 & 5 & 6 \\\\ 7 & 8 & 9 \\end{pmatrix}\n\\]\n\n",
)
_SENTENCE = "the router gives every token a weight so that we must first check whether this bound holds"
_WORDS = _SENTENCE.split()


def tokens(n_tokens: int) -> Iterator[str]:
    """A train of thought: prose, lists, code, every eighth word a formula, a matrix now and then."""
    random_ = random.Random(3)
    for number in range(n_tokens):
        draw = random_.random()
        if draw < 0.004:
            yield random_.choice(_DISPLAYS) % number
        elif draw < 0.03:
            formula = random_.choice(_FORMULAS)
            yield " " + (formula % number if "%d" in formula else formula)
        elif draw < 0.05:
            yield random_.choice(("\n\n", "\n- ", "\n1. ", "\n\n## Step\n\n"))
        elif draw < 0.053:
            yield "\n\n```python\nfor i in range(10):\n    print(i)\n```\n\n"
        else:
            yield random_.choice((" **", " *"))[:1] + random_.choice(_WORDS)


def message(number: int, role: Role, text: str, status: MessageStatus = "complete") -> Message:
    """A message of the benchmark."""
    return Message(
        number,
        1,
        number - 1 or None,
        role,
        status,
        datetime.now(UTC),
        (Part("text", text),) if text else (),
        Generation("model") if role == "assistant" else None,
        (number,),
    )


def frames(
    app: QApplication, show: Callable[[str, int], None], n_tokens: int, rate: float
) -> tuple[list[float], list[float]]:
    """Stream in real time, an update every 33 ms at most.

    Returns:
        Seconds of every frame by the clock, and by the processor time of the Qt thread: on a busy machine the
        first contains waiting for other programs.
    """
    pieces = list(tokens(n_tokens))
    work: list[float] = []
    cpu: list[float] = []
    begin = time.perf_counter()
    sent = 0
    while sent < len(pieces):
        frame_begin, cpu_begin = time.perf_counter(), time.thread_time()
        sent = min(len(pieces), int((frame_begin - begin) * rate) + 1)
        show("".join(pieces[:sent]), sent)
        # Until nothing is left to do: painting is an event, formulas arrive as events.
        app.processEvents(QEventLoop.ProcessEventsFlag.AllEvents)
        work.append(time.perf_counter() - frame_begin)
        cpu.append(time.thread_time() - cpu_begin)
        rest = FRAME_S - work[-1]
        if rest > 0:
            end = time.perf_counter() + rest
            while (left := end - time.perf_counter()) > 0:
                loop_begin, cpu_begin = time.perf_counter(), time.thread_time()
                app.processEvents(QEventLoop.ProcessEventsFlag.AllEvents)
                late = time.perf_counter() - loop_begin
                if late > 0.004:
                    work.append(late)
                    cpu.append(time.thread_time() - cpu_begin)
                time.sleep(min(left, 0.002))
    return work, cpu


def summary(measured: tuple[list[float], list[float]]) -> dict[str, float]:
    """Worst, 99th percentile and median in milliseconds, and how many frames came too late."""
    work, cpu = measured
    ordered = sorted(work)
    at = lambda share: round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1e3, 2)  # noqa: E731  # short
    return {
        "worst_ms": at(1.0),
        "p99_ms": at(0.99),
        "median_ms": at(0.5),
        "frames": len(work),
        "late": sum(frame > FRAME_S for frame in work),
        "worst_cpu_ms": round(max(cpu) * 1e3, 2),
    }


def prepare(app: QApplication, widget: QWidget) -> None:
    """Show a widget in the size of a usual window."""
    widget.resize(1100, 800)
    widget.show()
    app.processEvents()


def measure_stream(app: QApplication, n_tokens: int, rate: float) -> dict[str, float]:
    """Our transcript, reasoning open."""
    view = Transcript()
    prepare(app, view)
    view.set_messages([message(1, "user", "Think."), message(2, "assistant", "", "streaming")])

    def show(text: str, sent: int) -> None:
        view.apply_stream(
            StreamUpdate(
                2,
                "reasoning",
                reasoning=text,
                reasoning_tokens=sent,
                reasoning_s=sent / rate,
                tokens_per_s=rate,
            )
        )

    result = summary(frames(app, show, n_tokens, rate))
    column = view.scene.items[1].columns[0]
    result["blocks"], result["parses"] = len(column.views), column.n_parsed
    view.close()
    view.workshop.close()
    return result


def measure_peer(app: QApplication, n_tokens: int, rate: float) -> dict[str, float]:
    """QTextBrowser with the whole text on each update."""
    browser = QTextBrowser()
    prepare(app, browser)

    def show(text: str, _sent: int) -> None:
        browser.setMarkdown(text)
        bar = browser.verticalScrollBar()
        bar.setValue(bar.maximum())

    result = summary(frames(app, show, n_tokens, rate))
    browser.close()
    return result


def measure_opening(app: QApplication, n_messages: int) -> dict[str, float]:
    """Until the end of a long chat is on the screen."""
    text = "".join(tokens(120))
    messages = [message(n + 1, "assistant" if n % 2 else "user", text) for n in range(n_messages)]
    view = Transcript()
    prepare(app, view)
    begin = time.perf_counter()
    view.set_messages(messages)
    app.processEvents()
    opened = time.perf_counter() - begin
    slowest = 0.0
    bar = view.verticalScrollBar()
    for share in range(20):
        step = time.perf_counter()
        bar.setValue(int(bar.maximum() * (20 - share) / 20))
        app.processEvents()
        slowest = max(slowest, time.perf_counter() - step)
    page = 0.0
    for _ in range(60):
        step = time.perf_counter()
        view.scroll_by(120)
        app.processEvents()
        page = max(page, time.perf_counter() - step)
    view.close()
    view.workshop.close()
    return {
        "messages": n_messages,
        "open_ms": round(opened * 1e3, 1),
        "slowest_jump_ms": round(slowest * 1e3, 1),
        "slowest_scroll_step_ms": round(page * 1e3, 1),
        "laid_out": len(view.scene.shown),
    }


def rows(effort: Effort) -> Iterator[Row]:
    """How long a long chat takes to open, and the frames of a stream of thoughts."""
    app = QApplication(sys.argv[:1])
    theme.apply("light")
    # As the program does once its window stands: what was imported is never collected again.
    gc.collect()
    gc.freeze()
    n_tokens = 600 if effort.is_quick else N_TOKENS
    with OthersMeter() as meter:
        opening = measure_opening(app, N_MESSAGES)
    yield _row(f"open a chat of {N_MESSAGES:,} messages", opening["open_ms"], 200.0, meter)
    what = f"{n_tokens:,} thinking tokens at {RATE:.0f} tok/s: slowest frame"
    with OthersMeter() as meter:
        ours = measure_stream(app, n_tokens, RATE)
    with OthersMeter() as peer_meter:
        peer = measure_peer(app, n_tokens, RATE)
    # By the clock a frame also holds the waiting for other programs.
    yield _row(what, ours["worst_ms"], 33.0, meter, f"processor time {ours['worst_cpu_ms']} ms")
    yield _row(f"{what}, of a QTextBrowser", peer["worst_ms"], None, peer_meter)


def _row(what: str, figure_ms: float, target_ms: float | None, meter: OthersMeter, note: str = "") -> Row:
    return Row(
        what=what,
        model="",
        ours="",
        peer="",
        figure=figure_ms,
        target=target_ms,
        sense="at most",
        unit="ms",
        spread=(figure_ms,),
        others_cores=meter.cores,
        note=note,
    )


if __name__ == "__main__":
    table.main(rows, __doc__)
