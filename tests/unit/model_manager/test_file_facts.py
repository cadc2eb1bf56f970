"""What files say of themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
from gguf import GGMLQuantizationType

from model_manager.file_facts import class_of, facts_of
from model_manager.shards import read_model
from tests.helpers.ggufs import DEEPSEEK2, GPT_OSS, GRANITE_HYBRID, LLAMA, write_model
from tests.helpers.known_templates import TEMPLATES

GPT_OSS_TEMPLATE = (TEMPLATES / "openai-gpt-oss-120b.jinja").read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("blk.3.attn_q.weight", "attention"),
        ("blk.3.attn_kv_a_mqa.weight", "attention"),
        ("blk.3.attn_norm.weight", "other"),
        ("blk.3.attn_q.bias", "other"),
        ("blk.3.ffn_up_exps.weight", "experts"),
        ("blk.3.ffn_gate_up_chexps.weight", "experts"),
        ("blk.3.ffn_up_shexp.weight", "shared"),
        ("blk.3.ffn_gate_inp.weight", "other"),
        ("blk.3.ffn_down.weight", "feed_forward"),
        ("blk.3.ssm_in.weight", "state"),
        ("blk.3.shortconv.in_proj.weight", "state"),
        ("token_embd.weight", "embeddings"),
        ("output.weight", "output"),
        ("output_norm.weight", "other"),
        ("blk.3.something_new.weight", "other"),
    ],
)
def test_classes_of_tensors(name: str, kind: str) -> None:
    assert class_of(name) == kind


def test_number_formats_are_told_by_class(tmp_path: Path) -> None:
    path = write_model(
        tmp_path / "m.gguf", DEEPSEEK2, n_experts=4, quantization=GGMLQuantizationType.Q8_0, n_ctx_tokens=512
    )
    model = read_model(path)
    facts = facts_of(model)
    assert (facts.architecture, facts.n_experts, facts.n_experts_used) == ("deepseek2", 4, 2)
    assert (facts.n_layers, facts.n_ctx_train_tokens, facts.title) == (2, 512, "Tiny deepseek2")
    assert facts.classes.keys() == {
        "attention",
        "feed_forward",
        "shared",
        "experts",
        "embeddings",
        "output",
        "other",
    }
    assert list(facts.classes["experts"].types) == ["Q8_0"]
    assert facts.classes["experts"].bits_per_weight == 8.5
    assert facts.classes["other"].types.keys() == {"F32"}
    tensors = list(model.tensors())
    assert sum(part.n_tensors for part in facts.classes.values()) == len(tensors)
    assert sum(part.size_bytes for part in facts.classes.values()) == sum(t.size_bytes for t in tensors)


def test_layers_with_a_state_are_a_class(tmp_path: Path) -> None:
    facts = facts_of(read_model(write_model(tmp_path / "m.gguf", GRANITE_HYBRID, n_experts=4)))
    assert facts.classes["state"].n_tensors == 5


def test_licence_of_the_file_or_else_of_the_catalogue(tmp_path: Path) -> None:
    said = write_model(tmp_path / "said.gguf", LLAMA, metadata={"general.license": "mit"})
    assert (facts_of(read_model(said)).license, facts_of(read_model(said)).license_from) == ("mit", "file")
    silent = read_model(write_model(tmp_path / "silent.gguf", LLAMA))
    assert facts_of(silent).license_from == ""
    known = facts_of(silent, source="hub:ggml-org/gpt-oss-20b-GGUF:MXFP4@main")
    assert (known.license, known.license_from) == ("Apache-2.0", "catalogue")
    assert known.entry is not None
    assert known.entry.repo_id == "ggml-org/gpt-oss-20b-GGUF"


def test_a_file_is_recognized_by_its_name(tmp_path: Path) -> None:
    path = write_model(
        tmp_path / "gpt-oss-20b-Q8_0.gguf",
        GPT_OSS,
        n_experts=4,
        chat_template=GPT_OSS_TEMPLATE + "\n{# patched #}",
    )
    template = facts_of(read_model(path)).template
    assert (template.verdict, template.expected) == ("different", "openai-gpt-oss-120b")
    assert template.changes[-1].lines == ("{# patched #}",)


def test_a_template_of_the_library_counts(tmp_path: Path) -> None:
    model = read_model(write_model(tmp_path / "gpt-oss-20b.gguf", LLAMA))
    source = "hub:ggml-org/gpt-oss-20b-GGUF"
    assert facts_of(model, source=source).template.verdict == "different"
    assert facts_of(model, source=source, chat_template=GPT_OSS_TEMPLATE).template.verdict == "same"
    assert (
        facts_of(read_model(write_model(tmp_path / "x.gguf", chat_template=None))).template.verdict == "none"
    )
