"""Every end-to-end test runs under a guard: no process of the program reaches for another machine.

The chat itself is tested with the offline switch on; what asks a hub asks one on this machine.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.helpers.network_guard import AuditGuard

OFFLINE = (
    "test_cli_adapters",
    "test_cli_cache",
    "test_cli_chat",
    "test_cli_endings",
    "test_cli_inspect",
    "test_cli_screen",
    "test_kill",
    "test_openai_client",
    "test_serve",
    "test_window",
)
"""Chat, in each of its forms."""

REACH_OUT = ("test_privacy",)
"""Shows that the guard sees what it must, and asks for more than this one does."""


@pytest.fixture(autouse=True, scope="module")
def nothing_leaves_this_machine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """A process of the program that looks up a name, or sends to another machine, fails its module."""
    module = request.module.__name__.rpartition(".")[2]
    if module in REACH_OUT:
        yield
        return
    file = tmp_path_factory.mktemp("guard") / "network.jsonl"
    file.touch()
    guard = AuditGuard(file)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in guard.environment.items():
            patch.setenv(name, value)
        if module in OFFLINE:
            patch.setenv("HF_HUB_OFFLINE", "1")
        yield
    assert [attempt for attempt in guard.attempts() if attempt.leaves_machine] == []
