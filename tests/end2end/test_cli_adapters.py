"""`coterie adapters`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.helpers.cli import coterie, refuse, succeed
from tests.helpers.ggufs import write_adapter, write_model


def test_adapters_are_kept_with_their_model_and_answer(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    succeed(coterie(data_dir, "models", "import", str(write_model(tmp_path / "m.gguf"))))
    path = write_adapter(tmp_path / "a.gguf")

    def adapters(*arguments: str) -> Any:
        done = succeed(coterie(data_dir, "adapters", *arguments, "--json", cwd=tmp_path))
        return json.loads(done.stdout)["adapters"]

    def said() -> str:
        options = ("-m", "m", "--temperature", "0", "--max-tokens", "8")
        return succeed(coterie(data_dir, "chat", *options, "the weather")).stdout

    plain = said()
    assert adapters("list", "m") == []
    assert adapters("add", "m", "a.gguf", "--scale", "3") == [{"path": str(path), "scale": 3.0}]
    assert said() != plain
    assert adapters("scale", "m", "a.gguf", "0") == [{"path": str(path), "scale": 0.0}]
    assert said() == plain
    assert coterie(data_dir, "adapters", "remove", "m", "b.gguf").returncode == 2
    assert adapters("remove", "m", "a.gguf") == []

    other = write_adapter(tmp_path / "other.gguf", architecture="qwen3")
    refuse(coterie(data_dir, "adapters", "add", "m", str(other)), "other.gguf", "another model")
    refuse(coterie(data_dir, "adapters", "add", "m", str(tmp_path / "m.gguf")), "adapter")
    refuse(coterie(data_dir, "adapters", "add", "m", str(tmp_path / "none.gguf")), "none.gguf")
    refuse(coterie(data_dir, "adapters", "list", "nothing"), "nothing")
    assert adapters("list", "m") == []
