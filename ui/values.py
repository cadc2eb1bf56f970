"""Values that only the window needs: what a widget shows or what a person asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from storage.records import Filter

NoticeLevel = Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Notice:
    """One sentence with what can be done about it: one button, or a choice of ways.

    Attributes:
        action: Label of the button; empty for none.
        action_id: What the window emits in `notice_action_requested` when the button is pressed.
        detail: Technical small print, behind "Details".
        choices: Further ways, as pairs of a label and what the window emits.
    """

    level: NoticeLevel
    sentence: str
    action: str = ""
    action_id: str = ""
    detail: str = ""
    choices: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ConversationSettings:
    """What a person may set for one conversation.

    Attributes:
        sampling: Overrides by parameter name ("temperature", "top_p", "max_tokens", "thinking", ...); a name
            that is absent takes the default.
    """

    title: str
    system_prompt: str = ""
    sampling: Mapping[str, Any] = field(default_factory=dict)


ShelvingAction = Literal["pin", "unpin", "archive", "unarchive", "move", "tag", "untag"]


@dataclass(frozen=True, slots=True)
class Shelving:
    """Where a person wants a conversation to stand, in the words of the command line.

    Attributes:
        name: Of the tag; path of the folder, "" for none.
    """

    conversation_id: int
    action: ShelvingAction
    name: str = ""


@dataclass(frozen=True, slots=True)
class Search:
    """What a person looks for; without a text, the filter is of the list of conversations.

    Attributes:
        order: What comes first of what contains the text.
    """

    text: str = ""
    where: Filter = field(default_factory=Filter)
    order: Literal["newest", "relevance"] = "newest"


@dataclass(frozen=True, slots=True)
class Choices:
    """What there is to choose from, for menus and filters; all by name.

    Attributes:
        folders: Their paths.
        models: That wrote an answer, whether they are still in the library or not.
    """

    folders: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ComparedText:
    """Two texts beside each other.

    Attributes:
        similarity: Share of the characters that both have, 0 to 1.
        first, second: The whole text in stretches, each with whether only this one has it.
    """

    part: Literal["reasoning", "text"]
    similarity: float
    first: tuple[tuple[str, bool], ...]
    second: tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two answers beside each other.

    Attributes:
        facts: A label, and what it says of the first and of the second.
    """

    first_id: int
    second_id: int
    facts: tuple[tuple[str, str, str], ...]
    texts: tuple[ComparedText, ...]


@dataclass(frozen=True, slots=True)
class StreamUpdate:
    """What a streaming answer has become; replaces what was shown of it before.

    Attributes:
        phase: "prefill" until the first token, then what the newest token belongs to.
        prefill_permille: Progress of reading the prompt while `phase` is "prefill".
        reasoning_s: Running time of the reasoning; final once `phase` is "text".
    """

    message_id: int
    phase: Literal["prefill", "reasoning", "text"]
    reasoning: str = ""
    text: str = ""
    prefill_permille: int = 0
    reasoning_tokens: int = 0
    reasoning_s: float = 0.0
    completion_tokens: int = 0
    tokens_per_s: float | None = None
