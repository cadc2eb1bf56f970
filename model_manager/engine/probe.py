"""Looks at a model file in a throw-away process: what would loading it take, and does llama.cpp survive it?

stdin     {"plan": ..., "room": {device: bytes} | null}
stdout    {"forecast": ...} or {"fits_ctx_tokens": ...} where a room is given, or {"error": ...}
stderr    last words
exit      0 when something was printed; the rest is the file's doing

The process limits itself: address space, processor time, size of what it writes. What a damaged or hostile
file does to it is told as `ProbeFailed`, and nobody else is hurt.
"""

from __future__ import annotations

import contextlib
import json
import logging
import subprocess
import sys
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import IO, Any, Final, TypeVar

from model_manager.engine.failures import error_body, error_from
from model_manager.engine.launch import plan_body, plan_from
from model_manager.engine.placements import forecast_body, forecast_from
from model_manager.engine.process import says_out_of_memory
from model_manager.engine.room import free_main_memory_bytes
from model_manager.engine.speculation.draft_plan import draft_plan, together
from model_manager.errors import (
    ContextTooLarge,
    EngineError,
    LoadFailed,
    ModelFileError,
    NotEnoughMemory,
    ProbeFailed,
    RpcUnreachable,
)
from model_manager.types import Forecast, LoadPlan

log = logging.getLogger(__name__)

T = TypeVar("T")

MAX_ADDRESS_SPACE_BYTES: Final = 16 * 2**30
MAX_PROCESSOR_S: Final = 20
MAX_WAIT_S: Final = 60.0
WORKER_BYTES: Final = 96 * 2**20
"""What a worker takes for itself: the interpreter, the libraries, the server."""
_MAX_WRITTEN_BYTES: Final = 16 * 2**20
_LAST_WORDS_BYTES: Final = 8 * 1024
_MEMORY_LIMIT_SHARE: Final = 0.98
_KEPT: Final = 64
_SIGXCPU: Final = 24


class Prober:
    """Asks throw-away processes; thread-safe. What was found out about a file and a plan is kept."""

    def __init__(self, command: Sequence[str]) -> None:
        """Prepare.

        Args:
            command: What runs `main` of this module.
        """
        self._command = tuple(command)
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[object, ...], Forecast] = OrderedDict()
        self._asked: dict[tuple[object, ...], Future[Any]] = {}

    def forecast(self, plan: LoadPlan) -> Forecast:
        """What loading would take. `free_bytes` may be of an earlier moment.

        Raises:
            ProbeFailed: The file brought the process down, or it did not come to an end.
            LoadFailed, ContextTooLarge, BadOverride, UnknownDevice, BadExpertCount, RpcUnreachable: It would
                not be loaded.
        """
        key = _key(plan)
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        return self._shared(("forecast", *key), lambda: self._forecast(plan, key))

    def _forecast(self, plan: LoadPlan, key: tuple[object, ...]) -> Forecast:
        found = forecast_from(self._ask(plan, None).get("forecast"))
        if found is None:
            raise ProbeFailed(_name(plan), "crashed", "no forecast")
        if plan.draft_path is not None:
            found = together(found, self._draft(plan, found.n_ctx_tokens))
        with self._lock:
            self._known[key] = found
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return found

    def _draft(self, plan: LoadPlan, n_ctx_tokens: int) -> Forecast:
        """What the draft of a plan takes; its context ends where its training did."""
        try:
            return self.forecast(draft_plan(plan, n_ctx_tokens))
        except ContextTooLarge as error:
            return self.forecast(draft_plan(plan, error.n_ctx_train_tokens))

    def _shared(self, question: tuple[object, ...], ask: Callable[[], T]) -> T:
        """Ask once however many want to know it at this moment: a hundred requests start one process."""
        with self._lock:
            asked = self._asked.get(question)
            future = asked or self._asked.setdefault(question, Future())
        if asked is None:
            try:
                future.set_result(ask())
            except BaseException as error:  # noqa: BLE001 - everybody who waits must hear of it
                future.set_exception(error)
            finally:
                with self._lock:
                    del self._asked[question]
        return future.result()  # type: ignore[no-any-return]  # what `ask` returned

    def require_room(self, plan: LoadPlan, reclaimable_bytes: int = 0) -> Forecast:
        """See that a model fits, in what is free now.

        Args:
            plan: Of the model.
            reclaimable_bytes: Main memory that would be given back for it.

        Raises:
            NotEnoughMemory: It does not; what would fit is found out.
            ProbeFailed, LoadFailed: And what else `forecast` raises.
        """
        found = self.forecast(plan)
        room = {device.device: free for device, free in zip(found.memory, found.free_bytes, strict=True)} | {
            "CPU": int(free_main_memory_bytes() * _MEMORY_LIMIT_SHARE) + reclaimable_bytes - WORKER_BYTES
        }
        for device in found.memory:
            needed = device.total_bytes - device.mapped_bytes
            if needed > room[device.device]:
                fits = self._shared(
                    ("fits", *_key(plan)), lambda: self._fitting_ctx_tokens(plan, found, room)
                )
                own = WORKER_BYTES if device.device == "CPU" else 0
                raise NotEnoughMemory(
                    _name(plan), device.device, needed + own, max(0, room[device.device] + own), fits
                )
        return found

    def _fitting_ctx_tokens(self, plan: LoadPlan, found: Forecast, room: Mapping[str, int]) -> int:
        left = dict(room)
        if plan.draft_path is not None:
            for draft in self._draft(plan, found.n_ctx_tokens).memory:
                left[draft.device] -= draft.total_bytes - draft.mapped_bytes
        return int(self._ask(plan, left).get("fits_ctx_tokens", 0))

    def _ask(self, plan: LoadPlan, room: Mapping[str, int] | None) -> dict[str, Any]:
        request = json.dumps({"plan": plan_body(plan), "room": room}).encode()
        with tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as words:
            code = self._run(request, answer, words)
            words.seek(max(0, words.seek(0, 2) - _LAST_WORDS_BYTES))
            last_words = words.read().decode("utf-8", "replace").strip()
            answer.seek(0)
            told = answer.read(_MAX_WRITTEN_BYTES)
        if code is None and plan.rpc_devices:
            # Such a server serves one client at a time, and leaves others waiting without a word.
            raise RpcUnreachable(", ".join(plan.rpc_devices), "it is silent, or serves another model")
        if code != 0:
            raise ProbeFailed(_name(plan), _ending(code, last_words), last_words)
        try:
            body = json.loads(told)
        except ValueError:
            raise ProbeFailed(_name(plan), "crashed", last_words) from None
        if "error" in body:
            raise _named(error_from(body, 503), plan)
        return dict(body)

    def _run(self, request: bytes, answer: IO[bytes], words: IO[bytes]) -> int | None:
        """The exit code, minus the signal that ended it; None when it was ended for taking too long."""
        with subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=answer, stderr=words, process_group=_group()
        ) as child:
            try:
                child.communicate(request, timeout=MAX_WAIT_S)
            except subprocess.TimeoutExpired:
                child.kill()
                return None
            return child.returncode


