"""Has llama.cpp make a smaller file from a larger one, in a child process that may go down alone.

stdin     one line: {"order": ..., "target": path, "n_threads": n, "is_trial": bool}; then open while we live
stdout    lines: {"tensor": name, "type": ..., "becomes": ..., "number": i, "count": n}, {"n_fallbacks": n},
          and at the end {"done": true} or {"error": reason}
stderr    last words

When stdin ends, the child removes what it has written and ends. A trial writes nothing: it tells what
llama.cpp would make of each tensor, so that room and quality are known before the first byte.
Source: llama.cpp@0c1e57098 src/llama-quant.cpp (`llama_model_quantize_impl`, its log lines and `dry_run`).
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from model_manager.errors import NeedsImatrix, QuantizeCancelled, QuantizeFailed
from model_manager.ggml_types import TYPES
from model_manager.quantize_order import QuantizeOrder, needs_imatrix
from model_manager.shards import GgufModel

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""`progress(done_bytes, total_bytes)` of the original's tensors."""

_TENSOR_LINE: Final = re.compile(
    r"\[\s*(?P<number>\d+)/\s*(?P<count>\d+)\]\s+(?P<tensor>\S+)\s+-\s+\[.*?\],"
    r"\s+type =\s*(?P<type>\w+),(?P<rest>.*)"
)
_NEW_TYPE: Final = re.compile(r"converting to (\w+)|\((\w+)\)\s*$")
_FALLBACKS_LINE: Final = re.compile(r"WARNING: (\d+) of \d+ tensor\(s\) required fallback")
_POLL_INTERVAL_S: Final = 0.1
_TRIAL_WAIT_S: Final = 120.0
_TRIAL_PROCESSOR_S: Final = 60
_LAST_WORDS_BYTES: Final = 8 * 1024
_NICENESS: Final = 10
_KINDS: Final = {kind.name: kind for kind in TYPES.values()}


@dataclass(frozen=True, slots=True)
class PlannedTensor:
    """What becomes of one tensor; types by ggml's names, in capitals.

    Attributes:
        size_bytes, new_bytes: Before and after.
    """

    name: str
    type_name: str
    new_type_name: str
    size_bytes: int
    new_bytes: int


@dataclass(frozen=True, slots=True)
class QuantizePlan:
    """What becomes of all of them.

    Attributes:
        n_fallbacks: Tensors whose rows are no whole blocks of their new type, so that they get another.
    """

    tensors: tuple[PlannedTensor, ...]
    n_fallbacks: int

    @property
    def size_bytes(self) -> int:
        """Of the tensors now."""
        return sum(tensor.size_bytes for tensor in self.tensors)

    @property
    def new_bytes(self) -> int:
        """Of the tensors then."""
        return sum(tensor.new_bytes for tensor in self.tensors)

    @property
    def is_requantized(self) -> bool:
        """Whether rounded numbers are rounded again, which costs more quality than rounding once."""
        return any(
            tensor.type_name != tensor.new_type_name and _KINDS[tensor.type_name].block_elements > 1
            for tensor in self.tensors
        )


class Quantizer:
    """Starts the child processes; thread-safe, and each call has one of its own."""

    def __init__(self, command: Sequence[str]) -> None:
        """Prepare.

        Args:
            command: What runs `main` of this module.
        """
        self._command = tuple(command)

    def plan(self, order: QuantizeOrder, model: GgufModel, name: str) -> QuantizePlan:
        """Ask llama.cpp what would become of each tensor; reads the header only.

        Raises:
            NeedsImatrix: One of them would become nonsense.
            QuantizeFailed: llama.cpp does not make this type of this model, or the file brings it down.
        """
        told: dict[str, str] = {}
        n_fallbacks = 0
        with contextlib.closing(self._events(order, None, name, lambda: False)) as events:
            for event in events:
                if "tensor" in event:
                    told[event["tensor"]] = event["becomes"]
                n_fallbacks += int(event.get("n_fallbacks", 0))
        planned = []
        for tensor in model.tensors():
            becomes = told.get(tensor.name, tensor.type.name)
            kind = _KINDS.get(becomes)
            if kind is None:
                raise QuantizeFailed(name, f"{tensor.name} would become {becomes}, which is not known here")
            if becomes != tensor.type.name and needs_imatrix(tensor.name, becomes, order.type_name):
                raise NeedsImatrix(becomes, tensor.name)
            n_elements = tensor.size_bytes // tensor.type.block_bytes * tensor.type.block_elements
            planned.append(
                PlannedTensor(
                    tensor.name, tensor.type.name, becomes, tensor.size_bytes, kind.size_bytes(n_elements)
                )
            )
        return QuantizePlan(tuple(planned), n_fallbacks)

    def make(
        self,
        order: QuantizeOrder,
        plan: QuantizePlan,
        target: Path,
        name: str,
        progress: Progress = lambda done, total: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        """Make the file; takes as long as it takes, about a minute for each four gigabytes and core.

        Args:
            order: What `plan` was made for.
            plan: For the progress.
            target: What lies there is overwritten. If anything is raised, nothing is left there.
            name: Of the model, for errors.
            progress: Told after each tensor.
            cancelled: Asked ten times a second.

        Raises:
            QuantizeFailed: llama.cpp failed, or its process ended.
            QuantizeCancelled: `cancelled()` was true.
        """
        sizes = {tensor.name: tensor.size_bytes for tensor in plan.tensors}
        done_bytes = 0
        progress(0, plan.size_bytes)
        try:
            with contextlib.closing(self._events(order, target, name, cancelled)) as events:
                for event in events:
                    done_bytes += sizes.get(event.get("tensor", ""), 0)
                    progress(done_bytes, plan.size_bytes)
        except BaseException:
            with contextlib.suppress(OSError):
                target.unlink(missing_ok=True)
            raise

    def _events(
        self, order: QuantizeOrder, target: Path | None, name: str, cancelled: Callable[[], bool]
    ) -> Generator[dict[str, Any], None, None]:
        request = {
            "order": order.to_body(),
            "target": str(target or os.devnull),
            "n_threads": max(
                1, len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
            ),
            "is_trial": target is None,
        }
        with tempfile.TemporaryFile() as words:
            child = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=words,
                process_group=None if sys.platform == "win32" else 0,  # Ctrl-C in a terminal is for us alone
            )
            assert child.stdin is not None
            assert child.stdout is not None
            try:
                with contextlib.suppress(OSError):
                    child.stdin.write(json.dumps(request).encode() + b"\n")
                    child.stdin.flush()
                is_done = False
                limit_s = _TRIAL_WAIT_S if target is None else None
                for event in _lines(child.stdout, cancelled, limit_s):
                    if "error" in event:
                        raise QuantizeFailed(name, str(event["error"]))
                    is_done = is_done or bool(event.get("done"))
                    yield event
                if not is_done:
                    code = child.wait()
                    raise QuantizeFailed(name, _last_words(words) or f"the process ended with {code}")
            finally:
                child.kill()
                child.wait()
                child.stdout.close()
                with contextlib.suppress(OSError):
                    child.stdin.close()


