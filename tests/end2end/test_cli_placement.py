"""`coterie models plan` and `probe`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.helpers.cli import coterie, refuse, succeed
from tests.helpers.ggufs import QWEN3MOE, write_model


def test_a_plan_is_shown_set_obeyed_and_reset(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    path = write_model(tmp_path / "tiny.gguf", QWEN3MOE, n_experts=8)
    succeed(coterie(data_dir, "models", "import", str(path)))
    shown = json.loads(succeed(coterie(data_dir, "models", "plan", "tiny", "--json")).stdout)
    assert shown["set"] == []
    assert shown["plan"]["cache_type_k"] == "f16"

    options = ("--ctx", "128", "--experts", "3", "--cpu-experts", "all", "--no-repack", "--load-mode", "none")
    done = succeed(coterie(data_dir, "models", "plan", "tiny", *options))
    assert "another quality" in done.stderr
    shown = json.loads(succeed(coterie(data_dir, "models", "plan", "tiny", "--json")).stdout)
    assert (shown["plan"]["n_ctx_tokens"], shown["plan"]["n_experts_used"]) == (128, 3)
    assert shown["plan"]["n_cpu_expert_layers"] == -1
    assert shown["plan"]["use_repack"] is False
    assert len(shown["warnings"]) == 1

    found = json.loads(succeed(coterie(data_dir, "models", "probe", "tiny", "--json")).stdout)
    assert found["n_ctx_tokens"] == 128
    (device,) = found["devices"]
    assert device["device"] == "CPU"
    assert 0 < device["total_bytes"] < device["free_bytes"]
    assert device["mapped_bytes"] == 0
    assert "main memory" in succeed(coterie(data_dir, "models", "probe", "tiny")).stdout

    refuse(coterie(data_dir, "models", "plan", "tiny", "--experts", "9"), "8 experts")
    refuse(coterie(data_dir, "models", "plan", "tiny", "--override", "blk[.]9=CPU"), "blk[.]9")
    refuse(coterie(data_dir, "models", "plan", "tiny", "--speculation", "mtp"), "tiny", "layers")
    refuse(coterie(data_dir, "models", "plan", "tiny", "--ctx", "4096"), "256", "4,096")
    shown = json.loads(succeed(coterie(data_dir, "models", "plan", "tiny", "--reset", "--json")).stdout)
    assert shown["set"] == []


def test_options_that_cannot_be_are_said_and_change_nothing(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    succeed(coterie(data_dir, "models", "import", str(write_model(tmp_path / "dense.gguf"))))
    for option, value, word in (
        ("--ctx", "31", "32"),
        ("--batch", "0", "32"),
        ("--ubatch", "many", "whole number"),
        ("--threads", "513", "512"),
        ("--parallel", "9", "8"),
        ("--gpu-layers", "-3", "whole number"),
        ("--override", "CPU", "PATTERN=DEVICE"),
        ("--rpc", "nowhere", "HOST:PORT"),
        ("--speculation", "draft", "--draft"),
    ):
        done = coterie(data_dir, "models", "plan", "dense", f"{option}={value}")
        assert done.returncode == 2, option
        assert word in done.stderr.splitlines()[-1], option
    refuse(coterie(data_dir, "models", "plan", "dense", "--cpu-experts", "2"), "no experts")
    shown = json.loads(succeed(coterie(data_dir, "models", "plan", "dense", "--json")).stdout)
    assert shown["set"] == []
    succeed(coterie(data_dir, "models", "plan", "dense", "--parallel", "2", "--ctx", "32", "--batch", "32"))
    assert succeed(coterie(data_dir, "chat", "-m", "dense", "--max-tokens", "2", "Hello")).stdout


def test_a_device_elsewhere_is_warned_of_and_refused_offline(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    path = write_model(tmp_path / "tiny.gguf")
    succeed(coterie(data_dir, "models", "import", str(path)))
    succeed(coterie(data_dir, "settings", "set", "offline", "true"))
    done = succeed(coterie(data_dir, "models", "plan", "tiny", "--rpc", "192.0.2.7:50052"))
    assert "192.0.2.7:50052" in done.stderr
    assert "encryption" in done.stderr
    refuse(coterie(data_dir, "chat", "-m", "tiny", "Hello"), "offline", "192.0.2.7")
    log = (data_dir / "logs" / "network.jsonl").read_text().splitlines()
    assert [json.loads(line)["method"] for line in log] == ["RPC"]


def test_a_file_that_crashes_llama_cpp_is_not_loaded(tmp_path: Path) -> None:
    path = write_model(tmp_path / "hostile.gguf", metadata={"llama.rope.scaling.type": "nonsense"})
    refuse(coterie(tmp_path / "data", "chat", "-m", str(path), "Hello"), "hostile", "crash")


def test_a_context_that_does_not_fit_is_refused_with_one_that_would(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    n_ctx = 1 << 24  # with 128 layers, 275 GB of keys and values
    path = write_model(tmp_path / "long.gguf", n_ctx_tokens=n_ctx, n_layers=128)
    succeed(coterie(data_dir, "models", "import", str(path)))
    succeed(coterie(data_dir, "models", "plan", "long", "--ctx", str(n_ctx)))
    line = refuse(coterie(data_dir, "chat", "-m", "long", "Hello"), "long", "GB", "would fit")
    words = line.replace(",", "").split()
    fits = int(words[words.index("tokens") - 1])
    assert 0 < fits < n_ctx
    succeed(coterie(data_dir, "models", "plan", "long", "--ctx", "256"))
    succeed(coterie(data_dir, "chat", "-m", "long", "--max-tokens", "2", "Hello"))


def test_a_draft_model_is_set_and_taken_back(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    for name in ("tiny", "small"):
        succeed(coterie(data_dir, "models", "import", str(write_model(tmp_path / f"{name}.gguf"))))
    succeed(coterie(data_dir, "models", "plan", "tiny", "--draft", "small", "--speculation", "draft"))
    shown = json.loads(succeed(coterie(data_dir, "models", "plan", "tiny", "--json")).stdout)
    assert shown["plan"]["draft_path"].endswith("small.gguf")
    assert shown["set"] == ["draft_path", "speculation"]
    assert "small.gguf" in succeed(coterie(data_dir, "models", "plan", "tiny", "--draft", "small")).stdout
    refuse(coterie(data_dir, "models", "plan", "tiny", "--draft", "nosuch"), "nosuch")
    succeed(coterie(data_dir, "models", "plan", "tiny", "--draft", "none", "--speculation", "lookup"))
    shown = json.loads(succeed(coterie(data_dir, "models", "plan", "tiny", "--json")).stdout)
    assert shown["plan"]["draft_path"] is None
    assert shown["plan"]["speculation"] == "lookup"
