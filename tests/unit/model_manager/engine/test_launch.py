from __future__ import annotations

from pathlib import Path

import pytest

from model_manager.engine.launch import StartMessage
from model_manager.types import LoadPlan

PLAN = LoadPlan(Path("/models/é.gguf"), n_ctx_tokens=4096, chat_template="a\nb", name="é", n_parallel=2)


@pytest.mark.parametrize(
    "message",
    [
        StartMessage(PLAN, socket_path=Path("/run/x.sock")),
        StartMessage(PLAN, port_path=Path("/run/x.port"), token="secret"),
        StartMessage(LoadPlan(Path("m.gguf"))),
    ],
)
def test_start_message_is_one_line_and_survives_it(message: StartMessage) -> None:
    line = message.to_line()
    assert line.count(b"\n") == 1
    assert StartMessage.from_line(line) == message
