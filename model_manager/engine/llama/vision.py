"""Images for models that have a vision tower: from a file's bytes to cells of a context.

The tower (`mmproj`) turns an image into rows of embeddings that stand in a sequence like tokens do. In a
sequence's list of tokens such rows are stand-ins: negative numbers that depend on the image's bytes alone, so
that a prompt with the same image finds its cells again and one with another image does not.
Source: llama.cpp@0c1e57098 tools/mtmd/mtmd.h, mtmd-helper.h
"""

from __future__ import annotations

import ctypes
import hashlib
import threading
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from llama_cpp import llama_cpp as native, mtmd_cpp as mtmd

from model_manager.engine import memory
from model_manager.engine.llama import hardware, library
from model_manager.engine.llama.library import native_log
from model_manager.errors import ImageRefused, LoadFailed
from model_manager.gguf import read_header
from model_manager.types import DeviceMemory

if TYPE_CHECKING:
    from model_manager.engine.llama.context import LlamaContext
    from model_manager.engine.llama.model import LlamaModel

_TEXT_CHUNK = 0
_LOWEST_STAND_IN = -(2**31)


class MediaChunk:
    """An encoded-on-demand piece of an image, as long as its prompt lives.

    Attributes:
        handle: The native chunk; freed with this object.
        stand_ins: One negative number for each position that it takes in a sequence.
    """

    def __init__(self, handle: int, stand_ins: tuple[int, ...]) -> None:
        self.handle = handle
        self.stand_ins = stand_ins
        weakref.finalize(self, mtmd.mtmd_input_chunk_free, handle)


@dataclass(frozen=True, slots=True)
class Seen:
    """What an image is in a prompt: the family's markers as tokens, and chunks between them."""

    pieces: tuple[int | MediaChunk, ...]


class Vision:
    """The vision tower of a model. `look` may be called from any thread, `evaluate` by the decode thread.

    Attributes:
        memory: What it takes. One that sees images as large as they are may take more for a very large one.
    """

    def __init__(self, model: LlamaModel, path: Path, n_threads: int) -> None:
        """Load the tower.

        Raises:
            LoadFailed: It is no tower, or one for another model.
        """
        library.start()
        native_log.forget()
        params = mtmd.mtmd_context_params_default()
        params.use_gpu = model.plan.n_gpu_layers > 0
        params.print_timings = False
        params.n_threads = n_threads
        params.warmup = True  # computes nothing: it makes the room for an image now
        self._lock = threading.Lock()
        self._handle: Any = None
        if path.is_file():
            with native_log.gathering() as lines:
                self._handle = mtmd.mtmd_init_from_file(str(path).encode(), model.handle, params)
        if not self._handle:
            raise LoadFailed(path.stem, native_log.last_words() or f"no vision tower for {model.name}")
        if not mtmd.mtmd_support_vision(self._handle):
            self.close()
            raise LoadFailed(path.stem, "it does not see images")
        self.memory: tuple[DeviceMemory, ...] = memory.tower_memory(
            lines, tower_bytes(path), hardware.buffer_names(model.plan.rpc_devices)
        )

    def close(self) -> None:
        """Free the tower; safe to call twice, before its model is closed."""
        if self._handle:
            mtmd.mtmd_free(self._handle)
            self._handle = None

    def look(self, data: bytes) -> Seen:
        """Cut an image into what a prompt holds of it; nothing is computed yet.

        Args:
            data: A whole PNG, JPEG, GIF or BMP file, checked by `images.check`. (Of anything else the helper
                library would make a film, with a program from the search path.)

        Raises:
            ImageRefused: It cannot be decoded.
        """
        digest = hashlib.sha256(data).digest()
        buffer = (ctypes.c_uint8 * len(data)).from_buffer_copy(data)
        bitmap = mtmd.mtmd_helper_bitmap_init_from_buf(self._handle, buffer, len(data), False)
        if not bitmap:
            raise ImageRefused("it cannot be decoded")
        chunks = mtmd.mtmd_input_chunks_init()
        try:
            part = mtmd.mtmd_input_part(text=None, bitmap=bitmap)
            parts = (ctypes.POINTER(mtmd.mtmd_input_part) * 1)(ctypes.pointer(part))
            with self._lock:
                code = mtmd.mtmd_tokenize_from_parts(self._handle, chunks, parts, 1, False)
            if code != 0:
                raise ImageRefused("the model cannot take its size or shape")
            return Seen(tuple(self._pieces(chunks, digest)))
        finally:
            mtmd.mtmd_input_chunks_free(chunks)
            mtmd.mtmd_bitmap_free(bitmap)

    def _pieces(self, chunks: Any, digest: bytes) -> list[int | MediaChunk]:
        pieces: list[int | MediaChunk] = []
        for index in range(mtmd.mtmd_input_chunks_size(chunks)):
            chunk = mtmd.mtmd_input_chunks_get(chunks, index)
            if mtmd.mtmd_input_chunk_get_type(chunk) == _TEXT_CHUNK:
                n_tokens = ctypes.c_size_t()
                tokens = mtmd.mtmd_input_chunk_get_tokens_text(chunk, ctypes.byref(n_tokens))
                pieces.extend(int(token) for token in tokens[: n_tokens.value])
            else:
                n_positions = int(mtmd.mtmd_input_chunk_get_n_pos(chunk))
                copy = mtmd.mtmd_input_chunk_copy(chunk)
                assert copy is not None
                pieces.append(MediaChunk(copy, _stand_ins(digest, index, n_positions)))
        return pieces

    def evaluate(self, context: LlamaContext, chunk: MediaChunk, position: int, sequence_id: int) -> int:
        """Encode a piece and put it into a sequence behind `position` cells.

        Seconds for a large tower, whose own computing cannot be aborted.

        Returns:
            0 done; else there was no room, it failed or was aborted: the sequence's end must be asked for.
        """
        ends_at = native.llama_pos(0)
        code = mtmd.mtmd_helper_eval_chunk_single(
            self._handle,
            context.handle,
            chunk.handle,
            position,
            sequence_id,
            context.n_batch_tokens,
            False,
            ctypes.byref(ends_at),
        )
        assert code != 0 or ends_at.value == position + len(chunk.stand_ins)
        return int(code)


def tower_bytes(path: Path) -> int:
    """Of a tower's weights.

    Raises:
        ModelFileError, OSError: Its file cannot be read.
    """
    return sum(tensor.size_bytes for tensor in read_header(path).tensors)


def _stand_ins(digest: bytes, index: int, n_positions: int) -> tuple[int, ...]:
    seed = int.from_bytes(digest, "big") + index
    drawn = np.random.Generator(np.random.PCG64(seed)).integers(_LOWEST_STAND_IN, -1, n_positions)
    return tuple(int(number) for number in drawn)
