"""Conversations are rendered as llama-server renders them, with every template that llama.cpp ships.

The renderings were made by its `/apply-template` (tests/data/templates/README.md).
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest

from model_manager.engine.protocol import ChatCompletionRequest
from model_manager.engine.templates import SWITCHES, ChatTemplate
from model_manager.errors import EngineError, ToolsUnsupported
from model_manager.types import ChatMessage

DATA: Final = Path(__file__).parents[3] / "data" / "templates"
ORACLE: Final[dict[str, Any]] = json.loads((DATA / "rendering.json").read_text())
BOS, EOS = "<|im_start|>", "<|im_end|>"  # those of the model that the server had loaded

DIFFERENT: Final = {
    ("Kimi-K3", "off"): "its switch is called `thinking`, which llama.cpp does not set",
    ("ibm-granite-granite-3.3-2B-Instruct", "plain"): "so is this one's",
    ("ibm-granite-granite-3.3-2B-Instruct", "thought"): "so is this one's",
    ("google-gemma-2-2b-it", "system"): "we put an empty line between the system's words and the user's",
    ("unsloth-mistral-Devstral-Small-2507", "thought"): "llama.cpp loses the answer",
    **{
        (name, case): "the template leaves out tool calls, we write them in the model's notation"
        for name in ("LFM2-8B-A1B", "LFM2.5-Instruct")
        for case in ("calls", "called")
    },
    **{
        ("fireworks-ai-llama-3-firefunction-v2", case): "llama.cpp does not give it the functions"
        for case in ("tools", "calls", "called")
    },
}
"""Where we differ on purpose."""
HAVE_NO_TOOLS: Final = {
    "HuggingFaceTB-SmolLM3-3B",
    "deepseek-ai-DeepSeek-R1-Distill-Llama-8B",
    "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B",
    "deepseek-ai-DeepSeek-V3.1",
    "google-gemma-2-2b-it",
    "llama-cpp-rwkv-world",
    "microsoft-Phi-3.5-mini-instruct",
}
"""We refuse tools that a template has no words for, where llama.cpp leaves them out."""
DROP_CALLS: Final = {"ibm-granite-granite-3.3-2B-Instruct"}
KEEP_NO_REASONING: Final = {"tencent-Hy3"}
"""llama-server asks every other template that can to keep earlier reasoning."""
_DATE: Final = re.compile(r"\d{1,2} \w{3} \d{4}|\w{3} \d{1,2},? \d{4}|\d{4}-\d\d-\d\d|\w+ \d{1,2}, \d{4}")


def without_dates(text: str) -> str:
    return _DATE.sub("DATE", text)


@pytest.mark.parametrize("name", sorted(ORACLE["renderings"]))
def test_prompts_are_llama_servers(name: str) -> None:
    template = ChatTemplate((DATA / f"{name}.jinja").read_text(), bos_text=BOS, eos_text=EOS)
    for case, theirs in ORACLE["renderings"][name].items():
        if (name, case) in DIFFERENT:
            continue
        chat = ChatCompletionRequest.parse(
            json.dumps(ORACLE["conversations"][case]).encode()
        ).to_chat_request()

        def render(chat: Any = chat, case: str = case) -> str:
            history: Any = "template" if name in KEEP_NO_REASONING else "keep"
            # llama.cpp does not use an effort as a switch.
            has_switch = not template.switches.isdisjoint(SWITCHES)
            switch: Any = "auto" if not has_switch else "off" if case == "off" else "on"
            return template.render(chat.messages, switch, tools=chat.tools, history=history).text

        has_calls = case in ("calls", "called")
        if (chat.tools and name in HAVE_NO_TOOLS) or (has_calls and name in DROP_CALLS):
            with pytest.raises(ToolsUnsupported):
                render()
        elif theirs is None:
            with pytest.raises(EngineError):
                render()
        else:
            ours = render()
            if not theirs.startswith(BOS):
                ours = ours.removeprefix(BOS)  # llama.cpp leaves its own to the tokenizer
            assert without_dates(ours) == without_dates(theirs), case


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("deepseek-ai-DeepSeek-V4", True),
        ("muse-glimmer", True),
        ("tencent-Hy3", True),
        ("openai-gpt-oss-120b", True),
        ("upstage-Solar-Open-100B", True),
        ("Cohere2MoE", True),
        ("meta-llama-Llama-3.1-8B-Instruct", False),
        ("Qwen-Qwen3-0.6B", False),
    ],
)
def test_efforts_are_taken_where_llama_cpp_finds_them(name: str, expected: bool) -> None:
    """Its test_reasoning_effort_caps."""
    template = ChatTemplate((DATA / f"{name}.jinja").read_text(), bos_text=BOS, eos_text=EOS)
    assert template.takes_effort is expected


def test_an_effort_by_another_name_reaches_its_template() -> None:
    template = ChatTemplate((DATA / "muse-glimmer.jinja").read_text())
    assert "Reasoning strength: low." in template.render((ChatMessage("user", "Hello"),), "auto", "low").text


def test_differences_are_few() -> None:
    assert len(DIFFERENT) <= 12
    assert len(ORACLE["renderings"]) == 70
