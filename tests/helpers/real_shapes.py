"""Headers of models that people know, tensor by tensor as publishers quantize them, before a hole.

Source: the `config.json` of each on its hub, and the tables of tensors that llama.cpp's converter makes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gguf import GGMLQuantizationType as Format

from tests.helpers.shapes import Tensor, write_hole

_F32, _Q4, _Q6, _Q8, _MXFP4 = Format.F32, Format.Q4_K, Format.Q6_K, Format.Q8_0, Format.MXFP4


def deepseek_v3(path: Path) -> Path:
    """671 billion parameters with latent attention; the first three layers have no experts."""
    return _latent(path, n_layers=61, n_embd=7168, n_heads=128, n_experts=256, n_lead=3, n_vocab=129280)


def kimi_k2(path: Path) -> Path:
    """A trillion; one layer without experts."""
    return _latent(path, n_layers=61, n_embd=7168, n_heads=64, n_experts=384, n_lead=1, n_vocab=163840)


def glm_air(path: Path) -> Path:
    """GLM-4.5-Air: the 47th layer, with experts of its own, is for guessing ahead."""
    n_layers, n_embd, n_experts, n_ff, n_vocab = 47, 4096, 128, 1408, 151552
    values = _values(n_layers, n_embd, 96, 8, 128, 10944, 131072) | {
        **_experts_values(n_experts, 8, n_ff),
        "expert_shared_count": 1,
        "expert_weights_scale": 1.0,
        "expert_weights_norm": True,
        "expert_gating_func": 2,
        "leading_dense_block_count": 1,
        "nextn_predict_layers": 1,
        "rope.dimension_count": 64,
    }

    def tensors() -> Iterator[Tensor]:
        yield from _tables(n_vocab, n_embd, _Q4, _Q6)
        for layer in range(n_layers):
            prefix = f"blk.{layer}."
            yield from _attention(prefix, n_embd, 96, 8, 128, _Q4, _Q6)
            yield prefix + "post_attention_norm.weight", (n_embd,), _F32
            if layer == 0:
                yield from _dense(prefix, n_embd, 10944)
                continue
            yield from _experts(prefix, n_experts, n_embd, n_ff, _Q4, _Q8)
            yield from _dense(prefix, n_embd, n_ff, "_shexp")
            yield prefix + "exp_probs_b.bias", (n_experts,), _F32
        yield prefix + "nextn.eh_proj.weight", (n_embd, 2 * n_embd), _Q4
        yield prefix + "nextn.enorm.weight", (n_embd,), _F32
        yield prefix + "nextn.hnorm.weight", (n_embd,), _F32

    return write_hole(path, "glm4moe", values, tensors(), n_vocab=n_vocab)


def gpt_oss(path: Path, n_layers: int = 36, n_experts: int = 128) -> Path:
    """gpt-oss-120b, or with 24 layers and 32 experts gpt-oss-20b: every second layer has a window."""
    n_embd, n_ff, n_heads, n_heads_kv, head, n_vocab = 2880, 2880, 64, 8, 64, 201088
    values = _values(n_layers, n_embd, n_heads, n_heads_kv, head, n_ff, 131072) | {
        **_experts_values(n_experts, 4, n_ff),
        "attention.sliding_window": 128,
    }

    def tensors() -> Iterator[Tensor]:
        yield from _tables(n_vocab, n_embd, _Q8, _Q8)
        for layer in range(n_layers):
            prefix = f"blk.{layer}."
            yield from _attention(prefix, n_embd, n_heads, n_heads_kv, head, _Q8, _Q8)
            yield prefix + "attn_q.bias", (n_heads * head,), _F32
            yield prefix + "attn_k.bias", (n_heads_kv * head,), _F32
            yield prefix + "attn_v.bias", (n_heads_kv * head,), _F32
            yield prefix + "attn_output.bias", (n_embd,), _F32
            yield prefix + "attn_sinks.weight", (n_heads,), _F32
            yield prefix + "post_attention_norm.weight", (n_embd,), _F32
            yield from _experts(prefix, n_experts, n_embd, n_ff, _MXFP4, _MXFP4)
            yield prefix + "ffn_gate_inp.bias", (n_experts,), _F32
            yield prefix + "ffn_gate_exps.bias", (n_experts, n_ff), _F32
            yield prefix + "ffn_up_exps.bias", (n_experts, n_ff), _F32
            yield prefix + "ffn_down_exps.bias", (n_experts, n_embd), _F32

    return write_hole(path, "gpt-oss", values, tensors(), n_vocab=n_vocab)


def qwen3_30b(path: Path) -> Path:
    """Qwen3-30B-A3B in Q4_K_M, which gives every second layer's last matrix of the experts six bits."""
    n_layers, n_embd, n_experts, n_ff, n_vocab = 48, 2048, 128, 768, 151936
    values = _values(n_layers, n_embd, 32, 4, 128, 6144, 262144) | _experts_values(n_experts, 8, n_ff)

    def tensors() -> Iterator[Tensor]:
        yield from _tables(n_vocab, n_embd, _Q4, _Q6)
        for layer in range(n_layers):
            prefix = f"blk.{layer}."
            yield from _attention(prefix, n_embd, 32, 4, 128, _Q4, _Q6)
            yield prefix + "attn_q_norm.weight", (128,), _F32
            yield prefix + "attn_k_norm.weight", (128,), _F32
            yield prefix + "ffn_norm.weight", (n_embd,), _F32
            yield from _experts(prefix, n_experts, n_embd, n_ff, _Q4, _Q6 if layer % 2 else _Q4)

    return write_hole(path, "qwen3moe", values, tensors(), n_vocab=n_vocab)


