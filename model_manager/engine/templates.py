r"""A model's chat template: from messages to prompt text in which every piece knows where it came from.

The template never sees what people wrote. It is rendered with a stand-in for each text, and the stand-ins
are replaced afterwards, so a message can neither steer the template nor be mistaken for its markers:

    messages   -> [{"role": "user", "content": "<stand-in 0>"}, ...]
    rendering  -> "<|im_start|>user\n<stand-in 0><|im_end|>\n<|im_start|>assistant\n"
    prompt     -> (Segment("<|im_start|>user\n", trusted), Segment("Hello", not trusted), ...)

`prompts` then tokenizes the two kinds differently. Whitespace at both ends of a text stays visible to
the template, because many trim it.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from model_manager.engine.blocks import Start
from model_manager.engine.families import Family, family_of
from model_manager.engine.sandbox import MAX_SOURCE_CHARS, CompiledTemplate
from model_manager.errors import EmptyPrompt, TemplateFailed
from model_manager.types import ChatMessage, PromptImage, Thinking

log = logging.getLogger(__name__)

CHATML: Final = (
    "{% for message in messages %}"
    "<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""For models without a template of their own, as llama.cpp does."""

RETRY_WITHIN_S: Final = 0.5
"""A template that takes longer is not tried in other ways: it would hang again."""

SWITCHES: Final[Mapping[str, tuple[Any, Any]]] = {
    "enable_thinking": (True, False),
    "thinking": (True, False),
}
"""Template variables that turn thinking on and off."""
EFFORTS: Final = ("reasoning_effort", "thinking_effort")
"""Template variables that say how much to think."""

