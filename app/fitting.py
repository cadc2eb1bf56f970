"""Making a long conversation fit: the oldest turns are left out of the prompt, or a summary stands for them.

Only the prompt of one answer is changed; the conversation keeps every word.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from app.engines import Engine
from app.orders import Fit
from model_manager.engine.client import Cancel
from model_manager.errors import EngineError
from model_manager.types import ChatMessage, ChatRequest, SamplingParams, TextDelta

log = logging.getLogger(__name__)

PROMPT_SHARE = 0.5
"""Of the context, for the prompt: the rest is for the answer and for the turns after it."""

SUMMARY_TOKENS = 256
SUMMARY_ORDER = (
    "Summarize the conversation below in at most 120 words. Keep names, numbers and decisions; "
    "write plain sentences, in the language of the conversation.\n\n"
)
SUMMARY_HEADING = "Summary of the conversation so far:"

_TURN_TOKENS = 8  # what a template puts around a message
_CHARACTERS_PER_TOKEN = 3  # for engines that do not count


def shortened(request: ChatRequest, fit: Fit, engine: Engine, cancel: Cancel) -> ChatRequest:
    """The request with as many of its oldest turns left out as needed for half the context; `fit` says how.

    Args:
        request: The whole conversation.
        fit: "all" changes nothing.
        engine: Counts, and writes the summary.
        cancel: Ends the summary, too.

    Raises:
        EngineError: The engine could not summarize.
    """
    if fit == "all":
        return request
    leading = [message for message in request.messages if message.role == "system"]
    turns = [message for message in request.messages if message.role != "system"]
    n_last = 2 if request.continues else 1
    n_dropped = _n_dropped(leading, turns, n_last, engine)
    if n_dropped == 0:
        return request
    dropped, kept = turns[:n_dropped], turns[n_dropped:]
    log.info("%d of %d turns are left out of the prompt", n_dropped, len(turns))
    if fit == "summary":
        summary = f"{SUMMARY_HEADING}\n{_summary(dropped, engine, cancel, request.conversation)}"
        before = leading[0].content if leading else ""
        leading = [ChatMessage("system", f"{before}\n\n{summary}".strip()), *leading[1:]]
    return replace(request, messages=(*leading, *kept))


def _n_dropped(
    leading: Sequence[ChatMessage], turns: Sequence[ChatMessage], n_last: int, engine: Engine
) -> int:
    """How many turns must go; what is left begins with a question, and the last `n_last` always stay."""
    sizes = [_n_tokens(message, engine) for message in turns]
    budget = int((engine.info.n_ctx_tokens or sum(sizes)) * PROMPT_SHARE)
    budget -= sum(_n_tokens(message, engine) for message in leading)
    n_dropped = 0
    while n_dropped < len(turns) - n_last and sum(sizes[n_dropped:]) > budget:
        n_dropped += 1
        while n_dropped < len(turns) - n_last and turns[n_dropped].role != "user":
            n_dropped += 1
    return n_dropped


def _n_tokens(message: ChatMessage, engine: Engine) -> int:
    text = message.content + message.reasoning
    try:
        return len(engine.client.tokenize(text)) + _TURN_TOKENS
    except EngineError:  # a server of another kind
        return len(text) // _CHARACTERS_PER_TOKEN + _TURN_TOKENS


def _summary(turns: Sequence[ChatMessage], engine: Engine, cancel: Cancel, conversation: str) -> str:
    text = "\n\n".join(f"{turn.role}: {turn.content}" for turn in turns)
    room = int((engine.info.n_ctx_tokens or 4096) * PROMPT_SHARE) * _CHARACTERS_PER_TOKEN
    request = ChatRequest(
        (ChatMessage("user", SUMMARY_ORDER + text[-room:]),),
        SamplingParams(temperature=0.0, max_tokens=SUMMARY_TOKENS),
        thinking="off",
        think_budget_tokens=0,
        conversation=conversation,
    )
    events = engine.client.chat(request, cancel)
    return "".join(event.text for event in events if isinstance(event, TextDelta)).strip()
