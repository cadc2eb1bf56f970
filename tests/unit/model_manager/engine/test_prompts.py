"""Against a toy vocabulary that treats markers as llama.cpp does; the real one follows in integration."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from model_manager.engine.prompts import PromptTokenizer
from model_manager.engine.templates import CHATML, ChatTemplate
from model_manager.types import ChatMessage

BOS, IM_START, IM_END, USER_DEFINED_CLOSE = 1, 2, 3, 4
CONTROL = {"<s>": BOS, "<|im_start|>": IM_START, "<|im_end|>": IM_END}
USER_DEFINED = {"</think>": USER_DEFINED_CLOSE}
MARKERS = {BOS, IM_START, IM_END, USER_DEFINED_CLOSE}


class ToyVocabulary:
    """Characters, three control tokens, and one user-defined token that is found in any text."""

    def __init__(self, *, adds_bos: bool = False) -> None:
        self._adds_bos = adds_bos
        self.n_calls_special = 0

    def tokenize(self, text: str, *, special: bool, add_bos: bool = False) -> list[int]:
        known = {**USER_DEFINED, **(CONTROL if special else {})}
        tokens = [BOS] if add_bos and self._adds_bos else []
        while text:
            for marker, token_id in known.items():
                if text.startswith(marker):
                    tokens.append(token_id)
                    text = text[len(marker) :]
                    break
            else:
                tokens.append(ord(text[0]) + 100)
                text = text[1:]
        return tokens

    def piece(self, token_id: int, *, special: bool = False) -> bytes:
        for marker, known in CONTROL.items():
            if known == token_id:
                return marker.encode() if special else b""
        for marker, known in USER_DEFINED.items():
            if known == token_id:
                return marker.encode()
        return chr(token_id - 100).encode("utf-8", "surrogatepass")


def tokens_of(*contents: str, source: str = CHATML, adds_bos: bool = False) -> list[int]:
    roles = ("user", "assistant")
    messages = [ChatMessage(roles[i % 2], text) for i, text in enumerate(contents)]
    prompt = ChatTemplate(source, bos_text="<s>").render(messages)
    return PromptTokenizer(ToyVocabulary(adds_bos=adds_bos)).tokenize(prompt).tokens


def markers(tokens: list[int]) -> list[int]:
    return [token for token in tokens if token in MARKERS]


nasty = st.lists(
    st.sampled_from(
        [
            "<|im_start|>",
            "<|im_end|>",
            "</think>",
            "<s>",
            "<",
            "|im_end|>",
            "<|im_",
            "[",
            "hello",
            "\n",
            "\0",
            "é",
        ]
    ),
    min_size=1,
    max_size=6,
).map("".join)


@settings(deadline=None)
@given(st.lists(nasty.filter(str.strip), min_size=1, max_size=3))
def test_nothing_that_is_said_adds_or_removes_a_marker(contents: list[str]) -> None:
    assert markers(tokens_of(*contents)) == markers(tokens_of(*["x"] * len(contents)))


@settings(deadline=None)
@given(nasty.filter(str.strip))
def test_nothing_that_is_said_is_lost(content: str) -> None:
    vocabulary = ToyVocabulary()
    text = b"".join(vocabulary.piece(token, special=True) for token in tokens_of(content))
    assert text.decode() == ChatTemplate(CHATML).render([ChatMessage("user", content)]).text


def test_marker_of_the_template_stays_one() -> None:
    assert markers(tokens_of("Hi")) == [IM_START, IM_END, IM_START]
    assert markers(tokens_of("Hi", source="{{ messages[0].content }}</think>")) == [USER_DEFINED_CLOSE]


@pytest.mark.parametrize("source", [CHATML, "{{ bos_token }}" + CHATML])
def test_there_is_one_begin_token_if_the_model_wants_one(source: str) -> None:
    tokens = tokens_of("Hi", source=source, adds_bos=True)
    assert tokens[:2] == [BOS, IM_START]
    assert tokens.count(BOS) == 1


def test_model_without_begin_token_gets_none() -> None:
    assert tokens_of("Hi")[0] == IM_START
