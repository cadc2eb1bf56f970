"""Tiny random models of several architectures, written with the `gguf` library; llama.cpp loads them.

Their text is noise; their headers, tensors, routers and vocabularies are real.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFWriter
from gguf.quants import quantize

N_EMBD = 64
N_HEADS = 4
N_HEADS_KV = 2
HEAD = 16
N_FF = 96
N_CTX = 256
SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>")
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] "
    "+ '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Recipe:
    """What one architecture needs.

    Attributes:
        layer: Tensors of one layer: name to shape, slowest dimension first (numpy's order).
        values: Metadata under the architecture's prefix; a tuple has a value for each layer, in turns.
        output_norm: Name of the last norm; one family calls it otherwise.
    """

    architecture: str
    layer: Callable[[int, int], Shapes]
    values: Mapping[str, Any] = field(default_factory=dict)
    output_norm: str = "output_norm.weight"


def _attention() -> Shapes:
    return {
        "attn_norm.weight": (N_EMBD,),
        "attn_q.weight": (N_HEADS * HEAD, N_EMBD),
        "attn_k.weight": (N_HEADS_KV * HEAD, N_EMBD),
        "attn_v.weight": (N_HEADS_KV * HEAD, N_EMBD),
        "attn_output.weight": (N_EMBD, N_HEADS * HEAD),
    }


def _dense_ffn() -> Shapes:
    return {
        "ffn_gate.weight": (N_FF, N_EMBD),
        "ffn_up.weight": (N_FF, N_EMBD),
        "ffn_down.weight": (N_EMBD, N_FF),
    }


def _experts(n_experts: int) -> Shapes:
    return {
        "ffn_gate_inp.weight": (n_experts, N_EMBD),
        "ffn_gate_exps.weight": (n_experts, N_FF, N_EMBD),
        "ffn_up_exps.weight": (n_experts, N_FF, N_EMBD),
        "ffn_down_exps.weight": (n_experts, N_EMBD, N_FF),
    }


def _llama(_layer: int, n_experts: int) -> Shapes:
    ffn = _experts(n_experts) if n_experts else _dense_ffn()
    return {**_attention(), "ffn_norm.weight": (N_EMBD,), **ffn}


def _qwen3moe(_layer: int, n_experts: int) -> Shapes:
    norms: Shapes = {
        "attn_q_norm.weight": (HEAD,),
        "attn_k_norm.weight": (HEAD,),
        "ffn_norm.weight": (N_EMBD,),
    }
    return {**_attention(), **norms, **_experts(n_experts)}


_MLA_RANK, _MLA_ROPE, _MLA_NOPE = 32, 16, 16


def _deepseek2(layer: int, n_experts: int) -> Shapes:
    attention: Shapes = {
        "attn_norm.weight": (N_EMBD,),
        "attn_q_a_norm.weight": (_MLA_RANK,),
        "attn_kv_a_norm.weight": (_MLA_RANK,),
        "attn_q_a.weight": (_MLA_RANK, N_EMBD),
        "attn_q_b.weight": (N_HEADS * (_MLA_NOPE + _MLA_ROPE), _MLA_RANK),
        "attn_kv_a_mqa.weight": (_MLA_RANK + _MLA_ROPE, N_EMBD),
        "attn_k_b.weight": (N_HEADS, _MLA_RANK, _MLA_NOPE),
        "attn_v_b.weight": (N_HEADS, HEAD, _MLA_RANK),
        "attn_output.weight": (N_EMBD, N_HEADS * HEAD),
        "ffn_norm.weight": (N_EMBD,),
    }
    shared: Shapes = {name.replace(".", "_shexp."): shape for name, shape in _dense_ffn().items()}
    return {**attention, **(_dense_ffn() if layer == 0 else {**_experts(n_experts), **shared})}


def _gpt_oss(_layer: int, n_experts: int) -> Shapes:
    return {
        **_attention(),
        "attn_q.bias": (N_HEADS * HEAD,),
        "attn_k.bias": (N_HEADS_KV * HEAD,),
        "attn_v.bias": (N_HEADS_KV * HEAD,),
        "attn_output.bias": (N_EMBD,),
        "attn_sinks.weight": (N_HEADS,),
        "post_attention_norm.weight": (N_EMBD,),
        **_experts(n_experts),
        "ffn_gate_inp.bias": (n_experts,),
        "ffn_gate_exps.bias": (n_experts, N_FF),
        "ffn_up_exps.bias": (n_experts, N_FF),
        "ffn_down_exps.bias": (n_experts, N_EMBD),
    }


def _qwen3(_layer: int, _n_experts: int) -> Shapes:
    norms: Shapes = {
        "attn_q_norm.weight": (HEAD,),
        "attn_k_norm.weight": (HEAD,),
        "ffn_norm.weight": (N_EMBD,),
    }
    return {**_attention(), **norms, **_dense_ffn()}


def _olmoe(_layer: int, n_experts: int) -> Shapes:
    full: Shapes = {
        "attn_k.weight": (N_EMBD, N_EMBD),
        "attn_v.weight": (N_EMBD, N_EMBD),
        "attn_q_norm.weight": (N_EMBD,),
        "attn_k_norm.weight": (N_EMBD,),
        "ffn_norm.weight": (N_EMBD,),
    }
    return {**_attention(), **full, **_experts(n_experts)}


def _glm4moe(layer: int, n_experts: int) -> Shapes:
    shared: Shapes = {name.replace(".", "_shexp."): shape for name, shape in _dense_ffn().items()}
    experts: Shapes = {**_experts(n_experts), **shared, "exp_probs_b.bias": (n_experts,)}
    return {
        **_attention(),
        "post_attention_norm.weight": (N_EMBD,),
        **(_dense_ffn() if layer == 0 else experts),
    }


def _glm4moe_mtp(layer: int, n_experts: int) -> Shapes:
    nextn: Shapes = {
        "nextn.eh_proj.weight": (N_EMBD, 2 * N_EMBD),
        "nextn.enorm.weight": (N_EMBD,),
        "nextn.hnorm.weight": (N_EMBD,),
    }
    return {**_glm4moe(layer, n_experts), **(nextn if layer == 2 else {})}


_CONV_CACHE = 3


def _lfm2moe(layer: int, n_experts: int) -> Shapes:
    convolution: Shapes = {
        "attn_norm.weight": (N_EMBD,),
        "shortconv.conv.weight": (N_EMBD, _CONV_CACHE),
        "shortconv.in_proj.weight": (3 * N_EMBD, N_EMBD),
        "shortconv.out_proj.weight": (N_EMBD, N_EMBD),
    }
    attention: Shapes = {
        **_attention(),
        "attn_q_norm.weight": (HEAD,),
        "attn_k_norm.weight": (HEAD,),
    }
    experts: Shapes = {**_experts(n_experts), "exp_probs_b.bias": (n_experts,)}
    return {
        **(attention if layer % 2 else convolution),
        "ffn_norm.weight": (N_EMBD,),
        **(_dense_ffn() if layer == 0 else experts),
    }


_SSM_INNER, _SSM_STATE, _SSM_CONV, _SSM_HEADS = 2 * N_EMBD, 16, 4, 4


def _granite_hybrid(layer: int, n_experts: int) -> Shapes:
    mixed = _SSM_INNER + 2 * _SSM_STATE
    recurrent: Shapes = {
        "attn_norm.weight": (N_EMBD,),
        "ssm_in.weight": (_SSM_INNER + mixed + _SSM_HEADS, N_EMBD),
        "ssm_conv1d.weight": (mixed, _SSM_CONV),
        "ssm_conv1d.bias": (mixed,),
        "ssm_dt.bias": (_SSM_HEADS,),
        "ssm_a": (_SSM_HEADS, 1),
        "ssm_d": (_SSM_HEADS, 1),
        "ssm_norm.weight": (1, _SSM_INNER),
        "ssm_out.weight": (N_EMBD, _SSM_INNER),
    }
    return {
        **(_attention() if layer % 2 else recurrent),
        "ffn_norm.weight": (N_EMBD,),
        **_experts(n_experts),
    }


def _qwen35moe_mtp(layer: int, n_experts: int) -> Shapes:
    key, value = _SSM_STATE * 2, _SSM_STATE * _SSM_HEADS
    recurrent: Shapes = {
        "attn_norm.weight": (N_EMBD,),
        "attn_qkv.weight": (2 * key + value, N_EMBD),
        "attn_gate.weight": (value, N_EMBD),
        "ssm_conv1d.weight": (2 * key + value, _SSM_CONV),
        "ssm_dt.bias": (_SSM_HEADS,),
        "ssm_a": (_SSM_HEADS,),
        "ssm_beta.weight": (_SSM_HEADS, N_EMBD),
        "ssm_alpha.weight": (_SSM_HEADS, N_EMBD),
        "ssm_norm.weight": (_SSM_STATE,),
        "ssm_out.weight": (N_EMBD, value),
    }
    attention: Shapes = {
        **_attention(),
        "attn_q.weight": (2 * N_HEADS * HEAD, N_EMBD),
        "attn_q_norm.weight": (HEAD,),
        "attn_k_norm.weight": (HEAD,),
    }
    nextn: Shapes = {
        "nextn.eh_proj.weight": (N_EMBD, 2 * N_EMBD),
        "nextn.enorm.weight": (N_EMBD,),
        "nextn.hnorm.weight": (N_EMBD,),
    }
    shared: Shapes = {name.replace(".", "_shexp."): shape for name, shape in _dense_ffn().items()}
    return {
        **(attention if layer else recurrent),
        "post_attention_norm.weight": (N_EMBD,),
        **_experts(n_experts),
        **shared,
        "ffn_gate_inp_shexp.weight": (N_EMBD,),
        **(nextn if layer == 2 else {}),
    }


def _llama4(_layer: int, n_experts: int) -> Shapes:
    shared: Shapes = {name.replace(".", "_shexp."): shape for name, shape in _dense_ffn().items()}
    return {**_attention(), "ffn_norm.weight": (N_EMBD,), **_experts(n_experts), **shared}


LLAMA = Recipe("llama", _llama)
LLAMA4 = Recipe("llama4", _llama4, {"expert_feed_forward_length": N_FF, "interleave_moe_layer_step": 1})
QWEN3 = Recipe("qwen3", _qwen3)
OLMOE = Recipe("olmoe", _olmoe, {"attention.head_count_kv": N_HEADS})
GLM4MOE = Recipe(
    "glm4moe",
    _glm4moe,
    {
        "leading_dense_block_count": 1,
        "expert_feed_forward_length": N_FF,
        "expert_shared_count": 1,
        "expert_weights_scale": 1.0,
        "expert_weights_norm": True,
    },
)
GLM4MOE_MTP = Recipe("glm4moe", _glm4moe_mtp, {**GLM4MOE.values, "nextn_predict_layers": 1})
"""With three layers: the last one is for guessing."""
QWEN35MOE_MTP = Recipe(
    "qwen35moe",
    _qwen35moe_mtp,
    {
        "nextn_predict_layers": 1,
        "expert_feed_forward_length": N_FF,
        "expert_shared_feed_forward_length": N_FF,
        "rope.dimension_sections": [4, 2, 2, 0],
        "full_attention_interval": 2,
        "ssm.conv_kernel": _SSM_CONV,
        "ssm.inner_size": _SSM_STATE * _SSM_HEADS,
        "ssm.state_size": _SSM_STATE,
        "ssm.time_step_rank": _SSM_HEADS,
        "ssm.group_count": 2,
    },
)
"""With three layers: a recurrent one, one that attends, and one for guessing."""
LFM2MOE = Recipe(
    "lfm2moe",
    _lfm2moe,
    {
        "attention.head_count_kv": (0, N_HEADS_KV),
        "shortconv.l_cache": _CONV_CACHE,
        "leading_dense_block_count": 1,
        "expert_feed_forward_length": N_FF,
        "expert_gating_func": 2,
    },
    output_norm="token_embd_norm.weight",
)
GRANITE_HYBRID = Recipe(
    "granitehybrid",
    _granite_hybrid,
    {
        "attention.head_count_kv": (0, N_HEADS_KV),
        "ssm.conv_kernel": _SSM_CONV,
        "ssm.inner_size": _SSM_INNER,
        "ssm.state_size": _SSM_STATE,
        "ssm.time_step_rank": _SSM_HEADS,
        "ssm.group_count": 1,
    },
)
QWEN3MOE = Recipe("qwen3moe", _qwen3moe, {"expert_feed_forward_length": N_FF})
DEEPSEEK2 = Recipe(
    "deepseek2",
    _deepseek2,
    {
        "attention.head_count_kv": 1,
        "attention.q_lora_rank": _MLA_RANK,
        "attention.kv_lora_rank": _MLA_RANK,
        "attention.key_length": _MLA_RANK + _MLA_ROPE,
        "attention.value_length": _MLA_RANK,
        "attention.key_length_mla": _MLA_NOPE + _MLA_ROPE,
        "attention.value_length_mla": HEAD,
        "rope.dimension_count": _MLA_ROPE,
        "leading_dense_block_count": 1,
        "expert_feed_forward_length": N_FF,
        "expert_shared_count": 1,
        "expert_weights_scale": 1.0,
        "expert_weights_norm": True,
        "expert_gating_func": 2,
    },
)
QWEN2VL = Recipe("qwen2vl", _llama, {"rope.dimension_sections": [4, 2, 2, 0]})
GPT_OSS = Recipe("gpt-oss", _gpt_oss, {"expert_feed_forward_length": N_FF, "attention.sliding_window": 128})

MIXTURES = (LLAMA, QWEN3MOE, DEEPSEEK2, GPT_OSS, OLMOE, GLM4MOE, LFM2MOE, GRANITE_HYBRID)
"""One of each kind of attention, memory and router; `LLAMA` and `QWEN3` can be dense as well."""


def write_model(
    path: Path,
    recipe: Recipe = LLAMA,
    *,
    n_experts: int = 0,
    n_experts_used: int = 2,
    n_layers: int = 2,
    n_ctx_tokens: int = N_CTX,
    quantization: GGMLQuantizationType = GGMLQuantizationType.F32,
    chat_template: str | None = CHATML,
    metadata: Mapping[str, Any] | None = None,
    shard_tensors: int = 0,
    seed: int = 0,
) -> Path:
    """Writes one model; the first shard's path.

    Args:
        path: Where to; with `shard_tensors`, shard numbers are put into its name.
        recipe: The architecture; all but LLAMA need experts.
        n_experts: 0 makes a dense model.
        quantization: Of all matrices whose rows are whole blocks; Q8_0, Q4_0 and the like, or F16.
        metadata: More values, with full keys, or others than the recipe's.
        shard_tensors: Split the model into files of at most so many tensors.
        seed: Of the weights.
    """
    writer = GGUFWriter(path, recipe.architecture, split_max_tensors=shard_tensors)
    values: dict[str, Any] = {
        "general.name": f"Tiny {recipe.architecture}",
        f"{recipe.architecture}.vocab_size": len(vocabulary()),
        f"{recipe.architecture}.context_length": n_ctx_tokens,
        f"{recipe.architecture}.embedding_length": N_EMBD,
        f"{recipe.architecture}.block_count": n_layers,
        f"{recipe.architecture}.feed_forward_length": N_FF,
        f"{recipe.architecture}.attention.head_count": N_HEADS,
        f"{recipe.architecture}.attention.head_count_kv": N_HEADS_KV,
        f"{recipe.architecture}.attention.key_length": HEAD,
        f"{recipe.architecture}.attention.value_length": HEAD,
        f"{recipe.architecture}.attention.layer_norm_rms_epsilon": 1e-5,
        f"{recipe.architecture}.rope.dimension_count": HEAD,
        f"{recipe.architecture}.rope.freq_base": 10000.0,
    }
    if n_experts:
        values[f"{recipe.architecture}.expert_count"] = n_experts
        values[f"{recipe.architecture}.expert_used_count"] = n_experts_used
    values |= {f"{recipe.architecture}.{key}": value for key, value in recipe.values.items()}
    values |= metadata or {}
    for key, value in values.items():
        per_layer = isinstance(value, tuple)
        _add_value(writer, key, [value[i % len(value)] for i in range(n_layers)] if per_layer else value)
    _add_vocabulary(writer, chat_template)
    _add_tensors(writer, recipe, n_experts, n_layers, quantization, np.random.default_rng(seed))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    shards = sorted(path.parent.glob(f"{path.stem}-?????-of-?????.gguf"))
    return shards[0] if shard_tensors and shards else path


def write_adapter(
    path: Path,
    tensors: Mapping[str, tuple[int, ...]] | None = None,
    *,
    architecture: str = "llama",
    rank: int = 4,
    seed: int = 1,
    metadata: Mapping[str, Any] | None = None,
) -> Path:
    """Writes a random LoRA adapter.

    Args:
        path: Where to.
        tensors: Name and shape of each base tensor, slowest dimension first; None takes the attention of a
            tiny model's first two layers.
        architecture: The model's.
        rank: Of the two factors.
        seed: Of the weights.
        metadata: Other or more values, with full keys.
    """
    if tensors is None:
        wanted = ("attn_q.weight", "attn_v.weight", "attn_output.weight")
        tensors = {f"blk.{layer}.{name}": _attention()[name] for layer in range(2) for name in wanted}
    writer = GGUFWriter(path, architecture)
    values = {"general.type": "adapter", "adapter.type": "lora", "adapter.lora.alpha": float(rank)}
    for key, value in (values | dict(metadata or {})).items():
        _add_value(writer, key, value)
    random = np.random.default_rng(seed)
    for name, (*stack, n_out, n_in) in tensors.items():
        writer.add_tensor(f"{name}.lora_a", random.standard_normal((*stack, rank, n_in), dtype=np.float32))
        writer.add_tensor(f"{name}.lora_b", random.standard_normal((*stack, n_out, rank), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def vocabulary() -> list[str]:
    """All 256 bytes as GPT-2 spells them, two merges, the special tokens last."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    spelled = {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}
    return [*(spelled[byte] for byte in range(256)), "th", "the", *SPECIAL_TOKENS]


def _add_vocabulary(writer: GGUFWriter, chat_template: str | None) -> None:
    tokens = vocabulary()
    end = tokens.index("<|im_end|>")
    control, normal = 3, 1
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([control if token in SPECIAL_TOKENS else normal for token in tokens])
    writer.add_token_merges(["t h", "th e"])
    writer.add_bos_token_id(tokens.index("<|im_start|>"))
    writer.add_eos_token_id(end)
    writer.add_pad_token_id(end)
    writer.add_add_bos_token(False)
    if chat_template is not None:
        writer.add_chat_template(chat_template)


def _add_value(writer: GGUFWriter, key: str, value: Any) -> None:
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    elif isinstance(value, str):
        writer.add_string(key, value)
    else:
        writer.add_array(key, value)


def _add_tensors(
    writer: GGUFWriter,
    recipe: Recipe,
    n_experts: int,
    n_layers: int,
    quantization: GGMLQuantizationType,
    random: np.random.Generator,
) -> None:
    shapes: Shapes = {"token_embd.weight": (len(vocabulary()), N_EMBD)}
    for layer in range(n_layers):
        shapes |= {f"blk.{layer}.{name}": shape for name, shape in recipe.layer(layer, n_experts).items()}
    shapes |= {recipe.output_norm: (N_EMBD,), "output.weight": (len(vocabulary()), N_EMBD)}
    for name, shape in shapes.items():
        if name.endswith("norm.weight"):
            writer.add_tensor(name, np.ones(shape, np.float32))
            continue
        data = random.standard_normal(shape, dtype=np.float32) / np.float32(shape[-1] ** 0.5)
        if name.endswith("ssm_a"):
            data = -np.abs(
                data
            )  # a state that grows with every token is no number any more after a few hundred
        is_matrix = len(shape) > 1 and name.endswith(".weight") and "ffn_gate_inp" not in name
        is_matrix = is_matrix and shape[-1] % GGML_QUANT_SIZES[quantization][0] == 0
        if is_matrix and quantization is not GGMLQuantizationType.F32:
            writer.add_tensor(name, quantize(data, quantization), raw_dtype=quantization)
        else:
            writer.add_tensor(name, data)
