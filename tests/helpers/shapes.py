"""Files with the headers of large models and a hole for the weights: real to whoever only reads headers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFWriter

_BLOCK, _BLOCK_BYTES = GGML_QUANT_SIZES[GGMLQuantizationType.Q4_0]
_ALIGNMENT = 32


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
    writer = GGUFWriter(path, shape.architecture)
    writer.add_block_count(shape.n_layers)
    writer.add_context_length(131072)
    writer.add_embedding_length(shape.n_embd)
    writer.add_head_count(shape.n_heads)
    writer.add_head_count_kv(shape.n_heads_kv)
    writer.add_key_length(shape.head)
    writer.add_value_length(shape.head)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_feed_forward_length(shape.n_ff)
    writer.add_rope_freq_base(1e6)
    if shape.n_experts:
        writer.add_expert_count(shape.n_experts)
        writer.add_expert_used_count(shape.n_experts_used)
        writer.add_expert_feed_forward_length(shape.n_ff_expert)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([f"t{number}" for number in range(shape.n_vocab)])
    writer.add_token_types([1] * shape.n_vocab)
    writer.add_token_merges([f"a{number} b" for number in range(shape.n_merges)])
    data_bytes = 0

    def add(name: str, *dimensions: int) -> None:
        nonlocal data_bytes
        n_elements = int(np.prod(dimensions))
        if len(dimensions) > 1 and "gate_inp" not in name:
            n_bytes = n_elements // _BLOCK * _BLOCK_BYTES
            rows = (*dimensions[:-1], dimensions[-1] // _BLOCK * _BLOCK_BYTES)
            kind = GGMLQuantizationType.Q4_0
            writer.add_tensor_info(name, rows, np.dtype(np.uint8), n_bytes, kind)
        else:
            n_bytes = n_elements * 4
            writer.add_tensor_info(name, dimensions, np.dtype(np.float32), n_bytes)
        data_bytes += -(-n_bytes // _ALIGNMENT) * _ALIGNMENT

    add("token_embd.weight", shape.n_vocab, shape.n_embd)
    add("output_norm.weight", shape.n_embd)
    add("output.weight", shape.n_vocab, shape.n_embd)
    for layer in range(shape.n_layers):
        prefix = f"blk.{layer}."
        add(prefix + "attn_norm.weight", shape.n_embd)
        add(prefix + "ffn_norm.weight", shape.n_embd)
        add(prefix + "attn_q.weight", shape.n_heads * shape.head, shape.n_embd)
        add(prefix + "attn_k.weight", shape.n_heads_kv * shape.head, shape.n_embd)
        add(prefix + "attn_v.weight", shape.n_heads_kv * shape.head, shape.n_embd)
        add(prefix + "attn_output.weight", shape.n_embd, shape.n_heads * shape.head)
        if shape.architecture.startswith("qwen3"):
            add(prefix + "attn_q_norm.weight", shape.head)
            add(prefix + "attn_k_norm.weight", shape.head)
        if shape.n_experts:
            add(prefix + "ffn_gate_inp.weight", shape.n_experts, shape.n_embd)
            add(prefix + "ffn_gate_exps.weight", shape.n_experts, shape.n_ff_expert, shape.n_embd)
            add(prefix + "ffn_up_exps.weight", shape.n_experts, shape.n_ff_expert, shape.n_embd)
            add(prefix + "ffn_down_exps.weight", shape.n_experts, shape.n_embd, shape.n_ff_expert)
        else:
            add(prefix + "ffn_gate.weight", shape.n_ff, shape.n_embd)
            add(prefix + "ffn_up.weight", shape.n_ff, shape.n_embd)
            add(prefix + "ffn_down.weight", shape.n_embd, shape.n_ff)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    assert writer.fout is not None
    head_bytes = writer.fout[0].tell()
    writer.close()
    with path.open("r+b") as file:
        file.truncate(-(-head_bytes // _ALIGNMENT) * _ALIGNMENT + data_bytes)
    return path
