"""`coterie models cache`: what is kept of a conversation, and getting rid of it."""

from __future__ import annotations

import json
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from tests.helpers.cli import coterie, succeed

QUESTION = "The keeper of the lighthouse wrote down the weather of every day. " * 8


def test_conversation_goes_on_after_the_program_ended(tmp_path: Path) -> None:
    def ask(text: str, *more: str) -> dict[str, Any]:
        options = ("-m", "starter-dense", "--temperature", "0", "--max-tokens", "4", "--json")
        done = succeed(coterie(tmp_path, "chat", *options, *more, text))
        last: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return last

    def cached() -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = json.loads(succeed(cache("list", "--json")).stdout)
        return listed

    def cache(*arguments: str) -> CompletedProcess[str]:
        return coterie(tmp_path, "models", "cache", *arguments)

    assert cached() == []
    first = ask(QUESTION)
    (file,) = cached()
    assert file["model"] == "starter-dense"
    assert file["tokens"] == first["usage"]["prompt_tokens"] + 3  # the last token was chosen, not computed
    second = ask("Why?", "-c", str(first["conversation_id"]))
    assert second["usage"]["cached_tokens"] > 100
    refused = cache("prune", "--limit", "-1")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "starter-dense" in succeed(cache()).stdout
    assert json.loads(succeed(cache("prune", "--json")).stdout) == {"removed": 0}
    assert json.loads(succeed(cache("clear", "-m", "other", "--json")).stdout) == {"removed": 0}
    assert succeed(cache("clear")).stdout == "Files removed: 1.\n"
    assert cached() == []
