"""Tiny random vision towers of several families, written with `gguf`; mtmd of llama.cpp loads them.

What they see is noise; headers, tensors and the counts of tokens and positions are real.
Source: llama.cpp@0c1e57098 tools/mtmd/clip.cpp (`load_hparams`, `load_tensors`)
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Literal

import numpy as np
from gguf import GGUFWriter

Family = Literal["janus_pro", "gemma3", "qwen2vl_merger"]

N_EMBD = 32
N_FF = 64
N_HEADS = 2
PATCH = 14
SIDE_PATCHES = 4


def write_mmproj(path: Path, n_embd_text: int, family: Family = "janus_pro", seed: int = 7) -> Path:
    """A tower whose output fits a text model of that width."""
    writer = GGUFWriter(path, "clip")
    random = np.random.default_rng(seed)

    def add(name: str, *shape: int, ones: bool = False) -> None:
        values = np.ones(shape) if ones else random.normal(0, 0.05, shape)
        writer.add_tensor(name, values.astype(np.float32))

    writer.add_string("clip.projector_type", family)
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_bool("clip.use_gelu", True)
    for key, value in {
        "embedding_length": N_EMBD,
        "feed_forward_length": N_FF,
        "block_count": 1,
        "projection_dim": n_embd_text,
        "attention.head_count": N_HEADS,
        "image_size": PATCH * SIDE_PATCHES,
        "patch_size": PATCH,
    }.items():
        writer.add_uint32(f"clip.vision.{key}", value)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-6)
    writer.add_array("clip.vision.image_mean", [0.5, 0.5, 0.5])
    writer.add_array("clip.vision.image_std", [0.5, 0.5, 0.5])

    add("v.patch_embd.weight", N_EMBD, 3, PATCH, PATCH)
    for name in ("ln1", "ln2"):
        add(f"v.blk.0.{name}.weight", N_EMBD, ones=True)
        add(f"v.blk.0.{name}.bias", N_EMBD)
    for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
        add(f"v.blk.0.{name}.weight", N_EMBD, N_EMBD)
        add(f"v.blk.0.{name}.bias", N_EMBD)
    add("v.blk.0.ffn_up.weight", N_FF, N_EMBD)
    add("v.blk.0.ffn_up.bias", N_FF)
    add("v.blk.0.ffn_down.weight", N_EMBD, N_FF)
    add("v.blk.0.ffn_down.bias", N_EMBD)
    add("v.post_ln.weight", N_EMBD, ones=True)
    add("v.post_ln.bias", N_EMBD)
    if family == "qwen2vl_merger":
        add("v.patch_embd.weight.1", N_EMBD, 3, PATCH, PATCH)
        add("mm.0.weight", 4 * N_EMBD, 4 * N_EMBD)
        add("mm.0.bias", 4 * N_EMBD)
        add("mm.2.weight", n_embd_text, 4 * N_EMBD)
        add("mm.2.bias", n_embd_text)
    else:
        add("v.patch_embd.bias", N_EMBD)
        add("v.position_embd.weight", SIDE_PATCHES**2, N_EMBD)
    if family == "gemma3":
        add("mm.input_projection.weight", N_EMBD, n_embd_text)
        add("mm.soft_emb_norm.weight", N_EMBD, ones=True)
    elif family == "janus_pro":
        add("mm.0.weight", n_embd_text, N_EMBD)
        add("mm.0.bias", n_embd_text)
        add("mm.1.weight", n_embd_text, n_embd_text)
        add("mm.1.bias", n_embd_text)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def png(width: int, height: int, color: tuple[int, int, int] = (200, 30, 30)) -> bytes:
    """A PNG of one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = (b"\0" + bytes(color) * width) * height
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