def _lines(
    stdout: IO[bytes], cancelled: Callable[[], bool], limit_s: float | None
) -> Iterator[dict[str, Any]]:
    """The objects that a child prints, until it ends."""
    lines: queue.Queue[bytes | None] = queue.Queue()

    def read() -> None:
        with contextlib.suppress(OSError, ValueError):  # it is closed when nobody waits any more
            for line in stdout:
                lines.put(line)
        lines.put(None)

    threading.Thread(target=read, name="quantizer", daemon=True).start()
    waited_s = 0.0
    while True:
        if cancelled():
            raise QuantizeCancelled
        try:
            line = lines.get(timeout=_POLL_INTERVAL_S)
        except queue.Empty:
            waited_s += _POLL_INTERVAL_S
            if limit_s is not None and waited_s >= limit_s:
                return
            continue
        if line is None:
            return
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            yield event


def _last_words(words: IO[bytes]) -> str:
    words.seek(max(0, words.seek(0, 2) - _LAST_WORDS_BYTES))
    return words.read().decode("utf-8", "replace").strip()


# --- the child -------------------------------------------------------------------------------------------


def main(_argv: Sequence[str] | None = None) -> int:
    """Fulfil one order and end."""
    stdin = sys.stdin.buffer
    line = stdin.readline()
    if not line:
        return 0
    request = json.loads(line)
    is_trial = bool(request["is_trial"])
    target = Path(request["target"])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is for the parent
    kept = None if is_trial else target
    threading.Thread(target=_await_parent, args=(stdin.fileno(), kept), name="parent", daemon=True).start()
    _be_modest(is_trial=is_trial)
    from model_manager.engine.llama.quantize import quantize  # loads the native library

    order = QuantizeOrder.from_body(request["order"])
    try:
        quantize(order, target, int(request["n_threads"]), _tell_line, is_trial=is_trial)
    except QuantizeFailed as error:
        _tell({"error": error.reason})
    else:
        _tell({"done": True})
    return 0


def _tell_line(line: str) -> None:
    if match := _TENSOR_LINE.search(line):
        becomes = _NEW_TYPE.search(match["rest"])
        kind = match["type"].upper()
        _tell(
            {
                "tensor": match["tensor"],
                "type": kind,
                "becomes": (becomes[1] or becomes[2]).upper() if becomes else kind,
                "number": int(match["number"]),
                "count": int(match["count"]),
            }
        )
    elif match := _FALLBACKS_LINE.search(line):
        _tell({"n_fallbacks": int(match[1])})


def _tell(event: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def _await_parent(stdin: int, target: Path | None) -> None:
    """End this process when the parent's end of stdin is gone, and leave nothing half made.

    By its descriptor: a thread inside a buffered reader's `read` breaks the interpreter's orderly end.
    """
    while os.read(stdin, 4096):
        pass
    if target is not None:
        with contextlib.suppress(OSError):
            target.unlink(missing_ok=True)
    os._exit(0)


def _be_modest(*, is_trial: bool) -> None:
    """Let everything else on the machine go first; a trial must not run away either."""
    if sys.platform == "win32":
        return
    import resource

    os.nice(_NICENESS)
    limits = [(resource.RLIMIT_CORE, 0)]
    if is_trial:
        limits.append((resource.RLIMIT_CPU, _TRIAL_PROCESSOR_S))
    for kind, value in limits:
        with contextlib.suppress(OSError, ValueError):  # a lower hard limit stands already
            resource.setrlimit(kind, (value, value))


if __name__ == "__main__":
    sys.exit(main())
