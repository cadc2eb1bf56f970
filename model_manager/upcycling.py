"""Sparse upcycling: makes a mixture of equal experts out of a dense model of the `llama` architecture.

Each feed-forward tensor `blk.N.ffn_X.weight` becomes `blk.N.ffn_X_exps.weight`: its raw quantized blocks,
repeated along a new slowest axis. A random float32 router `blk.N.ffn_gate_inp.weight` of shape
(n_experts, n_embd) is added for each layer. Everything else is copied.

Source: llama.cpp at 0c1e57098, src/models/llama.cpp (names and shapes of the mixture's tensors).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter

_FFN_STEMS = ("ffn_gate", "ffn_up", "ffn_down")
_Array = np.ndarray[Any, np.dtype[Any]]


def upcycle(dense: Path, target: Path, title: str, n_experts: int, n_experts_used: int, seed: int) -> None:
    """Writes the mixture; the same arguments give the same bytes. Memory stays at one stacked tensor.

    Args:
        dense: A model of the `llama` architecture without experts.
        target: Written over; half a file remains if this is interrupted.
        title: The mixture's `general.name`.
        n_experts: How often each feed-forward tensor is stacked.
        n_experts_used: Experts that answer for one token.
        seed: Of the router.

    Raises:
        OSError: The files cannot be read or written.
    """
    reader = GGUFReader(dense)
    writer = GGUFWriter(target, "llama")
    try:
        _copy_metadata(reader, writer, title)
        writer.add_expert_count(n_experts)
        writer.add_expert_used_count(n_experts_used)
        tensors = list(_mixture_tensors(reader, n_experts, seed))
        for name, data, kind in tensors:
            writer.add_tensor_info(name, data.shape, data.dtype, data.nbytes, kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for _, data, _ in tensors:
            writer.write_tensor_data(np.ascontiguousarray(data))
    finally:
        writer.close()


def _copy_metadata(reader: GGUFReader, writer: GGUFWriter, title: str) -> None:
    for key, field in reader.fields.items():
        # The writer states the header's own fields (`GGUF.*`) and the architecture by itself.
        if key.startswith("GGUF.") or key == "general.architecture":
            continue
        kind = field.types[0]
        item_kind = field.types[-1] if kind is GGUFValueType.ARRAY else None
        writer.add_key_value(key, title if key == "general.name" else field.contents(), kind, item_kind)


def _mixture_tensors(
    reader: GGUFReader, n_experts: int, seed: int
) -> Iterator[tuple[str, _Array, GGMLQuantizationType]]:
    """Name, data and type of every tensor; the stacked ones are views that repeat the same bytes."""
    random = np.random.default_rng(seed)
    for tensor in reader.tensors:
        layer, _, stem = tensor.name.removesuffix(".weight").rpartition(".")
        if stem not in _FFN_STEMS:
            yield tensor.name, tensor.data, tensor.tensor_type
            continue
        stacked = np.broadcast_to(tensor.data, (n_experts, *tensor.data.shape))
        yield f"{layer}.{stem}_exps.weight", stacked, tensor.tensor_type
        if stem == "ffn_gate":
            n_embd = int(tensor.shape[0])
            # Rows of length about 1: the logits then differ by about as much as the router's input does.
            router = random.standard_normal((n_experts, n_embd), dtype=np.float32) / np.float32(n_embd**0.5)
            yield f"{layer}.ffn_gate_inp.weight", router, GGMLQuantizationType.F32
