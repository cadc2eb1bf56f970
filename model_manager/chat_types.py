"""What is said in a chat: messages, tools, and the pieces in which an answer arrives. See `types`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class PromptImage:
    """An image in a message.

    Attributes:
        offset: Characters of the message's content that stand before it.
        data: A whole PNG, JPEG, GIF or BMP file.
    """

    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that a model may call.

    Attributes:
        parameters: JSON schema of an object; empty for a function without arguments.
        strict: Arguments must meet it.
    """

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    strict: bool = False


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """Whether a model may call tools, or must.

    Attributes:
        name: The tool that must be called; "" for any.
    """

    mode: Literal["none", "auto", "required"] = "auto"
    name: str = ""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that a model made.

    Attributes:
        id: What the answer to it refers to.
        arguments: The text of a JSON object, as the model wrote it; it may be broken.
    """

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One turn of a prompt.

    Attributes:
        images: In the order of their offsets.
        reasoning: The trace that preceded an assistant's `content`; the template decides whether it is kept.
        tool_calls: What an assistant called after its `content`.
        tool_call_id: Which call a message of the role "tool" answers.
    """

    role: Role
    content: str
    reasoning: str = ""
    images: tuple[PromptImage, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """More of the reasoning."""

    text: str


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A tool call begins, or more of its arguments.

    Attributes:
        index: Which call of the answer.
        id: Only in the first delta of a call, like `name`.
        arguments: More of the text of a JSON object.
    """

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer.

    Attributes:
        cached_tokens: Those of `prompt_tokens` that were still in the context, or in a file of it.
        reasoning_tokens: Those of `completion_tokens` that belong to the reasoning.
        dropped_reasoning_tokens: Those of earlier answers' reasoning that the prompt left out, and so saved.
    """

    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    dropped_reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Likelihood:
    """One token as the model saw it.

    Attributes:
        token_id: -1 where a foreign server did not tell.
        piece: Its bytes, perhaps a part of a character.
        logprob: Natural logarithm of its probability; -9999 for an impossible one.
    """

    token_id: int
    piece: bytes
    logprob: float


@dataclass(frozen=True, slots=True)
class TokenLogprobs:
    """How likely a token of the answer was; comes before the text of the token, if it was asked for.

    Attributes:
        top: The most likely ones at its place, the likeliest first; the chosen one may be among them.
    """

    chosen: Likelihood
    top: tuple[Likelihood, ...] = ()


@dataclass(frozen=True, slots=True)
class Guesses:
    """Tokens that were guessed ahead in one answer.

    Attributes:
        n_drafted: Those that were checked.
        n_accepted: Those that were right, so that they are in the answer.
    """

    n_drafted: int
    n_accepted: int


@dataclass(frozen=True, slots=True)
class Timings:
    """Speed of one answer; None where nothing was measured (no token was decoded, say).

    Attributes:
        ttft_ms: From the arrival of the request in the engine to its first token.
    """

    ttft_ms: float | None
    prefill_tokens_per_s: float | None
    decode_tokens_per_s: float | None


@dataclass(frozen=True, slots=True)
class PrefillProgress:
    """The engine is reading the prompt; also the sign of life during a long prefill."""

    done_tokens: int
    total_tokens: int