# Characters of the supplementary private use area: they have no case, are not whitespace, and survive JSON.
_BEGIN: Final = "\U000f5e1a"
_END: Final = "\U000f5e1b"


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a prompt.

    Attributes:
        is_trusted: It comes from the template, so markers in it are markers; else they are mere text.
        image: The bytes of an image that stands here in place of a text.
    """

    text: str
    is_trusted: bool
    image: bytes | None = None


@dataclass(frozen=True, slots=True)
class RenderedPrompt:
    """A prompt before it is tokenized.

    Attributes:
        start: Where in its turn the model is to go on; "reasoning" if the prompt has opened it already.
    """

    segments: tuple[Segment, ...]
    start: Start = "turn"

    @property
    def text(self) -> str:
        """The whole prompt as one string; for people and tests, tokenize the segments instead."""
        return "".join(segment.text for segment in self.segments)


class ChatTemplate:
    """A compiled template; any number of threads may render it.

    Attributes:
        family: How its model writes reasoning and tool calls.
        switches: Which of its variables turn thinking on and off or set its effort.
    """

    def __init__(self, source: str | None, *, bos_text: str = "", eos_text: str = "") -> None:
        """Compile.

        Args:
            source: Jinja text; None or blank takes ChatML.
            bos_text: The text of the model's begin-of-sequence token.
            eos_text: The same of its end-of-sequence token.

        Raises:
            TemplateFailed: It is not a template, or too large.
        """
        self.source = source if source is not None and source.strip() else CHATML
        if len(self.source) > MAX_SOURCE_CHARS:
            raise TemplateFailed(f"the template has {len(self.source)} characters")
        self._bos_text = bos_text
        self._eos_text = eos_text
        self._template = CompiledTemplate(self.source)
        self.switches = self._template.variables & {*SWITCHES, *EFFORTS}
        self.family: Family = family_of(self.source)

    @property
    def can_think(self) -> bool:
        """Whether it opens, keeps or switches a thinking block."""
        return self.family.reasoning is not None or bool(self.switches)

    def render(
        self,
        messages: Sequence[ChatMessage],
        thinking: Thinking = "auto",
        effort: str | None = None,
        *,
        continues: bool = False,
    ) -> RenderedPrompt:
        """Make the prompt that asks for the next turn of the assistant.

        A system message that the template refuses or drops is put in front of the first user message; a
        template that wants a message's content in parts gets it in parts.

        Args:
            messages: The conversation, the last one to be answered.
            thinking: "auto" leaves the template's own default.
            effort: Value for a template that takes a reasoning effort; None lets the template choose.
            continues: The last message is the assistant's and not finished: its next word is asked for.

        Raises:
            EmptyPrompt: The last message that is not a system message has no text, or there is none.
            TemplateFailed: The template raised, went over a limit, or leaves messages out.
        """
        if continues:
            return self._continued(self.render(messages[:-1], thinking, effort), messages[-1])
        said = [message for message in messages if message.role != "system"]
        if not said or not (said[-1].content.strip() or said[-1].images):
            raise EmptyPrompt
        variables = self._variables(thinking, effort)
        failure: TemplateFailed | None = None
        began_s = time.monotonic()
        for attempt in self._attempts(messages):
            try:
                return self._render(attempt.messages, variables, in_parts=attempt.in_parts)
            except TemplateFailed as error:
                failure = failure or error
            if time.monotonic() - began_s > RETRY_WITHIN_S:
                break
        assert failure is not None
        raise failure

    def _attempts(self, messages: Sequence[ChatMessage]) -> list[_Attempt]:
        attempts = [_Attempt(messages, in_parts=False), _Attempt(messages, in_parts=True)]
        merged = _merge_system(messages)
        if merged is not None:
            attempts += [_Attempt(merged, in_parts=False), _Attempt(merged, in_parts=True)]
        return attempts

    def _variables(self, thinking: Thinking, effort: str | None) -> dict[str, Any]:
        # `tools` and `documents` stay undefined: some templates that come with tools loop over them unasked.
        variables: dict[str, Any] = {"bos_token": self._bos_text, "eos_token": self._eos_text}
        # Some demand these two, as Fireworks' server gives them.
        variables["functions"] = ""
        if "datetime" in self._template.variables:
            variables["datetime"] = datetime.now().strftime("%b %d %Y")
        if thinking != "auto":
            for name in self.switches & SWITCHES.keys():
                variables[name] = SWITCHES[name][0 if thinking == "on" else 1]
        if effort is not None:
            for name in self.switches.intersection(EFFORTS):
                variables[name] = effort
        return variables

    def _render(
        self, messages: Sequence[ChatMessage], variables: Mapping[str, Any], *, in_parts: bool
    ) -> RenderedPrompt:
        stand_ins = _StandIns()
        plain: list[dict[str, Any]] = []
        required: list[int] = []
        for message in messages:
            content, numbers = stand_ins.add_content(message)
            if message.role != "assistant":
                required += numbers
            turn: dict[str, Any] = {
                "role": message.role,
                "content": [{"type": "text", "text": content}] if in_parts else content,
            }
            if message.role == "assistant" and message.reasoning:
                turn["reasoning_content"] = stand_ins.add(message.reasoning)
            plain.append(turn)
        values = {**variables, "messages": plain, "add_generation_prompt": True}
        text = self._template.render(values)
        segments = stand_ins.replace(text)
        used = stand_ins.used(text)
        if [number for number in used if number in required] != required:
            raise TemplateFailed("the template leaves out, repeats or reorders messages")
        return RenderedPrompt(segments, self._start(segments))

    def _continued(self, prompt: RenderedPrompt, begun: ChatMessage) -> RenderedPrompt:
        """A prompt with what the assistant has said already; inside its reasoning where it got no further."""
        family = self.family
        segments = list(prompt.segments)
        start = prompt.start
        if begun.reasoning and family.reasoning is not None:
            if start != "reasoning":
                segments = self._without_empty_block(segments)
                segments.append(Segment(family.opening_text, is_trusted=True))
            segments.append(Segment(begun.reasoning, is_trusted=False))
            start = "reasoning"
        if begun.content or start != "reasoning":
            lead = family.closing_text if start == "reasoning" else family.answer_lead
            segments += [Segment(lead, is_trusted=True), Segment(begun.content, is_trusted=False)]
            start = "answer"
        return RenderedPrompt(tuple(segment for segment in segments if segment.text or segment.image), start)

    def _without_empty_block(self, segments: list[Segment]) -> list[Segment]:
        """Take back the empty reasoning by which a prompt keeps a model from thinking."""
        pair = self.family.reasoning
        if pair is None or not segments or not segments[-1].is_trusted:
            return segments
        empty = re.compile(rf"(?:{re.escape(pair.opening)}\s*)?{re.escape(pair.closing)}\s*$")
        return [*segments[:-1], replace(segments[-1], text=empty.sub("", segments[-1].text))]

    def _start(self, segments: Sequence[Segment]) -> Start:
        """Whether the text after the last message opens a thinking block and leaves it open."""
        pair = self.family.reasoning
        if pair is None or self.family.style != "blocks" or not segments or not segments[-1].is_trusted:
            return "turn"
        tail = segments[-1].text
        return "reasoning" if tail.rfind(pair.opening) > tail.rfind(pair.closing) else "turn"


@dataclass(frozen=True, slots=True)
class _Attempt:
    messages: Sequence[ChatMessage]
    in_parts: bool


class _StandIns:
    """Texts on one side, what a template sees of them on the other."""

    def __init__(self) -> None:
        # Unguessable, so that no template can have it in its own text.
        self._nonce = str(secrets.randbits(64))
        self._pattern = re.compile(f"{_BEGIN}{self._nonce}:([0-9]+){_END}")
        self._texts: list[str] = []
        self._images: dict[int, bytes] = {}

    @property
    def last(self) -> int:
        """The number of the stand-in that was made last."""
        return len(self._texts) - 1

    def add(self, text: str) -> str:
        core = text.strip()
        self._texts.append(core)
        if not core:
            return text
        start = text.index(core)
        return f"{text[:start]}{self._stand_in(self.last)}{text[start + len(core) :]}"

    def add_content(self, message: ChatMessage) -> tuple[str, list[int]]:
        """A message's text with its images in their places, and the numbers of what is not blank."""
        pieces: list[str] = []
        numbers: list[int] = []
        start = 0
        for end, image in [*((i.offset, i.data) for i in message.images), (len(message.content), None)]:
            text = message.content[start:end]
            pieces.append(self.add(text))
            if text.strip():
                numbers.append(self.last)
            if image is not None:
                self._texts.append("")
                self._images[self.last] = image
                numbers.append(self.last)
                pieces.append(self._stand_in(self.last))
            start = end
        return "".join(pieces), numbers

    def _stand_in(self, number: int) -> str:
        return f"{_BEGIN}{self._nonce}:{number}{_END}"

    def used(self, text: str) -> list[int]:
        return [int(match[1]) for match in self._pattern.finditer(text)]

    def replace(self, text: str) -> tuple[Segment, ...]:
        """Cut rendered text into segments.

        Raises:
            TemplateFailed: A stand-in was cut, so that part of it is left.
        """
        segments: list[Segment] = []
        # With one group in the pattern, `split` alternates between text and numbers.
        for position, piece in enumerate(self._pattern.split(text)):
            if position % 2:
                number = int(piece)
                segments.append(
                    Segment(self._texts[number], is_trusted=False, image=self._images.get(number))
                )
            elif self._nonce in piece:
                raise TemplateFailed("the template cuts a message's text into pieces")
            elif piece:
                segments.append(Segment(piece, is_trusted=True))
        return tuple(segments)


def _merge_system(messages: Sequence[ChatMessage]) -> list[ChatMessage] | None:
    """Put the system message's text before the first user message; None if there is nothing to merge."""
    system = "\n\n".join(message.content for message in messages if message.role == "system")
    rest = [message for message in messages if message.role != "system"]
    if not system or not rest or rest[0].role != "user":
        return None
    first = rest[0]
    before = f"{system}\n\n"
    images = tuple(PromptImage(len(before) + image.offset, image.data) for image in first.images)
    return [ChatMessage("user", before + first.content, images=images), *rest[1:]]
