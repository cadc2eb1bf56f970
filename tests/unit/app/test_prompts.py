from __future__ import annotations

from datetime import UTC, datetime

from app.prompts import turns
from model_manager.types import ChatMessage
from storage.records import Message, Part, Role


def _message(role: Role, text: str, reasoning: str = "") -> Message:
    parts = [Part("reasoning", reasoning)] if reasoning else []
    parts += [Part("text", text)] if text else []
    return Message(1, 1, None, role, "complete", datetime.now(UTC), tuple(parts))


def test_the_system_prompt_comes_first() -> None:
    assert turns("Be brief.", [_message("user", "Hi")]) == (
        ChatMessage("system", "Be brief."),
        ChatMessage("user", "Hi"),
    )


def test_blank_system_prompt_is_none() -> None:
    assert turns(" \n", [_message("user", "Hi")]) == (ChatMessage("user", "Hi"),)


def test_reasoning_goes_with_its_answer() -> None:
    path = [_message("user", "Hi"), _message("assistant", "Hello", "greet"), _message("user", "Go on")]
    assert turns("", path)[1] == ChatMessage("assistant", "Hello", "greet")


def test_questions_around_an_empty_answer_become_one() -> None:
    path = [_message("user", "One"), _message("assistant", "", "only thought"), _message("user", "Two")]
    assert turns("", path) == (ChatMessage("user", "One\n\nTwo"),)


def test_no_messages_no_turns() -> None:
    assert turns("", []) == ()