def _ending(code: int | None, last_words: str) -> str:
    if code is None or code == -_SIGXCPU:
        return "hung"
    return "memory" if says_out_of_memory(last_words) else "crashed"


def _named(error: EngineError, plan: LoadPlan) -> EngineError:
    """What llama.cpp cannot allocate within the limits, it says as any other failure."""
    if isinstance(error, LoadFailed) and says_out_of_memory(error.reason):
        return ProbeFailed(_name(plan), "memory", error.reason)
    return error


def _name(plan: LoadPlan) -> str:
    return plan.name or plan.model_path.stem


def _key(plan: LoadPlan) -> tuple[object, ...]:
    """A plan and the files it speaks of, as they are now."""
    stamps = []
    for path in (
        plan.model_path,
        plan.draft_path,
        plan.mmproj_path,
        *(adapter.path for adapter in plan.adapters),
    ):
        if path is None:
            continue
        with contextlib.suppress(OSError):
            status = path.stat()
            stamps.append((status.st_size, status.st_mtime_ns))
    return (plan, *stamps)


def _group() -> int | None:
    """A group of its own: Ctrl-C in a terminal is for us alone."""
    return None if sys.platform == "win32" else 0


# --- the throw-away process ------------------------------------------------------------------------------


def main(_argv: Sequence[str] | None = None) -> int:
    """Answer one request and end."""
    request = json.loads(sys.stdin.buffer.read())
    plan = plan_from(request["plan"])
    body: dict[str, Any]
    try:
        body = _answer(plan, request["room"])
    except EngineError as error:
        body = error_body(error)
    except (ModelFileError, OSError) as error:
        body = error_body(LoadFailed(_name(plan), str(error)))
    except MemoryError:
        body = error_body(ProbeFailed(_name(plan), "memory", "MemoryError"))
    sys.stdout.write(json.dumps(body) + "\n")
    return 0


def _answer(plan: LoadPlan, room: Mapping[str, int] | None) -> dict[str, Any]:
    from model_manager.engine.llama import hardware  # loads the native library
    from model_manager.engine.llama.no_alloc import EmptyModel

    # Drivers of graphics cards reserve far more addresses than they use.
    _limit(only_data=any(not device.is_processor for device in hardware.devices()))
    model = EmptyModel(plan)
    if room is None:
        return {"forecast": forecast_body(model.forecast())}
    return {"fits_ctx_tokens": model.fitting_ctx_tokens(room)}


def _limit(*, only_data: bool) -> None:
    if sys.platform == "win32":
        return
    import resource

    memory = resource.RLIMIT_DATA if only_data else resource.RLIMIT_AS
    for kind, value in (
        (memory, MAX_ADDRESS_SPACE_BYTES),
        (resource.RLIMIT_CPU, MAX_PROCESSOR_S),
        (resource.RLIMIT_FSIZE, _MAX_WRITTEN_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(OSError, ValueError):  # a lower hard limit stands already
            resource.setrlimit(kind, (value, value))


if __name__ == "__main__":
    sys.exit(main())
