"""Values that the store takes and gives. Content is equal when its values are; identity is the store's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Role = Literal["system", "user", "assistant"]
PartKind = Literal["text", "reasoning"]
MessageStatus = Literal["complete", "streaming", "interrupted", "failed"]
TraceKind = Literal["prompt_tokens", "answer_tokens", "expert_layers", "experts", "expert_weights"]
"""Arrays that are kept beside a message; see `docs/database.md`."""


@dataclass(frozen=True, slots=True)
class Part:
    """One stretch of a message."""

    kind: PartKind
    text: str


@dataclass(frozen=True, slots=True)
class Image:
    """An image that came with a message.

    Attributes:
        name: Of its file, without folders.
        data: The whole file.
    """

    name: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PackedArray:
    """Numbers of a trace as bytes: row-major, little-endian, of the type of its kind."""

    shape: tuple[int, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Generation:
    """How an answer was made.

    Attributes:
        model_sha256: Of the model's first file; None while it has not been computed.
        parameters: Sampling parameters, seed and thinking switches, as sent.
        prompt_tokens: None until the engine has reported it; likewise all that follow.
        ttft_ms: Time to the first token.
        reasoning_ms: Wall time between the first and the last reasoning token.
        stop_reason: "stop", "length", "cancelled", "context_full" or "error".
        error: Technical text of what went wrong, for a failed or interrupted answer.
    """

    model_name: str
    model_sha256: str | None = None
    engine: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    ttft_ms: float | None = None
    prefill_tokens_per_s: float | None = None
    decode_tokens_per_s: float | None = None
    reasoning_ms: float | None = None
    stop_reason: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One node of a conversation's tree.

    Attributes:
        parent_id: None for a first message.
        sibling_ids: All messages with the same parent, oldest first, this one included: its versions.
        image_names: Of the images that came with it; `Store.images` has them whole.
    """

    id: int
    conversation_id: int
    parent_id: int | None
    role: Role
    status: MessageStatus
    created_at: datetime
    parts: tuple[Part, ...]
    generation: Generation | None = None
    sibling_ids: tuple[int, ...] = ()
    image_names: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The answer or question, without reasoning."""
        return "".join(part.text for part in self.parts if part.kind == "text")

    @property
    def reasoning(self) -> str:
        """The reasoning alone; empty where there was none."""
        return "".join(part.text for part in self.parts if part.kind == "reasoning")


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast a model answers.

    Attributes:
        n_answers: That it is the median of.
    """

    decode_tokens_per_s: float
    prefill_tokens_per_s: float | None
    n_answers: int


@dataclass(frozen=True, slots=True)
class Conversation:
    """A tree of messages and what applies to all of it.

    Attributes:
        model_name: Entry of the library; None means the one in use.
        sampling: Overrides of the defaults, by parameter name; see `docs/database.md`.
        head_id: The message whose path from the root is shown; None while there is no message.
        title_is_automatic: False once a person has named it.
    """

    id: int
    title: str
    created_at: datetime
    updated_at: datetime
    model_name: str | None = None
    system_prompt: str = ""
    sampling: Mapping[str, Any] = field(default_factory=dict)
    head_id: int | None = None
    title_is_automatic: bool = True


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A message that contains what was looked for.

    Attributes:
        snippet: A short extract; each match stands between U+E000 and U+E001 (private use, never in text).
    """

    conversation_id: int
    message_id: int
    part: PartKind
    snippet: str
    title: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A library entry as the database keeps it. `info` holds what the header said, as JSON values."""

    name: str
    paths: tuple[str, ...]
    size_bytes: int
    sha256: tuple[str, ...] | None = None
    source: str = ""
    is_ours: bool = False
    chat_template: str | None = None
    info: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredDownload:
    """A download as the database keeps it, so that it survives the program.

    Attributes:
        plan: Its files with url, path, size, sha256 and etag, as JSON values; owned by
            `model_manager.downloads`.
    """

    id: int
    ref: str
    name: str
    status: str
    plan: Mapping[str, Any]
    error: str | None = None
