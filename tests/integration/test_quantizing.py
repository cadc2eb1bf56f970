"""Smaller files out of larger ones, made by llama.cpp in a real child process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from gguf import GGMLQuantizationType

from app.quantizing import Quantizing
from model_manager.digest import sha256_of
from model_manager.engine.quantizer import Quantizer
from model_manager.engine.supervisor import Supervisor
from model_manager.errors import (
    ModelNameTaken,
    NeedsImatrix,
    NotEnoughDisk,
    NotSmaller,
    QuantizeCancelled,
    QuantizeFailed,
    UnsafeFilename,
)
from model_manager.library import Library
from model_manager.shards import read_model
from model_manager.types import ChatFinished, ChatMessage, ChatRequest, LoadPlan, SamplingParams
from tests.helpers.ggufs import DEEPSEEK2, LLAMA, N_EMBD, QWEN2VL, QWEN3MOE, write_model
from tests.helpers.mmprojs import write_mmproj
from tests.helpers.shelf import Shelf

COMMAND = (sys.executable, "-m", "model_manager.engine.quantizer")


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(Shelf(), tmp_path / "models")


@pytest.fixture
def quantizing(library: Library) -> Quantizing:
    return Quantizing(library, Quantizer(COMMAND))


def types_of(path: Path) -> dict[str, str]:
    return {tensor.name: tensor.type.name for tensor in read_model(path).tensors()}


def answer_of(path: Path, new_supervisor: Callable[..., Supervisor]) -> str:
    supervisor = new_supervisor()
    supervisor.start(LoadPlan(path, n_ctx_tokens=512))
    supervisor.wait_ready(120)
    request = ChatRequest(
        (ChatMessage("user", "Name the capital of France."),), SamplingParams(temperature=0.0, max_tokens=24)
    )
    *events, last = supervisor.client.chat(request)
    assert isinstance(last, ChatFinished)
    return "".join(getattr(event, "text", "") for event in events)


def test_the_dense_starter_gets_smaller_and_still_answers(
    quantizing: Quantizing, library: Library, dense_path: Path, new_supervisor: Callable[..., Supervisor]
) -> None:
    told: list[tuple[int, int]] = []
    job = quantizing.prepare("starter-dense", "q4_0")
    assert job.target == library.models_dir / "starter-dense-Q4_0.gguf"
    assert job.plan.is_requantized
    entry = quantizing.run(job, lambda done, total: told.append((done, total)))
    assert entry.name == "starter-dense-Q4_0"
    assert entry.quantization == "Q4_0"
    assert entry.is_ours
    assert entry.source == "quantized:starter-dense"
    assert entry.size_bytes == job.target.stat().st_size < dense_path.stat().st_size
    assert entry.sha256 == (sha256_of(job.target),)
    assert told == sorted(told)
    assert told[0][0] == 0
    assert told[-1][0] == pytest.approx(told[-1][1], rel=0.01)
    assert len(told) > len(job.plan.tensors)
    assert library.get("starter-dense-Q4_0") == entry
    assert "Paris" in answer_of(entry.paths[0], new_supervisor)


def test_experts_and_attention_get_types_of_their_own(quantizing: Quantizing, tmp_path: Path) -> None:
    path = write_model(tmp_path / "m-F32.gguf", QWEN3MOE, n_experts=4)
    job = quantizing.prepare(
        str(path),
        "q5_0",
        experts="q4_0",
        attention="q8_0",
        tensors=[(r"blk\.1\.ffn_down_exps", "q5_1")],
        output="mine",
    )
    assert not job.plan.is_requantized
    entry = quantizing.run(job)
    kinds = types_of(entry.paths[0])
    assert kinds == {tensor.name: tensor.new_type_name for tensor in job.plan.tensors}
    assert kinds["blk.0.ffn_down_exps.weight"] == kinds["blk.1.ffn_up_exps.weight"] == "Q4_0"
    assert kinds["blk.1.ffn_down_exps.weight"] == "Q5_1"
    assert kinds["blk.0.attn_q.weight"] == kinds["blk.1.attn_output.weight"] == "Q8_0"
    assert kinds["blk.0.ffn_gate_inp.weight"] == kinds["output_norm.weight"] == "F32"
    assert entry.name == "mine"
    assert entry.quantization == "Q5_0"


def test_rows_that_do_not_divide_are_counted(quantizing: Quantizing, tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf", DEEPSEEK2, n_experts=4)
    job = quantizing.prepare(str(path), "Q4_K_M")
    assert job.plan.n_fallbacks > 0
    entry = quantizing.run(job)
    made = read_model(entry.paths[0])
    assert set(types_of(entry.paths[0]).values()) >= {"Q5_0", "F32"}
    assert sum(tensor.size_bytes for tensor in made.tensors()) == job.plan.new_bytes, "as foretold"


def test_a_split_model_becomes_one_file(quantizing: Quantizing, tmp_path: Path) -> None:
    path = write_model(tmp_path / "split.gguf", LLAMA, shard_tensors=8)
    assert len(read_model(path).paths) > 1
    entry = quantizing.run(quantizing.prepare(str(path), "Q8_0"))
    assert entry.name == "split-Q8_0"
    assert types_of(entry.paths[0]).keys() == types_of(path).keys()
    assert read_model(entry.paths[0]).header.n_splits == 1


def test_the_template_of_the_entry_is_that_of_the_new_one(
    quantizing: Quantizing, library: Library, tmp_path: Path
) -> None:
    path = write_model(tmp_path / "m.gguf", QWEN2VL)
    write_mmproj(tmp_path / "mmproj-m.gguf", N_EMBD)
    name = library.import_path(path).name
    library.records.update(name, lambda record: replace(record, chat_template="{{ messages }}"))
    job = quantizing.prepare(name, "Q8_0")
    assert quantizing.run(job).chat_template == "{{ messages }}"
    assert library.get("m-Q8_0").chat_template == "{{ messages }}"
    assert job.left_behind == tmp_path / "mmproj-m.gguf"


# --- what is refused, and what goes wrong ----------------------------------------------------------------


def test_a_type_that_needs_an_importance_matrix_is_refused(quantizing: Quantizing, tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf", quantization=GGMLQuantizationType.F16)
    with pytest.raises(NeedsImatrix) as caught:
        quantizing.prepare("starter", "Q8_0", tensors=[("ffn_down_exps", "IQ2_XS")])
    assert caught.value.type_name == "IQ2_XS"
    assert "ffn_down_exps" in caught.value.tensor
    # Rows of 64 numbers are no blocks of 256, so here llama.cpp takes another type by itself.
    assert quantizing.prepare(str(path), "IQ2_XS").plan.n_fallbacks > 0


def test_what_would_not_be_smaller_is_refused(quantizing: Quantizing, dense_path: Path) -> None:
    with pytest.raises(NotSmaller) as caught:
        quantizing.prepare("starter-dense", "Q8_0")
    assert caught.value.needed_bytes > caught.value.size_bytes
    assert dense_path.is_file()


@pytest.mark.parametrize("output", ["../escape", "/etc/x", "a/../../b", "NUL", "x:y"])
def test_names_that_lead_elsewhere_are_refused(quantizing: Quantizing, tmp_path: Path, output: str) -> None:
    path = write_model(tmp_path / "m.gguf")
    with pytest.raises(UnsafeFilename):
        quantizing.prepare(str(path), "Q8_0", output=output)


def test_nothing_is_written_over(quantizing: Quantizing, library: Library, tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf")
    first, second = quantizing.prepare(str(path), "Q8_0"), quantizing.prepare(str(path), "Q8_0")
    quantizing.run(first)
    before = first.target.read_bytes()
    with pytest.raises(ModelNameTaken):
        quantizing.prepare(str(path), "Q8_0")
    with pytest.raises(ModelNameTaken):
        quantizing.run(second)
    assert first.target.read_bytes() == before
    assert list(library.models_dir.iterdir()) == [first.target]


def test_a_full_disk_is_said_before_anything_is_written(
    quantizing: Quantizing, library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_model(tmp_path / "m.gguf")
    monkeypatch.setattr("app.quantizing.RESERVE_BYTES", 1 << 60)
    with pytest.raises(NotEnoughDisk):
        quantizing.prepare(str(path), "Q8_0")
    assert not library.models_dir.exists()


def test_who_stops_it_finds_everything_as_before(
    quantizing: Quantizing, library: Library, dense_path: Path
) -> None:
    job = quantizing.prepare("starter-dense", "Q4_0")
    seen: list[int] = []
    with pytest.raises(QuantizeCancelled):
        quantizing.run(job, lambda done, _total: seen.append(done), lambda: len(seen) > 3)
    assert seen[-1] < job.plan.size_bytes, "in the middle"
    assert list(library.models_dir.iterdir()) == []
    assert dense_path.is_file()
    quantizing.close()
    with pytest.raises(QuantizeCancelled):
        quantizing.run(job)
    assert list(library.models_dir.iterdir()) == []


def test_a_file_that_brings_llama_cpp_down_hurts_nobody(quantizing: Quantizing, tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf", metadata={"llama.expert_used_count": 1 << 20})
    with pytest.raises(QuantizeFailed) as caught:
        quantizing.prepare(str(path), "Q8_0")
    assert caught.value.reason


def test_a_process_that_ends_early_leaves_nothing(library: Library, tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf")
    good = Quantizing(library, Quantizer(COMMAND)).prepare(str(path), "Q8_0")
    script = f"open({str(good.target) + '.part'!r}, 'w').write('half'); import os; os.kill(os.getpid(), 11)"
    with pytest.raises(QuantizeFailed):
        Quantizing(library, Quantizer((sys.executable, "-c", script))).run(good)
    assert list(library.models_dir.iterdir()) == []


def test_a_file_that_is_not_what_was_planned_is_thrown_away(library: Library, tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf")
    good = Quantizing(library, Quantizer(COMMAND)).prepare(str(path), "Q8_0")
    copied = f"shutil.copy({str(path)!r}, {str(good.target) + '.part'!r})"
    script = f"import shutil; {copied}; print('{{\"done\": true}}')"
    with pytest.raises(QuantizeFailed, match="differs"):
        Quantizing(library, Quantizer((sys.executable, "-c", script))).run(good)
    assert list(library.models_dir.iterdir()) == []


def test_a_disk_that_fills_meanwhile_leaves_nothing(library: Library) -> None:
    script = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20));"
        "from model_manager.engine import quantizer; quantizer.main()"
    )
    quantizing = Quantizing(library, Quantizer((sys.executable, "-c", script)))
    job = quantizing.prepare("starter-dense", "Q4_0")
    with pytest.raises(QuantizeFailed):
        quantizing.run(job)
    assert list(library.models_dir.iterdir()) == []
