"""With a real vocabulary: what people write never becomes a control token."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from model_manager.engine.llama.context import LlamaContext
from model_manager.engine.llama.model import load as load_model
from model_manager.engine.prompts import PromptTokenizer
from model_manager.engine.templates import ChatTemplate
from model_manager.starter import THINKING_TEMPLATE
from model_manager.types import ChatMessage, LoadPlan

MARKERS = [
    "<|im_start|>",
    "<|im_end|>",
    "<|endoftext|>",
    "<repo_name>",
    "</think>",
    "<think>",
    "<",
    "|>",
    "im_end",
]


@pytest.fixture(scope="module")
def model(dense_path: Path) -> Iterator[LlamaContext]:
    loaded = load_model(LoadPlan(dense_path, n_ctx_tokens=128), lambda _permille: None)
    yield loaded
    loaded.model.close()


def control_tokens(model: LlamaContext, tokens: list[int]) -> list[int]:
    return [
        token
        for token in tokens
        if not model.vocabulary.piece(token) and model.vocabulary.piece(token, special=True)
    ]


def tokens_of(model: LlamaContext, template: ChatTemplate, contents: list[str]) -> list[int]:
    roles = ("user", "assistant")
    messages = [ChatMessage(roles[i % 2], text) for i, text in enumerate(contents)]
    return PromptTokenizer(model.vocabulary).tokenize(template.render(messages)).tokens


# Only characters that this vocabulary can spell: it lacks a token for some bytes.
said = st.lists(
    st.lists(
        st.sampled_from([*MARKERS, "hello", " ", "\n", "user\n"]) | st.text("aé群<|>[]", max_size=5),
        min_size=1,
        max_size=6,
    )
    .map("".join)
    .filter(str.strip),
    min_size=1,
    max_size=3,
).filter(lambda contents: len(contents) % 2 == 1)


@settings(max_examples=100, deadline=None)
@given(contents=said)
def test_roles_are_the_templates_alone(model: LlamaContext, contents: list[str]) -> None:
    for template in (ChatTemplate(model.model.chat_template), ChatTemplate(THINKING_TEMPLATE)):
        tokens = tokens_of(model, template, contents)
        harmless = tokens_of(model, template, ["x"] * len(contents))
        assert control_tokens(model, tokens) == control_tokens(model, harmless)
        text = b"".join(model.vocabulary.piece(token, special=True) for token in tokens).decode()
        messages = [ChatMessage(("user", "assistant")[i % 2], said) for i, said in enumerate(contents)]
        assert text == template.render(messages).text


def test_plain_prompt_is_tokenized_as_everywhere_else(model: LlamaContext) -> None:
    template = ChatTemplate(model.model.chat_template)
    whole = template.render([ChatMessage("user", "  What is 2 < 3?\n")]).text
    assert tokens_of(model, template, ["  What is 2 < 3?\n"]) == model.vocabulary.tokenize(
        whole, special=True
    )
