from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from app.prompts import turns, without_calls, without_earlier_images
from model_manager.types import ChatMessage, PromptImage, ToolCall
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


USED = (
    Part("reasoning", "Look it up."),
    Part("tool_call", '{"q": "moe"}', "search", "c1"),
    Part("tool_call", "print(1)", "python"),
    Part("tool_result", "1", "python", "call2"),
    Part("tool_result", "found", call_id="c1"),
    Part("text", "Found."),
)


def _answer(*parts: Part) -> Message:
    return Message(2, 1, 1, "assistant", "complete", datetime.now(UTC), parts)


def test_an_answer_that_used_tools_becomes_the_turns_it_was_made_of() -> None:
    path = [_message("user", "Hi"), _answer(*USED), _message("user", "And?")]
    assert turns("", path) == (
        ChatMessage("user", "Hi"),
        ChatMessage(
            "assistant",
            "",
            "Look it up.",
            tool_calls=(
                ToolCall("c1", "search", '{"q": "moe"}'),
                ToolCall("call2", "python", '{"input": "print(1)"}'),
            ),
        ),
        ChatMessage("tool", "1", tool_call_id="call2"),
        ChatMessage("tool", "found", tool_call_id="c1"),
        ChatMessage("assistant", "Found."),
        ChatMessage("user", "And?"),
    )


def test_a_result_without_its_call_gets_one() -> None:
    (call, result) = turns("", [_answer(Part("tool_result", "found", "search"))])
    assert call.tool_calls == (ToolCall("call0", "search", "{}"),)
    assert result == ChatMessage("tool", "found", tool_call_id="call0")


def test_where_the_template_has_no_words_for_tools_they_are_text() -> None:
    path = [_message("user", "Hi"), _answer(*USED)]
    assert without_calls(turns("", path)) == (
        ChatMessage("user", "Hi"),
        ChatMessage(
            "assistant",
            'search({"q": "moe"})\n\npython({"input": "print(1)"})\n\n-> 1\n\n-> found\n\nFound.',
            "Look it up.",
        ),
    )


def test_images_and_the_words_of_files_stand_before_a_question() -> None:
    image, notes = Part("image", name="a.png", data=b"png"), Part("file", "words", "a.txt")
    question = _message("user", "See?")
    (turn,) = turns("", [question], {1: (image, notes, Part("file", name="x.zip", data=b"PK"))})
    assert turn == ChatMessage("user", "a.txt\n\nwords\n\nSee?", images=(PromptImage(0, b"png"),))


def test_images_of_earlier_questions_are_left_out_for_a_model_that_cannot_see() -> None:
    seen = ChatMessage("user", "See?", images=(PromptImage(0, b"png"),))
    answer, plain = ChatMessage("assistant", "Yes."), ChatMessage("user", "Go on.")
    assert without_earlier_images((seen, answer, plain)) == (replace(seen, images=()), answer, plain)
    assert without_earlier_images((plain, answer, seen)) == (plain, answer, seen)
