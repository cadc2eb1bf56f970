from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from model_manager.engine.families import MarkerPair
from model_manager.engine.sandbox import CompiledTemplate
from model_manager.engine.templates import CHATML, ChatTemplate, Segment
from model_manager.errors import EmptyPrompt, TemplateFailed
from model_manager.types import ChatMessage

# After Qwen3: a switch, and reasoning kept in the turns.
SWITCHED = (
    "{%- for message in messages %}<|im_start|>{{ message.role }}\n"
    "{%- set thought = message.reasoning_content %}"
    "{%- if thought %}<think>{{ thought.strip('\\n') }}</think>{% endif %}"
    "{{ message.content }}<|im_end|>\n{% endfor %}"
    "{%- if add_generation_prompt %}<|im_start|>assistant\n"
    "{%- if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}"
    "{%- endif %}"
)
# After DeepSeek-R1: the prompt opens the block, and old reasoning is cut off.
OPENING = (
    "{{ bos_token }}{% for message in messages %}"
    "{% set content = message.content %}"
    "{% if message.role == 'assistant' and '</think>' in content %}"
    "{% set content = content.split('</think>')[-1] %}{% endif %}"
    "<{{ message.role }}>{{ content | trim }}"
    "{% endfor %}{% if add_generation_prompt %}<assistant><think>\n{% endif %}"
)
# After Gemma: no system role, strictly alternating.
STRICT = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for message in messages %}"
    "{% set is_due = (message.role == 'user') == (loop.index0 % 2 == 0) %}"
    "{% if not is_due %}{{ raise_exception('must alternate') }}{% endif %}"
    "<{{ message.role }}>{{ message.content }}{% endfor %}"
)
PARTS_ONLY = "{% for m in messages %}{% for part in m.content %}{{ part.text }}{% endfor %};{% endfor %}"
ALL = (CHATML, SWITCHED, OPENING)


def user(text: str) -> ChatMessage:
    return ChatMessage("user", text)


def test_model_without_template_gets_chatml() -> None:
    for source in (None, " "):
        prompt = ChatTemplate(source).render([user("Hi")])
        assert prompt.text == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"


def test_segments_know_where_they_come_from() -> None:
    assert ChatTemplate(CHATML).render([user("Hi")]).segments == (
        Segment("<|im_start|>user\n", is_trusted=True),
        Segment("Hi", is_trusted=False),
        Segment("<|im_end|>\n<|im_start|>assistant\n", is_trusted=True),
    )


@pytest.mark.parametrize("source", ALL)
@settings(deadline=None)
@given(contents=st.lists(st.text(min_size=1).filter(str.strip), min_size=1, max_size=4))
def test_template_text_does_not_depend_on_what_is_said(source: str, contents: list[str]) -> None:
    template = ChatTemplate(source)
    roles = ("user", "assistant")

    def trusted(texts: list[str]) -> list[str]:
        messages = [ChatMessage(roles[i % 2], text) for i, text in enumerate(texts)]
        rendered = template.render(messages)
        return [segment.text.strip() for segment in rendered.segments if segment.is_trusted]

    assert trusted(contents) == trusted(["x"] * len(contents))


def test_what_is_said_arrives_unchanged() -> None:
    text = "a <|im_end|> {{ 7 * 7 }} {% raw %} \U000f5e1a \x00 </think>"
    prompt = ChatTemplate(OPENING).render([user(text)])
    assert [segment.text for segment in prompt.segments if not segment.is_trusted] == [text]


def test_outer_whitespace_is_trimmed_where_the_template_trims() -> None:
    assert "<user>hello<" in ChatTemplate(OPENING).render([user("\n hello \n")]).text
    assert "user\n\n hello \n<|im_end|>" in ChatTemplate(CHATML).render([user("\n hello \n")]).text


def test_prompt_that_opens_the_block_is_recognized() -> None:
    template = ChatTemplate(OPENING, bos_text="<s>")
    assert template.family.reasoning == MarkerPair("<think>", "</think>")
    assert template.can_think
    assert template.render([user("Hi </think>")]).start == "reasoning"


def test_switch_turns_thinking_off() -> None:
    template = ChatTemplate(SWITCHED)
    assert template.switches == {"enable_thinking"}
    off = template.render([user("Hi <think>")], "off")
    assert off.text.endswith("<think>\n\n</think>\n\n")
    assert off.start == "turn"
    for thinking in ("auto", "on"):
        assert not template.render([user("Hi")], thinking).text.endswith("</think>\n\n")  # type: ignore[arg-type]  # literals


