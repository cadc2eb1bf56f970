"""`coterie models show` of a model that is here."""

from __future__ import annotations

import json
from pathlib import Path

from tests.helpers.cli import coterie, refuse, succeed
from tests.helpers.ggufs import QWEN3MOE, write_model


def test_a_file_tells_what_is_in_it(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    path = write_model(tmp_path / "Qwen3.gguf", QWEN3MOE, n_experts=4, metadata={"general.license": "mit"})
    facts = json.loads(succeed(coterie(data_dir, "models", "show", str(path), "--json", "--tensors")).stdout)
    assert facts["architecture"] == "qwen3moe"
    assert facts["license"] == "mit"
    assert facts["classes"]["experts"]["types"] == {
        "F32": {"n_tensors": 6, "size_bytes": facts["classes"]["experts"]["size_bytes"]}
    }
    assert facts["template"]["verdict"] == "unknown"
    assert {tensor["class"] for tensor in facts["tensors"]} == facts["classes"].keys()
    text = succeed(coterie(data_dir, "models", "show", str(path), "--tensors")).stdout
    assert "2 of 4 experts" in text
    assert "blk.1.ffn_up_exps.weight" in text


def test_an_entry_whose_template_is_replaced(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    facts = json.loads(succeed(coterie(data_dir, "models", "show", "starter-thinking", "--json")).stdout)
    assert facts["template"]["from"] == "library"
    assert facts["n_experts"] == 8
    assert "Q4_1" in succeed(coterie(data_dir, "models", "show", "starter-dense")).stdout


def test_what_is_no_model_is_one_sentence(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    (tmp_path / "text.gguf").write_text("hello")
    refuse(coterie(data_dir, "models", "show", str(tmp_path / "text.gguf")), "text.gguf")
    refuse(coterie(data_dir, "models", "show", str(tmp_path / "none.gguf")), "none.gguf")
    refuse(coterie(data_dir, "models", "show", "./none.gguf"), "none.gguf")
