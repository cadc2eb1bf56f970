"""Files with the headers of large models and a hole for the weights: real to whoever only reads headers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFWriter

_ALIGNMENT = 32

Tensor = tuple[str, tuple[int, ...], GGMLQuantizationType]
"""Name, shape with the slowest dimension first, number format; what is no whole blocks is in 32 bits."""


@dataclass(frozen=True)
class Shape:
    """The numbers of one model; its experts are all there is behind the attention, or there are none."""

    name: str
    architecture: str
    n_layers: int
    n_embd: int
    n_heads: int
    n_heads_kv: int
    n_ff: int
    n_vocab: int
    n_experts: int = 0
    n_experts_used: int = 0
    n_ff_expert: int = 0
    head: int = 128
    n_merges: int = 1


BIG_SHAPES = (
    Shape("qwen3-30b-a3b", "qwen3moe", 48, 2048, 32, 4, 6144, 151936, 128, 8, 768),
    Shape("glm-106b-like", "qwen3moe", 46, 4096, 96, 8, 10944, 151552, 128, 8, 1408),
    Shape("mixtral-8x7b", "llama", 32, 4096, 32, 8, 14336, 32000, 8, 2, 14336),
    Shape("llama-8b", "llama", 32, 4096, 32, 8, 14336, 128256),
    Shape("qwen3-0.6b", "qwen3", 28, 1024, 16, 8, 3072, 151936),
)


def write_shape(path: Path, shape: Shape) -> Path:
    """Write a header; the weights behind it are a hole in the file."""
    values: dict[str, Any] = {
        "block_count": shape.n_layers,
        "context_length": 131072,
        "embedding_length": shape.n_embd,
        "attention.head_count": shape.n_heads,
        "attention.head_count_kv": shape.n_heads_kv,
        "attention.key_length": shape.head,
        "attention.value_length": shape.head,
        "attention.layer_norm_rms_epsilon": 1e-6,
        "feed_forward_length": shape.n_ff,
        "rope.freq_base": 1e6,
    }
    if shape.n_experts:
        values |= {
            "expert_count": shape.n_experts,
            "expert_used_count": shape.n_experts_used,
            "expert_feed_forward_length": shape.n_ff_expert,
        }
    return write_hole(
        path, shape.architecture, values, _tensors(shape), n_vocab=shape.n_vocab, n_merges=shape.n_merges
    )


def _tensors(shape: Shape) -> Iterator[Tensor]:
    small, whole = GGMLQuantizationType.Q4_0, GGMLQuantizationType.F32
    n_embd, n_q, n_kv = shape.n_embd, shape.n_heads * shape.head, shape.n_heads_kv * shape.head
    yield "token_embd.weight", (shape.n_vocab, n_embd), small
    yield "output_norm.weight", (n_embd,), whole
    yield "output.weight", (shape.n_vocab, n_embd), small
    for layer in range(shape.n_layers):
        prefix = f"blk.{layer}."
        yield prefix + "attn_norm.weight", (n_embd,), whole
        yield prefix + "ffn_norm.weight", (n_embd,), whole
        yield prefix + "attn_q.weight", (n_q, n_embd), small
        yield prefix + "attn_k.weight", (n_kv, n_embd), small
        yield prefix + "attn_v.weight", (n_kv, n_embd), small
        yield prefix + "attn_output.weight", (n_embd, n_q), small
        if shape.architecture.startswith("qwen3"):
            yield prefix + "attn_q_norm.weight", (shape.head,), whole
            yield prefix + "attn_k_norm.weight", (shape.head,), whole
        if shape.n_experts:
            n_ff = shape.n_ff_expert
            yield prefix + "ffn_gate_inp.weight", (shape.n_experts, n_embd), whole
            yield prefix + "ffn_gate_exps.weight", (shape.n_experts, n_ff, n_embd), small
            yield prefix + "ffn_up_exps.weight", (shape.n_experts, n_ff, n_embd), small
            yield prefix + "ffn_down_exps.weight", (shape.n_experts, n_embd, n_ff), small
        else:
            yield prefix + "ffn_gate.weight", (shape.n_ff, n_embd), small
            yield prefix + "ffn_up.weight", (shape.n_ff, n_embd), small
            yield prefix + "ffn_down.weight", (n_embd, shape.n_ff), small


def write_hole(
    path: Path,
    architecture: str,
    values: Mapping[str, Any],
    tensors: Iterable[Tensor],
    *,
    n_vocab: int,
    n_merges: int = 1,
) -> Path:
    """Write any header; the weights behind it are a hole in the file.

    Args:
        path: Where to.
        architecture: Of the model.
        values: Metadata under its prefix: numbers, truths, and lists of them.
        tensors: All of them.
        n_vocab: Tokens of the vocabulary.
        n_merges: Of these.
    """
    writer = GGUFWriter(path, architecture)
    for name, value in values.items():
        add = {
            bool: writer.add_bool,
            int: writer.add_uint32,
            float: writer.add_float32,
            list: writer.add_array,
        }[type(value)]
        add(f"{architecture}.{name}", value)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([f"t{number}" for number in range(n_vocab)])
    writer.add_token_types([1] * n_vocab)
    writer.add_token_merges([f"a{number} b" for number in range(n_merges)])
    data_bytes = 0
    for name, dimensions, kind in tensors:
        block, block_bytes = GGML_QUANT_SIZES[kind]
        if dimensions[-1] % block:
            kind, block, block_bytes = GGMLQuantizationType.F32, 1, 4
        n_bytes = int(np.prod(dimensions)) // block * block_bytes
        if kind == GGMLQuantizationType.F32:
            writer.add_tensor_info(name, dimensions, np.dtype(np.float32), n_bytes)
        else:
            rows = (*dimensions[:-1], dimensions[-1] // block * block_bytes)
            writer.add_tensor_info(name, rows, np.dtype(np.uint8), n_bytes, kind)
        data_bytes += -(-n_bytes // _ALIGNMENT) * _ALIGNMENT
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    assert writer.fout is not None
    head_bytes = writer.fout[0].tell()
    writer.close()
    with path.open("r+b") as file:
        file.truncate(-(-head_bytes // _ALIGNMENT) * _ALIGNMENT + data_bytes)
    return path
