from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model_manager.adapter_files import adapter_bytes, check_adapters
from model_manager.errors import AdapterMismatch, AdapterRefused
from model_manager.shards import GgufModel, read_model
from model_manager.types import Adapter
from tests.helpers.ggufs import LLAMA, N_EMBD, N_FF, QWEN3MOE, write_adapter, write_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> GgufModel:
    return read_model(write_model(tmp_path_factory.mktemp("model") / "m.gguf", LLAMA, n_experts=8))


def check(path: Path, model: GgufModel) -> None:
    check_adapters([Adapter(path)], model, "m")


def test_an_adapter_of_this_model_passes(tmp_path: Path, model: GgufModel) -> None:
    check(write_adapter(tmp_path / "a.gguf"), model)
    experts = {"blk.0.ffn_up_exps.weight": (8, N_FF, N_EMBD)}
    check(write_adapter(tmp_path / "b.gguf", experts), model)
    assert adapter_bytes([Adapter(tmp_path / "b.gguf")]) == 8 * 4 * (N_FF + N_EMBD) * 4


@pytest.mark.parametrize(
    "changes",
    [
        {"architecture": "qwen3moe"},
        {"tensors": {"blk.9.attn_q.weight": (64, 64)}},
        {"tensors": {"blk.0.attn_q.weight": (64, 32)}},
        {"tensors": {"blk.0.attn_q.weight": (32, 64)}},
        {"tensors": {"blk.0.ffn_up_exps.weight": (4, N_FF, N_EMBD)}},
    ],
)
def test_an_adapter_of_another_model_does_not(
    tmp_path: Path, model: GgufModel, changes: dict[str, Any]
) -> None:
    with pytest.raises(AdapterMismatch) as caught:
        check(write_adapter(tmp_path / "a.gguf", **changes), model)
    assert caught.value.name == "m"


@pytest.mark.parametrize(
    "metadata", [{"general.type": "model"}, {"adapter.type": "control_vector"}], ids=["model", "vector"]
)
def test_other_kinds_of_files_are_refused(tmp_path: Path, model: GgufModel, metadata: dict[str, str]) -> None:
    with pytest.raises(AdapterRefused):
        check(write_adapter(tmp_path / "a.gguf", metadata=metadata), model)


def test_a_model_is_no_adapter(tmp_path: Path, model: GgufModel) -> None:
    with pytest.raises(AdapterRefused):
        check(write_model(tmp_path / "other.gguf", QWEN3MOE, n_experts=4), model)


def test_what_is_not_there_or_cut_is_refused(tmp_path: Path, model: GgufModel) -> None:
    with pytest.raises(AdapterRefused, match="No such file"):
        check(tmp_path / "none.gguf", model)
    path = write_adapter(tmp_path / "a.gguf")
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(AdapterRefused):
        check(path, model)
    path.write_bytes(b"PK\x03\x04")
    with pytest.raises(AdapterRefused):
        check(path, model)


def test_an_adapter_without_tensors_is_refused(tmp_path: Path, model: GgufModel) -> None:
    with pytest.raises(AdapterRefused, match="no tensors"):
        check(write_adapter(tmp_path / "a.gguf", {}), model)