def test_effort_reaches_a_template_that_takes_one() -> None:
    template = ChatTemplate("{{ messages[0].content }} effort:{{ reasoning_effort | default('medium') }}")
    assert template.can_think
    assert template.render([user("Hi")]).text == "Hi effort:medium"
    assert template.render([user("Hi")], effort="high").text == "Hi effort:high"


@pytest.mark.parametrize(
    ("known", "thinking", "expected"),
    [
        ("no_think", "off", "no_think"),
        ("no_think", "on", "high"),
        ("no_think", "auto", "unset"),
        ("none", "off", "none"),
        ("none", "on", "unset"),
        ("low", "off", "unset"),
    ],
)
def test_effort_is_the_switch_of_a_template_without_one(known: str, thinking: Any, expected: str) -> None:
    source = (
        f"{{% if reasoning_effort == '{known}' %}}{{% endif %}}{{{{ messages[0].content }}}} "
        "{{ reasoning_effort | default('unset') }}"
    )
    assert ChatTemplate(source).render([user("Hi")], thinking).text == f"Hi {expected}"


def test_plain_template_cannot_think() -> None:
    template = ChatTemplate(CHATML)
    assert (template.can_think, template.family.reasoning) == (False, None)
    assert template.render([user("<think>")]).start == "turn"


def test_reasoning_goes_where_the_template_wants_it() -> None:
    turns = [user("Why?"), ChatMessage("assistant", "So.", "Because </think> <|im_end|>"), user("Ah")]
    kept = ChatTemplate(SWITCHED).render(turns)
    assert "<think>Because </think> <|im_end|></think>So." in kept.text
    assert Segment("Because </think> <|im_end|>", is_trusted=False) in kept.segments
    assert "Because" not in ChatTemplate(OPENING).render(turns).text


def test_system_message_moves_where_the_template_has_no_place() -> None:
    prompt = ChatTemplate(STRICT).render([ChatMessage("system", "Be brief."), user("Hi")])
    assert prompt.text == "<user>Be brief.\n\nHi"


def test_system_message_that_a_template_drops_is_not_lost() -> None:
    drops = "{% for m in messages if m.role != 'system' %}{{ m.content }};{% endfor %}"
    assert ChatTemplate(drops).render([ChatMessage("system", "S"), user("U")]).text == "S\n\nU;"


def test_template_that_wants_parts_gets_parts() -> None:
    assert ChatTemplate(PARTS_ONLY).render([user("Hi")]).text == "Hi;"


def test_first_refusal_is_told() -> None:
    with pytest.raises(TemplateFailed, match="must alternate"):
        ChatTemplate(STRICT).render([user("a"), user("b")])


@pytest.mark.parametrize(
    "source",
    [
        "{{ messages[0].content }}",  # leaves the second message out
        "{{ messages[-1].content }}{{ messages[0].content }}",
        "{% for m in messages %}{{ m.content }}{{ m.content }}{% endfor %}",
        "{% for m in messages %}{{ m.content[3:] }}{% endfor %}",
        "{% for m in messages %}{{ m.content[:9] }}{% endfor %}",
        "nothing",
    ],
)
def test_template_that_garbles_messages_is_refused(source: str) -> None:
    with pytest.raises(TemplateFailed):
        ChatTemplate(source).render([user("first"), user("second")])


def test_oversized_template_is_refused() -> None:
    with pytest.raises(TemplateFailed):
        ChatTemplate("x" * 600_000)


@pytest.mark.parametrize(
    "messages", [[], [user("")], [user(" \n")], [ChatMessage("assistant", "", "thought")]]
)
def test_nothing_to_answer(messages: list[ChatMessage]) -> None:
    with pytest.raises(EmptyPrompt):
        ChatTemplate(CHATML).render(messages)


def test_long_conversation_stays_within_the_limits() -> None:
    turns = [ChatMessage("user" if i % 2 == 0 else "assistant", f"turn {i}", "why") for i in range(4001)]
    assert "turn 4000" in ChatTemplate(SWITCHED).render(turns).text


def test_hanging_template_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    hangs = "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}"
    template = ChatTemplate(hangs)
    times: list[dict[str, object]] = []
    render = CompiledTemplate.render

    def counted(self: CompiledTemplate, values: dict[str, object]) -> str:
        times.append(values)
        return render(self, values)

    monkeypatch.setattr(CompiledTemplate, "render", counted)
    with pytest.raises(TemplateFailed, match="too long"):
        template.render([ChatMessage("system", "S"), user("U")])
    assert len(times) == 1
