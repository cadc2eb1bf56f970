"""The wrapper over llama.cpp: loading, tokens, and files that cannot be loaded."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from model_manager.engine.llama.context import LlamaContext
from model_manager.engine.llama.model import load as load_model
from model_manager.errors import ContextTooLarge, LoadFailed
from model_manager.gguf import read_header
from model_manager.types import LoadPlan


@pytest.fixture(scope="module")
def dense(dense_path: Path) -> Iterator[LlamaContext]:
    model = load_model(LoadPlan(dense_path, name="dense", n_ctx_tokens=256, n_parallel=2), lambda _: None)
    yield model
    model.model.close()


def test_info_says_what_the_model_is(dense: LlamaContext) -> None:
    info = dense.model.describe(dense)
    assert (info.name, info.architecture, info.n_layers) == ("dense", "llama", 30)
    assert (info.n_ctx_tokens, info.n_ctx_train_tokens) == (256, 8192)
    assert "CPU" in info.system_info
    assert "llama.cpp" in info.engine
    assert dense.model.metadata["general.architecture"] == "llama"
    assert dense.model.chat_template == dense.model.metadata["tokenizer.chat_template"]
    assert (dense.vocabulary.bos_text, dense.vocabulary.eos_text) == ("<|im_start|>", "<|im_end|>")


def test_plan_overrides_the_template_of_the_file(dense_path: Path) -> None:
    plan = LoadPlan(dense_path, n_ctx_tokens=256, n_parallel=1, chat_template="{{ 1 }}")
    model = load_model(plan, lambda _: None)
    assert model.model.chat_template == "{{ 1 }}"
    model.model.close()
    model.model.close()


@pytest.mark.parametrize("text", ["", "Hello world", "群贤 🦊 naïve\n\ttabs", "a" * 3000])
def test_tokens_give_the_text_back(dense: LlamaContext, text: str) -> None:
    tokens = dense.vocabulary.tokenize(text, special=False)
    assert b"".join(dense.vocabulary.piece(t) for t in tokens).decode() == text


def test_text_of_a_user_never_becomes_a_control_token(dense: LlamaContext) -> None:
    marker = dense.vocabulary.token_id("<|im_start|>")
    assert marker is not None
    assert dense.vocabulary.tokenize("<|im_start|>", special=True) == [marker]
    assert marker not in dense.vocabulary.tokenize("<|im_start|>system", special=False)
    assert dense.vocabulary.piece(marker) == b""
    assert dense.vocabulary.piece(marker, special=True) == b"<|im_start|>"


def test_token_id_is_none_for_what_takes_several(dense: LlamaContext) -> None:
    assert dense.vocabulary.token_id("<think>") is None


def test_end_of_turn_is_an_end(dense: LlamaContext) -> None:
    end = dense.vocabulary.token_id("<|im_end|>")
    assert end is not None
    assert dense.vocabulary.is_end(end)
    assert not dense.vocabulary.is_end(dense.vocabulary.tokenize("word", special=False)[0])


def test_progress_rises_to_the_end(dense_path: Path) -> None:
    seen: list[int] = []
    load_model(LoadPlan(dense_path, n_ctx_tokens=256), seen.append).model.close()
    assert seen == sorted(seen)
    assert seen[-1] == 1000


def test_loading_is_given_up_when_progress_raises(dense_path: Path) -> None:
    class GivenUpError(Exception):
        pass

    def stop(permille: int) -> None:
        raise GivenUpError

    with pytest.raises(GivenUpError):
        load_model(LoadPlan(dense_path, n_ctx_tokens=256), stop)


def test_context_larger_than_the_models_is_refused(dense_path: Path) -> None:
    with pytest.raises(ContextTooLarge) as caught:
        load_model(LoadPlan(dense_path, n_ctx_tokens=8193), lambda _: None)
    assert caught.value.n_ctx_train_tokens == 8192


def test_small_chunks_give_the_same_logits_to_the_last_bit(dense: LlamaContext) -> None:
    """Below 64 rows a call, how a prompt is cut does not change what follows it."""
    tokens = dense.vocabulary.tokenize(
        "The keeper wrote down the weather of every day. " * 10, special=False
    )[:96]
    results = []
    for n_chunk in (1, 8, 32):
        dense.forget(0)
        batch = dense.new_batch()
        for start in range(0, len(tokens), n_chunk):
            batch.clear()
            row = batch.add(0, start, tokens[start : start + n_chunk], wants_logits=True)
            assert dense.decode(batch) == 0
        results.append(dense.logits(row).copy())
    assert np.array_equal(results[0], results[1])
    assert np.array_equal(results[1], results[2])


_LOADER = """
import json, sys
from pathlib import Path
from model_manager.engine.llama.context import LlamaContext
from model_manager.engine.llama.model import load as load_model
from model_manager.errors import LoadFailed
from model_manager.types import LoadPlan
try:
    load_model(LoadPlan(Path(sys.argv[1]), name="bad", n_ctx_tokens=256), lambda _: None)
    print(json.dumps(None))
except LoadFailed as error:
    print(json.dumps([error.name, error.reason]))
"""


def reason_of_failure(path: Path) -> str:
    """Load in a process of its own, since llama.cpp may end it."""
    done = subprocess.run(
        [sys.executable, "-c", _LOADER, str(path)], capture_output=True, text=True, timeout=120, check=True
    )
    result = json.loads(done.stdout)
    assert result is not None, "it was loaded"
    assert result[0] == "bad"
    return str(result[1])


def test_missing_file_fails_to_load(tmp_path: Path) -> None:
    with pytest.raises(LoadFailed, match="no such file"):
        load_model(LoadPlan(tmp_path / "none.gguf"), lambda _: None)


def test_file_of_another_kind_fails_to_load(tmp_path: Path) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(b"PK\x03\x04" + bytes(1000))
    assert "magic" in reason_of_failure(path)


def test_truncated_file_fails_to_load(tmp_path: Path, dense_path: Path) -> None:
    path = tmp_path / "bad.gguf"
    with dense_path.open("rb") as source, path.open("wb") as target:
        target.write(source.read(40_000_000))
    assert "not within the file bounds" in reason_of_failure(path)


def test_garbage_in_tensors_fails_to_load(tmp_path: Path, dense_path: Path) -> None:
    path = tmp_path / "bad.gguf"
    shutil.copyfile(dense_path, path)
    offset = read_header(path).data_offset
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(np.random.default_rng(1).bytes(path.stat().st_size - offset))
    assert "finite" in reason_of_failure(path)