def qwen36_35b(path: Path) -> Path:
    """Qwen3.6-35B-A3B: three of four layers keep a state in place of keys and values."""
    n_layers, n_embd, n_experts, n_ff, n_vocab = 40, 2048, 256, 512, 248320
    n_heads, n_heads_kv, head, n_state, n_key_heads, n_value_heads, n_steps = 16, 2, 256, 128, 16, 32, 4
    inner, mixed = n_state * n_value_heads, n_state * (2 * n_key_heads + n_value_heads)
    values = _values(n_layers, n_embd, n_heads, n_heads_kv, head, n_ff, 262144) | {
        **_experts_values(n_experts, 8, n_ff),
        "expert_shared_feed_forward_length": n_ff,
        "full_attention_interval": 4,
        "rope.dimension_count": 64,
        "rope.dimension_sections": [11, 11, 10, 0],
        "ssm.conv_kernel": n_steps,
        "ssm.inner_size": inner,
        "ssm.state_size": n_state,
        "ssm.time_step_rank": n_value_heads,
        "ssm.group_count": n_key_heads,
    }

    def tensors() -> Iterator[Tensor]:
        yield from _tables(n_vocab, n_embd, _Q4, _Q6)
        for layer in range(n_layers):
            prefix = f"blk.{layer}."
            if layer % 4 == 3:
                yield prefix + "attn_q.weight", (2 * n_heads * head, n_embd), _Q4
                yield prefix + "attn_k.weight", (n_heads_kv * head, n_embd), _Q4
                yield prefix + "attn_v.weight", (n_heads_kv * head, n_embd), _Q6
                yield prefix + "attn_output.weight", (n_embd, n_heads * head), _Q4
                yield prefix + "attn_q_norm.weight", (head,), _F32
                yield prefix + "attn_k_norm.weight", (head,), _F32
            else:
                yield prefix + "attn_qkv.weight", (mixed, n_embd), _Q4
                yield prefix + "attn_gate.weight", (inner, n_embd), _Q4
                yield prefix + "ssm_conv1d.weight", (mixed, n_steps), _F32
                yield prefix + "ssm_dt.bias", (n_value_heads,), _F32
                yield prefix + "ssm_a", (n_value_heads,), _F32
                yield prefix + "ssm_beta.weight", (n_value_heads, n_embd), _F32
                yield prefix + "ssm_alpha.weight", (n_value_heads, n_embd), _F32
                yield prefix + "ssm_norm.weight", (n_state,), _F32
                yield prefix + "ssm_out.weight", (n_embd, inner), _Q4
            yield prefix + "attn_norm.weight", (n_embd,), _F32
            yield prefix + "post_attention_norm.weight", (n_embd,), _F32
            yield from _experts(prefix, n_experts, n_embd, n_ff, _Q4, _Q6 if layer % 2 else _Q4)
            yield prefix + "ffn_gate_inp_shexp.weight", (n_embd,), _F32
            yield from _dense(prefix, n_embd, n_ff, "_shexp")

    return write_hole(path, "qwen35moe", values, tensors(), n_vocab=n_vocab)


