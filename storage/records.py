"""Values that the store takes and gives. Content is equal when its values are; identity is the store's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Role = Literal["system", "user", "assistant"]
PartKind = Literal["text", "reasoning", "tool_call", "tool_result", "image", "file"]
MessageStatus = Literal["complete", "streaming", "interrupted", "failed"]
ThoughtOrder = Literal["newest", "tokens", "time", "rate", "share"]
TraceKind = Literal[
    "prompt_tokens",
    "answer_tokens",
    "expert_layers",
    "experts",
    "expert_weights",
    "logprobs",
    "top_tokens",
    "top_logprobs",
]
"""Arrays that are kept beside a message; see `docs/database.md`."""
FoundIn = Literal["text", "reasoning", "tool_call", "tool_result", "file", "title"]
"""Where a word was found: in a kind of part or in a title; of a file or image, in its name or its text."""
Rating = Literal[1, -1]
"""A person's opinion of an answer: good or bad."""


@dataclass(frozen=True, slots=True)
class Part:
    """One stretch of a message, or something that came with it.

    Attributes:
        text: Of a tool call its arguments as JSON; of a file the words in it, as far as they are known; of an
            image nothing.
        name: Of the tool, or of the file or image without folders.
        call_id: What a tool call and its result have in common.
        data: The whole image or file; None where it is not there, and in a `Message`, which is read without:
            `Parts.attachments` has it.
    """

    kind: PartKind
    text: str = ""
    name: str = ""
    call_id: str = ""
    data: bytes | None = field(default=None, repr=False)


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
        load_plan: How the model was loaded, as far as it was not the default; None for a model elsewhere.
        template_sha256: Of the chat template that made the prompt; None where it is not known.
        think_budget_tokens: Most reasoning that was allowed; None for no limit.
        thinking_ended_by: "model", "budget", "person" (who wanted the answer now) or "limit" (the end of the
            answer itself); None where there was no reasoning, or nobody told.
        energy_j: Of processor and cards while it was made, with all that ran besides, as far as each can be
            read; None where none can.
        effort: How hard it was asked to think, such as "low"; None where nothing was said, or the template of
            the model has no word for it.
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
    load_plan: Mapping[str, Any] | None = None
    template_sha256: str | None = None
    think_budget_tokens: int | None = None
    thinking_ended_by: str | None = None
    energy_j: float | None = None
    effort: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One node of a conversation's tree.

    Attributes:
        parent_id: None for a first message.
        sibling_ids: All messages with the same parent, oldest first, this one included: its versions.
        rating: What a person thinks of it; None where nobody said.
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
    rating: Rating | None = None

    @property
    def text(self) -> str:
        """The answer or question, without reasoning."""
        return "".join(part.text for part in self.parts if part.kind == "text")

    @property
    def reasoning(self) -> str:
        """The reasoning alone; empty where there was none."""
        return "".join(part.text for part in self.parts if part.kind == "reasoning")

    @property
    def attached(self) -> tuple[Part, ...]:
        """The images and files that came with it, without their bytes."""
        return tuple(part for part in self.parts if part.kind in ("image", "file"))


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
class Thought:
    """How long a model thought before an answer; the text is part of the message.

    Attributes:
        reasoning_tokens: Of the thinking.
        completion_tokens: Of all that was written, thinking included.
        reasoning_ms: Wall time between its first and its last token; None where it was not measured.
        think_budget_tokens: Most tokens that it was allowed; None: as many as it wanted.
        thinking_ended_by, effort: See `Generation`.
    """

    message_id: int
    conversation_id: int
    title: str
    created_at: datetime
    model_name: str
    reasoning_tokens: int
    completion_tokens: int | None
    reasoning_ms: float | None
    think_budget_tokens: int | None
    thinking_ended_by: str | None
    effort: str | None = None

    @property
    def share(self) -> float | None:
        """Part of all tokens that were written, 0 to 1."""
        return self.reasoning_tokens / self.completion_tokens if self.completion_tokens else None

    @property
    def tokens_per_s(self) -> float | None:
        """How fast it went."""
        return 1000 * self.reasoning_tokens / self.reasoning_ms if self.reasoning_ms else None


