"""Making a smaller model out of a larger one: from the library, into the library."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from model_manager import starter
from model_manager.copying import RESERVE_BYTES
from model_manager.digest import sha256_of
from model_manager.engine.quantizer import Progress, QuantizePlan, Quantizer
from model_manager.entries import read_files
from model_manager.errors import (
    CannotWrite,
    ModelFileError,
    ModelIsRemote,
    ModelNameTaken,
    NotEnoughDisk,
    NotSmaller,
    QuantizeCancelled,
    QuantizeFailed,
    TransferCancelled,
)
from model_manager.filenames import safe_path_in
from model_manager.gguf import read_header
from model_manager.library import Library
from model_manager.quantize_order import QuantizeOrder, order_for, result_name
from model_manager.shards import GgufModel
from model_manager.types import ModelEntry
from model_manager.vision_files import find_mmproj

log = logging.getLogger(__name__)

Cancelled = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Job:
    """What is about to be made; nothing was written yet.

    Attributes:
        target: The file that will be there at the end.
        left_behind: The file that lets the model see, where it lies in a folder in which the new one is not.
    """

    entry: ModelEntry
    model: GgufModel
    order: QuantizeOrder
    plan: QuantizePlan
    target: Path
    left_behind: Path | None = None


class Quantizing:
    """May be used from any thread; one file is made by one job at a time."""

    def __init__(self, library: Library, quantizer: Quantizer) -> None:
        self._library = library
        self._quantizer = quantizer
        self._lock = threading.Lock()
        self._targets: set[Path] = set()
        self._is_closed = False

    def prepare(
        self,
        name: str,
        type_name: str,
        *,
        experts: str | None = None,
        attention: str | None = None,
        tensors: Sequence[tuple[str, str]] = (),
        output: str | None = None,
    ) -> Job:
        """See that it can be made, and what it will be; takes about a second.

        Args:
            name: Of an entry, or a path.
            type_name: See `quantize_order.order_for`, also for the next three.
            experts: For the routed experts.
            attention: For the attention.
            tensors: Patterns and types.
            output: Name of the new model; None makes one of the old name and the type.

        Raises:
            UnknownQuantization, MixedTypesImpossible, NoExperts, BadTensorPattern, NeedsImatrix: The wishes
                make no sense for this model.
            NotSmaller: The result would not be smaller.
            NotEnoughDisk, UnsafeFilename, ModelNameTaken: It cannot be put into the models folder.
            QuantizeFailed: llama.cpp does not make it.
            ModelNotFound, ModelFileError, ModelIsRemote: There is no such file here.
        """
        entry = self._library.get(name)
        if entry.address:
            raise ModelIsRemote(entry.name)
        if entry.name in (starter.STARTER, starter.STARTER_THINKING) and entry.is_starter:
            starter.ensure_starter()
        model = read_files(entry.paths[0])
        order = order_for(model, entry.name, type_name, experts=experts, attention=attention, tensors=tensors)
        target = self._target(output or result_name(entry.name, model.quantization, order))
        plan = self._quantizer.plan(order, model, entry.name)
        if plan.new_bytes >= plan.size_bytes:
            raise NotSmaller(entry.name, order.type_name, plan.size_bytes, plan.new_bytes)
        self._require_disk(target, _file_bytes(model, plan))
        mmproj = find_mmproj(model)
        is_left = mmproj is not None and mmproj.parent != target.parent
        return Job(entry, model, order, plan, target, mmproj if is_left else None)

    def run(
        self,
        job: Job,
        progress: Progress = lambda done, total: None,
        cancelled: Cancelled = lambda: False,
    ) -> ModelEntry:
        """Make it, look at what was made, and add it to the library.

        Args:
            job: Of `prepare`.
            progress: `progress(done_bytes, total_bytes)`, on this thread: the original's tensors, then the
            hash
                of the result.
            cancelled: Asked several times a second; `close` counts as well.

        Raises:
            QuantizeCancelled: `cancelled()` was true; nothing is left.
            QuantizeFailed, NotEnoughDisk, CannotWrite, ModelNameTaken: It was not made; nothing is left.
        """
        part = job.target.with_name(job.target.name + ".part")

        def is_over() -> bool:
            return self._is_closed or cancelled()

        with self._exclusively(job), contextlib.ExitStack() as undo:
            undo.callback(_discard, part)
            _discard(part)  # llama.cpp would write where a link leads
            total_bytes = job.plan.size_bytes + job.plan.new_bytes
            self._make(job, part, lambda done, _total: progress(done, total_bytes), is_over)
            sha256 = _hash(part, job, progress, is_over)
            try:
                if os.path.lexists(job.target):  # it came while we worked
                    raise ModelNameTaken(job.target.stem, job.target)
                os.replace(part, job.target)
            except OSError as error:
                raise CannotWrite(job.target, str(error)) from error
            undo.pop_all()
        entry = self._library.add_downloaded([job.target], [sha256], f"quantized:{job.entry.name}")
        template = job.entry.chat_template
        if template is not None:
            self._library.records.update(entry.name, lambda record: replace(record, chat_template=template))
            entry = self._library.get(entry.name)
        log.info("made %s of %s: %s", entry.name, job.entry.name, job.order)
        return entry

    def close(self) -> None:
        """Stop what runs; it leaves nothing."""
        self._is_closed = True

    def _target(self, name: str) -> Path:
        target = safe_path_in(self._library.models_dir, f"{name.removesuffix('.gguf')}.gguf")
        if any(entry.name == target.stem for entry in self._library.list()) or os.path.lexists(target):
            raise ModelNameTaken(target.stem, target)
        return target

    @contextlib.contextmanager
    def _exclusively(self, job: Job) -> Iterator[None]:
        with self._lock:
            if job.target in self._targets:
                raise ModelNameTaken(job.target.stem, job.target)
            self._targets.add(job.target)
        try:
            yield
        finally:
            with self._lock:
                self._targets.discard(job.target)

    def _make(self, job: Job, part: Path, progress: Progress, cancelled: Cancelled) -> None:
        needed_bytes = _file_bytes(job.model, job.plan)
        try:
            job.target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CannotWrite(job.target.parent, str(error)) from error
        try:
            self._quantizer.make(job.order, job.plan, part, job.entry.name, progress, cancelled)
            _check(part, job)
        except QuantizeFailed:
            # A full disk is an "iostream error" to llama.cpp, or shows in a broken file only.
            self._require_disk(part, needed_bytes)
            raise

    @staticmethod
    def _require_disk(target: Path, needed_bytes: int) -> None:
        folder = next(folder for folder in target.parents if folder.is_dir())
        free_bytes = shutil.disk_usage(folder).free
        if free_bytes < needed_bytes + RESERVE_BYTES:
            raise NotEnoughDisk(needed_bytes + RESERVE_BYTES, free_bytes, folder)


def _file_bytes(model: GgufModel, plan: QuantizePlan) -> int:
    alignment_bytes = model.header.alignment * len(plan.tensors)
    return plan.new_bytes + sum(header.data_offset for header in model.headers) + alignment_bytes


def _check(part: Path, job: Job) -> None:
    """See that the file is whole and what was promised."""
    try:
        made = {tensor.name: tensor.type.name for tensor in read_header(part).tensors}
    except (ModelFileError, OSError) as error:
        raise QuantizeFailed(job.entry.name, f"the new file is damaged: {error}") from error
    expected = {tensor.name: tensor.new_type_name for tensor in job.plan.tensors}
    if made != expected:
        wrong = sorted(name for name in made.keys() | expected.keys() if made.get(name) != expected.get(name))
        raise QuantizeFailed(job.entry.name, f"the new file differs from its plan at {wrong[0]}")


def _hash(part: Path, job: Job, progress: Progress, cancelled: Cancelled) -> str:
    done_bytes = job.plan.size_bytes
    total_bytes = done_bytes + job.plan.new_bytes

    def tell(n_bytes: int) -> None:
        nonlocal done_bytes
        done_bytes = min(total_bytes, done_bytes + n_bytes)
        progress(done_bytes, total_bytes)

    try:
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        return sha256_of(part, tell, cancelled)
    except TransferCancelled:
        raise QuantizeCancelled from None
    except OSError as error:
        raise CannotWrite(part, str(error)) from error


def _discard(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