def gemma4_26b(path: Path) -> Path:
    """gemma-4-26B-A4B: five of six layers have a window; one table of tokens for both ends."""
    n_layers, n_embd, n_heads, n_experts, n_ff, n_ff_expert, n_vocab = 30, 2816, 16, 128, 2112, 704, 262144
    is_full = [layer % 6 == 5 for layer in range(n_layers)]
    n_heads_kv = [2 if full else 8 for full in is_full]
    values = _values(n_layers, n_embd, n_heads, 0, 512, n_ff, 262144) | {
        **_experts_values(n_experts, 8, n_ff_expert),
        "attention.head_count_kv": n_heads_kv,
        "attention.key_length_swa": 256,
        "attention.value_length_swa": 256,
        "attention.sliding_window": 1024,
        "attention.sliding_window_pattern": [not full for full in is_full],
        "attention.shared_kv_layers": 0,
        "embedding_length_per_layer_input": 0,
        "rope.dimension_count": 512,
        "rope.dimension_count_swa": 256,
    }

    def tensors() -> Iterator[Tensor]:
        yield "token_embd.weight", (n_vocab, n_embd), _Q6
        yield "output_norm.weight", (n_embd,), _F32
        yield "rope_freqs.weight", (256,), _F32
        for layer, (full, n_kv) in enumerate(zip(is_full, n_heads_kv, strict=True)):
            prefix, head = f"blk.{layer}.", 512 if full else 256
            yield from _attention(prefix, n_embd, n_heads, n_kv, head, _Q4, _Q6)
            yield prefix + "attn_q_norm.weight", (head,), _F32
            yield prefix + "attn_k_norm.weight", (head,), _F32
            yield prefix + "post_attention_norm.weight", (n_embd,), _F32
            yield from _dense(prefix, n_embd, n_ff)
            yield from _experts(prefix, n_experts, n_embd, n_ff_expert, _Q4, _Q8)
            yield prefix + "ffn_gate_inp.scale", (n_embd,), _F32
            yield prefix + "ffn_down_exps.scale", (n_experts,), _F32
            for name in ("ffn_norm", "pre_ffw_norm_2", "post_ffw_norm", "post_ffw_norm_1", "post_ffw_norm_2"):
                yield f"{prefix}{name}.weight", (n_embd,), _F32

    return write_hole(path, "gemma4", values, tensors(), n_vocab=n_vocab)