@dataclass(frozen=True, slots=True)
class Cost:
    """What the answers of a model took together.

    Attributes:
        prompt_tokens: Of all prompts; each turn reads the ones before it again.
        cached_tokens: Those of the prompts that were still there.
        completion_tokens: Written, thinking included.
        duration_s: From question to end, waiting included.
        energy_j: Of the processor's packages; None where it could never be read.
    """

    model_name: str
    n_answers: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    duration_s: float
    energy_j: float | None


@dataclass(frozen=True, slots=True)
class Conversation:
    """A tree of messages and what applies to all of it.

    Attributes:
        model_name: Entry of the library; None means the one in use.
        sampling: Overrides of the defaults, by parameter name; see `docs/database.md`.
        head_id: The message whose path from the root is shown; None while there is no message.
        title_is_automatic: False once a person has named it.
        folder: Path of its folder; empty outside of all.
        archived_at: None while it is in the list.
        deleted_at: When it was put into the trash; None where it was not.
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
    folder: str = ""
    tags: tuple[str, ...] = ()
    is_pinned: bool = False
    archived_at: datetime | None = None
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which conversations and messages are meant; what is None, or empty, does not matter.

    Attributes:
        since, until: The message, or for a list the conversation's newest one, is not older and not newer.
        model: It wrote the answer; for a list, one of the answers.
        folder: The conversation is in it or below it; "" is outside of all folders.
        tags: The conversation has all of them.
        is_archived: False leaves out what is in the archive, True everything else.
        is_in_trash: Only what is in the trash; it is left out otherwise.
        conversation_id: Of this one alone.
        role, part, rating: Of messages; a list of conversations has them that hold such a message.
    """

    since: datetime | None = None
    until: datetime | None = None
    model: str | None = None
    folder: str | None = None
    tags: tuple[str, ...] = ()
    is_pinned: bool | None = None
    is_archived: bool | None = None
    is_in_trash: bool = False
    conversation_id: int | None = None
    role: Role | None = None
    part: FoundIn | None = None
    rating: Rating | None = None


@dataclass(frozen=True, slots=True)
class Folder:
    """A place for conversations.

    Attributes:
        path: Names from the outermost to this one, joined by "/".
        n_conversations: In it, and not below it; those in the trash do not count.
    """

    path: str
    n_conversations: int


@dataclass(frozen=True, slots=True)
class Tag:
    """A word that conversations were marked with; those in the trash do not count."""

    name: str
    n_conversations: int


@dataclass(frozen=True, slots=True)
class Prompt:
    """Something to begin conversations with: a system prompt; with a model or parameters, a persona.

    Attributes:
        text: The system prompt.
        model_name: Entry of the library; None means the one in use.
        sampling: Overrides of the defaults, by parameter name.
    """

    name: str
    text: str
    model_name: str | None = None
    sampling: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A message, or a conversation by its title, that contains what was looked for.

    Attributes:
        message_id: Of a title: the message that its conversation shows at the end.
        part: Where it was found.
        created_at: Of the message; of a title, when its conversation was used last.
        snippet: A short extract; each match stands between U+E000 and U+E001 (private use, never in text).
    """

    conversation_id: int
    message_id: int
    part: FoundIn
    snippet: str
    title: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A library entry as the database keeps it.

    Attributes:
        info: What the header said, and wishes, as JSON values.
        looks: Size and modification time (nanoseconds) of each file when its header was read.
        verification, moving: JSON values that `model_manager` owns.
        home: The folder that the program moved the files to; empty for the models folder.
    """

    name: str
    paths: tuple[str, ...]
    size_bytes: int
    sha256: tuple[str, ...] | None = None
    source: str = ""
    is_ours: bool = False
    chat_template: str | None = None
    info: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    note: str = ""
    looks: tuple[tuple[int, int], ...] = ()
    verification: Mapping[str, Any] | None = None
    home: str = ""
    moving: Mapping[str, Any] | None = None


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
