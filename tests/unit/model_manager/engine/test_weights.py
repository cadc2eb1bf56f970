from __future__ import annotations

from dataclasses import replace

import pytest

from model_manager.engine.memory import LoadReport
from model_manager.engine.weights import Weights, repackable, weights_by_device
from model_manager.ggml_types import TYPES, GgmlType
from model_manager.gguf import TensorInfo

F32, Q4_0, Q6_K = (
    next(kind for kind in TYPES.values() if kind.name == name) for name in ("F32", "Q4_0", "Q6_K")
)
AVX2 = "CPU : SSE3 = 1 | AVX = 1 | AVX2 = 1 | REPACK = 1 | "
NAMES = {"CPU": "CPU", "CUDA0": "CUDA0", "CUDA1": "CUDA1"}


def tensor(name: str, kind: GgmlType = F32, shape: tuple[int, ...] = (64, 64)) -> TensorInfo:
    n_elements = 1
    for length in shape:
        n_elements *= length
    return TensorInfo(name, kind, shape, 0, kind.size_bytes(n_elements))


TENSORS = [
    tensor("token_embd.weight", Q4_0),
    tensor("blk.0.attn_q.weight", Q4_0),
    tensor("blk.0.ffn_down_exps.weight", Q4_0, (64, 64, 8)),
    tensor("blk.1.attn_q.weight", Q4_0),
    tensor("blk.1.ffn_down_exps.weight", Q4_0, (64, 64, 8)),
    tensor("blk.2.nextn.eh_proj.weight"),
    tensor("output_norm.weight", F32, (64,)),
    tensor("output.weight", Q6_K, (256, 64)),
]
SIZES = {t.name: t.size_bytes for t in TENSORS}


def report(*devices: str, repacked: bool = False) -> LoadReport:
    made = LoadReport(layers=dict(enumerate(devices)), unused={"blk.2.nextn.eh_proj.weight"})
    if repacked:
        made.model["CPU_REPACK"] = 0
    return made


def test_layers_go_where_they_were_assigned() -> None:
    found = weights_by_device([TENSORS], report("CPU", "CUDA0", "CUDA1"), (), NAMES, AVX2)
    assert found["CUDA0"].size_bytes == SIZES["blk.1.attn_q.weight"] + SIZES["blk.1.ffn_down_exps.weight"]
    assert found["CUDA1"].size_bytes == SIZES["output_norm.weight"] + SIZES["output.weight"]
    assert found["CPU"].size_bytes == (
        SIZES["token_embd.weight"] + SIZES["blk.0.attn_q.weight"] + SIZES["blk.0.ffn_down_exps.weight"]
    )


def test_overrides_win_the_first_first() -> None:
    overrides = [(r"blk\.1\.ffn_.*_exps", "CPU"), (r"blk\.1\.", "CUDA1")]
    found = weights_by_device([TENSORS], report("CUDA0", "CUDA0", "CUDA0"), overrides, NAMES, AVX2)
    assert found["CUDA1"].size_bytes == SIZES["blk.1.attn_q.weight"]
    assert found["CPU"].size_bytes == SIZES["token_embd.weight"] + SIZES["blk.1.ffn_down_exps.weight"]


def test_a_tied_output_is_a_second_copy_elsewhere_only() -> None:
    tied = [t for t in TENSORS if t.name != "output.weight"]
    here = weights_by_device([tied], report("CPU", "CPU", "CPU"), (), NAMES, AVX2)
    there = weights_by_device([tied], report("CPU", "CPU", "CUDA0"), (), NAMES, AVX2)
    assert sum(w.size_bytes for w in here.values()) == sum(t.size_bytes for t in tied) - 64 * 64 * 4
    assert there["CUDA0"].size_bytes == SIZES["token_embd.weight"] + SIZES["output_norm.weight"]
    repacked = weights_by_device([tied], report("CPU", "CPU", "CPU", repacked=True), (), NAMES, AVX2)
    assert repacked["CPU"].size_bytes == here["CPU"].size_bytes + SIZES["token_embd.weight"]


def test_matrices_that_the_processor_rearranges_are_told_apart() -> None:
    found = weights_by_device([TENSORS], report("CPU", "CPU", "CPU", repacked=True), (), NAMES, AVX2)
    names = ("blk.0.attn_q", "blk.0.ffn_down_exps", "blk.1.attn_q", "blk.1.ffn_down_exps")
    assert found["CPU"].repacked_bytes == sum(SIZES[f"{name}.weight"] for name in names)
    assert weights_by_device([TENSORS], report("CPU"), (), NAMES, AVX2)["CPU"].repacked_bytes == 0


@pytest.mark.parametrize(
    ("info", "kinds"),
    [
        (AVX2, {"Q4_0", "Q4_K", "IQ4_NL", "MXFP4"}),
        (AVX2 + "AVX512 = 1 | ", {"Q4_0", "Q4_K", "IQ4_NL", "MXFP4", "Q2_K"}),
        ("CPU : SSE3 = 1 | AVX = 1 | ", set()),
    ],
)
def test_which_formats_depends_on_the_processor(info: str, kinds: set[str]) -> None:
    assert repackable(info) == kinds


def test_arm_rearranges_more() -> None:
    assert {"Q6_K", "Q8_0"} < repackable("CPU : NEON = 1 | DOTPROD = 1 | ")


def test_weights_add_up() -> None:
    assert Weights(3, 1) + Weights(4, 2) == Weights(7, 3)


def test_what_stays_mapped_reaches_from_the_first_to_the_last_that_stays() -> None:
    placed = []
    offset = 0
    for t in TENSORS:
        placed.append(replace(t, offset=offset))
        offset += t.size_bytes
    repacked = weights_by_device([placed], report("CPU", "CPU", "CPU", repacked=True), (), NAMES, AVX2)
    assert repacked["CPU"].span_bytes == offset, "the first and the last stay"
    split = weights_by_device([placed[:2], placed[2:]], report("CUDA0", "CUDA0", "CPU"), (), NAMES, AVX2)
    assert split["CPU"].span_bytes == (
        SIZES["token_embd.weight"] + SIZES["output_norm.weight"] + SIZES["output.weight"]
    )