def _latent(
    path: Path, *, n_layers: int, n_embd: int, n_heads: int, n_experts: int, n_lead: int, n_vocab: int
) -> Path:
    q_rank, kv_rank, rope, head, n_ff, n_ff_expert = 1536, 512, 64, 128, 18432, 2048
    values = _values(n_layers, n_embd, n_heads, 1, kv_rank + rope, n_ff, 131072) | {
        **_experts_values(n_experts, 8, n_ff_expert),
        "attention.value_length": kv_rank,
        "attention.key_length_mla": head + rope,
        "attention.value_length_mla": head,
        "attention.q_lora_rank": q_rank,
        "attention.kv_lora_rank": kv_rank,
        "rope.dimension_count": rope,
        "leading_dense_block_count": n_lead,
        "expert_shared_count": 1,
        "expert_weights_scale": 2.5,
        "expert_weights_norm": True,
        "expert_gating_func": 2,
        "vocab_size": n_vocab,
    }

    def tensors() -> Iterator[Tensor]:
        yield from _tables(n_vocab, n_embd, _Q4, _Q6)
        for layer in range(n_layers):
            prefix = f"blk.{layer}."
            yield prefix + "attn_norm.weight", (n_embd,), _F32
            yield prefix + "attn_q_a_norm.weight", (q_rank,), _F32
            yield prefix + "attn_kv_a_norm.weight", (kv_rank,), _F32
            yield prefix + "attn_q_a.weight", (q_rank, n_embd), _Q4
            yield prefix + "attn_q_b.weight", (n_heads * (head + rope), q_rank), _Q4
            yield prefix + "attn_kv_a_mqa.weight", (kv_rank + rope, n_embd), _Q8
            yield prefix + "attn_k_b.weight", (n_heads, kv_rank, head), _Q8
            yield prefix + "attn_v_b.weight", (n_heads, head, kv_rank), _Q8
            yield prefix + "attn_output.weight", (n_embd, n_heads * head), _Q4
            yield prefix + "ffn_norm.weight", (n_embd,), _F32
            if layer < n_lead:
                yield from _dense(prefix, n_embd, n_ff)
                continue
            yield from _experts(prefix, n_experts, n_embd, n_ff_expert, _Q4, _Q6 if layer % 2 else _Q4)
            yield from _dense(prefix, n_embd, n_ff_expert, "_shexp")
            yield prefix + "exp_probs_b.bias", (n_experts,), _F32

    return write_hole(path, "deepseek2", values, tensors(), n_vocab=n_vocab)


def _values(
    n_layers: int, n_embd: int, n_heads: int, n_heads_kv: int, head: int, n_ff: int, n_ctx_tokens: int
) -> dict[str, Any]:
    return {
        "block_count": n_layers,
        "context_length": n_ctx_tokens,
        "embedding_length": n_embd,
        "attention.head_count": n_heads,
        "attention.head_count_kv": n_heads_kv,
        "attention.key_length": head,
        "attention.value_length": head,
        "attention.layer_norm_rms_epsilon": 1e-5,
        "feed_forward_length": n_ff,
        "rope.freq_base": 1e6,
    }


def _experts_values(n_experts: int, n_used: int, n_ff: int) -> dict[str, int]:
    return {"expert_count": n_experts, "expert_used_count": n_used, "expert_feed_forward_length": n_ff}


def _tables(n_vocab: int, n_embd: int, first: Format, last: Format) -> Iterator[Tensor]:
    yield "token_embd.weight", (n_vocab, n_embd), first
    yield "output_norm.weight", (n_embd,), _F32
    yield "output.weight", (n_vocab, n_embd), last


def _attention(
    prefix: str, n_embd: int, n_heads: int, n_heads_kv: int, head: int, most: Format, value: Format
) -> Iterator[Tensor]:
    yield prefix + "attn_norm.weight", (n_embd,), _F32
    yield prefix + "attn_q.weight", (n_heads * head, n_embd), most
    yield prefix + "attn_k.weight", (n_heads_kv * head, n_embd), most
    yield prefix + "attn_v.weight", (n_heads_kv * head, n_embd), value
    yield prefix + "attn_output.weight", (n_embd, n_heads * head), most


def _dense(prefix: str, n_embd: int, n_ff: int, suffix: str = "") -> Iterator[Tensor]:
    yield f"{prefix}ffn_gate{suffix}.weight", (n_ff, n_embd), _Q4
    yield f"{prefix}ffn_up{suffix}.weight", (n_ff, n_embd), _Q4
    yield f"{prefix}ffn_down{suffix}.weight", (n_embd, n_ff), _Q4


def _experts(
    prefix: str, n_experts: int, n_embd: int, n_ff: int, most: Format, down: Format
) -> Iterator[Tensor]:
    yield prefix + "ffn_gate_inp.weight", (n_experts, n_embd), _F32
    yield prefix + "ffn_gate_exps.weight", (n_experts, n_ff, n_embd), most
    yield prefix + "ffn_up_exps.weight", (n_experts, n_ff, n_embd), most
    yield prefix + "ffn_down_exps.weight", (n_experts, n_embd, n_ff), down
