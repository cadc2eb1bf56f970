"""Orders for smaller files: what they mean, and what is refused before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from gguf import GGMLQuantizationType

from model_manager.errors import BadTensorPattern, MixedTypesImpossible, NoExperts, UnknownQuantization
from model_manager.quantize_order import (
    QuantizeOrder,
    can_be_quantized,
    file_type,
    needs_imatrix,
    order_for,
    result_name,
    tensor_type,
)
from model_manager.shards import GgufModel, read_model
from tests.helpers.ggufs import QWEN3MOE, write_model


@pytest.fixture(scope="module")
def mixture(tmp_path_factory: pytest.TempPathFactory) -> GgufModel:
    path = tmp_path_factory.mktemp("models") / "mixture.gguf"
    return read_model(write_model(path, QWEN3MOE, n_experts=4, quantization=GGMLQuantizationType.Q8_0))


@pytest.fixture(scope="module")
def dense(tmp_path_factory: pytest.TempPathFactory) -> GgufModel:
    return read_model(write_model(tmp_path_factory.mktemp("models") / "dense.gguf"))


def test_types_are_found_in_any_case_and_by_their_other_names() -> None:
    assert file_type("q4_k_m") == "Q4_K_M"
    assert file_type("Q4_K") == "Q4_K_M"
    assert file_type("mxfp4_moe") == "MXFP4"
    assert tensor_type("q4_k_m") == tensor_type("Q4_K") == "Q4_K"
    assert tensor_type("bf16") == "BF16"


@pytest.mark.parametrize("label", ["", "Q9_K", "NVFP4", "Q8_1", "Q4_K_M; rm", "COPY"])
def test_unknown_types_are_refused_with_those_that_there_are(label: str) -> None:
    with pytest.raises(UnknownQuantization) as caught:
        file_type(label)
    assert "Q4_K_M" in caught.value.known


@pytest.mark.parametrize("label", ["", "Q9_K", "Q8_K", "I32", "IQ3_M"])
def test_types_that_no_tensor_can_have_are_refused(label: str) -> None:
    with pytest.raises(UnknownQuantization):
        tensor_type(label)


def test_a_mixed_order_lists_what_a_person_named_first(mixture: GgufModel) -> None:
    order = order_for(
        mixture, "m", "q6_k", experts="Q4_0", attention="q8_0", tensors=[("ffn_down_exps", "Q5_0")]
    )
    assert order.type_name == "Q6_K"
    assert [kind for _pattern, kind in order.tensor_types] == ["Q5_0", "Q4_0", "Q8_0"]
    assert QuantizeOrder.from_body(order.to_body()) == order


def test_experts_of_a_dense_model_are_refused(dense: GgufModel) -> None:
    with pytest.raises(NoExperts):
        order_for(dense, "dense", "Q8_0", experts="Q4_0")


@pytest.mark.parametrize(
    "pattern", ["nothing_like_it", "(", "", "(?i)ffn", "attn_norm", "ffn_gate_inp", "a\0b"]
)
def test_patterns_that_are_none_or_match_nothing_are_refused(mixture: GgufModel, pattern: str) -> None:
    with pytest.raises(BadTensorPattern):
        order_for(mixture, "m", "Q8_0", tensors=[(pattern, "Q4_0")])


@pytest.mark.parametrize("whole", ["F16", "bf16", "F32"])
def test_llama_cpp_would_ignore_other_types_beside_a_plain_one(mixture: GgufModel, whole: str) -> None:
    with pytest.raises(MixedTypesImpossible):
        order_for(mixture, "m", whole, experts="Q4_0")


def test_norms_and_routers_are_left_alone(mixture: GgufModel) -> None:
    kept = {tensor.name for tensor in mixture.tensors() if not can_be_quantized(tensor)}
    assert {"blk.0.attn_norm.weight", "blk.0.ffn_gate_inp.weight", "output_norm.weight"} <= kept
    assert not kept & {"blk.0.attn_q.weight", "blk.1.ffn_up_exps.weight", "token_embd.weight"}


def test_which_types_need_an_importance_matrix() -> None:
    assert needs_imatrix("blk.0.ffn_up.weight", "IQ2_XS", "IQ2_XS")
    assert needs_imatrix("blk.0.ffn_up.weight", "Q2_K", "Q2_K_S")
    assert not needs_imatrix("blk.0.ffn_up.weight", "Q2_K", "Q2_K")
    assert not needs_imatrix("token_embd.weight", "IQ2_XS", "IQ2_XS")
    assert not needs_imatrix("blk.0.ffn_up.weight", "IQ4_XS", "IQ4_XS")


@pytest.mark.parametrize(
    ("name", "source_type", "expected"),
    [
        ("SmolLM2.Q4_1", "Q4_1", "SmolLM2-Q4_0"),
        ("Qwen3-30B-UD-Q8_0", "Q8_0", "Qwen3-30B-Q4_0"),
        ("starter-dense", "Q4_1", "starter-dense-Q4_0"),
        ("model-BF16", "BF16", "model-Q4_0"),
        ("x", "", "x-Q4_0"),
    ],
)
def test_the_new_name_has_the_new_type_for_the_old(name: str, source_type: str, expected: str) -> None:
    assert result_name(name, source_type, QuantizeOrder(Path("a.gguf"), "Q4_0")) == expected


def test_a_mixed_one_says_so_in_its_name() -> None:
    order = QuantizeOrder(Path("a.gguf"), "Q4_0", (("exps", "Q5_0"),))
    assert result_name("a", "F16", order) == "a-Q4_0-mixed"
