"""Answers as a client sees them, of our worker and of peers alike: how fast they come."""

from __future__ import annotations

import dataclasses
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.prompts import QUESTION, QUESTION_TOKENS
from model_manager.engine.client import EngineClient
from model_manager.types import ChatFinished, ChatMessage, ChatRequest, PrefillProgress, SamplingParams

END_TOKENS = (0, 2)
"""What ends an answer of the starters; forbidden, so that every answer is as long as it should be."""


_WORDS = (
    "the", "light", "house", "stands", "on", "a", "rock", "and", "its", "keeper", "writes", "every",
    "evening", "what", "he", "saw", "of", "ships",
)  # fmt: skip


def request(n_tokens: int, text: str = QUESTION, seed: int = 1) -> ChatRequest:
    """One that is answered with exactly `n_tokens`."""
    bias = dict.fromkeys(END_TOKENS, -100.0)
    sampling = SamplingParams(temperature=0.8, seed=seed, max_tokens=n_tokens, logit_bias=bias)
    return ChatRequest(messages=(ChatMessage("user", text),), sampling=sampling)


def decode_rate(client: EngineClient, n_tokens: int) -> float:
    """Tokens a second from the first piece of text to the end of the stream."""
    first_s = None
    for event in client.chat(request(n_tokens)):
        if isinstance(event, ChatFinished):
            assert first_s is not None
            assert event.usage.completion_tokens == n_tokens, event
            assert event.usage.prompt_tokens == QUESTION_TOKENS, event
            return (n_tokens - 1) / (time.perf_counter() - first_s)
        if first_s is None and not isinstance(event, PrefillProgress):
            first_s = time.perf_counter()
    raise RuntimeError("the answer did not finish")


def first_token_s(client: EngineClient, text: str, *more: ChatMessage) -> tuple[float, int]:
    """Seconds from the request to the end of an answer of one token, and the prompt tokens computed.

    Args:
        client: Of the engine.
        text: The first question.
        more: What follows it, a question at the end.
    """
    asked = request(1, text)
    asked = dataclasses.replace(asked, messages=(*asked.messages, *more))
    began_s = time.perf_counter()
    for event in client.chat(asked):
        if isinstance(event, ChatFinished):
            elapsed_s = time.perf_counter() - began_s
            return elapsed_s, event.usage.prompt_tokens - event.usage.cached_tokens
    raise RuntimeError("the answer did not finish")


def summed_rate(client: EngineClient, n_streams: int, n_tokens: int, *, from_request: bool = False) -> float:
    """Tokens a second of equal chats at once, until the end of the last answer.

    Args:
        client: Whom to ask.
        n_streams: How many chats.
        n_tokens: How long each answer is.
        from_request: Measure from the first request on and not from the first piece of text: for a peer that
            answers one after the other.
    """
    gate = threading.Barrier(n_streams + 1)

    def chat(seed: int) -> float:
        gate.wait()
        first_s = None
        for event in client.chat(request(n_tokens, seed=seed)):
            if first_s is None and not isinstance(event, PrefillProgress):
                first_s = time.perf_counter()
        assert isinstance(event, ChatFinished)
        assert first_s is not None
        return first_s

    with ThreadPoolExecutor(n_streams) as pool:
        running = [pool.submit(chat, seed) for seed in range(n_streams)]
        gate.wait()
        began_s = time.perf_counter()
        first_s = min(answer.result() for answer in running)
        ended_s = time.perf_counter()
    if from_request:
        return n_streams * n_tokens / (ended_s - began_s)
    return n_streams * (n_tokens - 1) / (ended_s - first_s)


def words(n_words: int, seed: int) -> str:
    """Plain prose of a given length that shares no beginning with that of another seed."""
    state = seed * 2654435761 % 2**32
    chosen = []
    for _ in range(n_words):
        state = (state * 1664525 + 1013904223) % 2**32
        chosen.append(_WORDS[(state >> 16) % len(_WORDS)])
    return " ".join(chosen)
