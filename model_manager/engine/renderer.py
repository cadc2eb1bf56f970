"""From a request to the tokens of its prompt, and to what is known of the answer before it is made."""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from model_manager.engine.blocks import Start
from model_manager.engine.dialects import PLAIN, Dialect
from model_manager.engine.llama.vocabulary import Vocabulary
from model_manager.engine.prompts import PromptTokenizer, PromptTokens
from model_manager.engine.reasoning import Nudge
from model_manager.engine.templates import ChatTemplate
from model_manager.errors import RequestRefused
from model_manager.types import ChatRequest

DEFAULT_NUDGE: Final = "\n\nI have thought about this for long enough. Time to come to my answer.\n\n"
"""What a model is made to think when its soft limit is reached."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A prompt, and how what follows it is to be read.

    Attributes:
        start: Where in its turn the model goes on.
        nudge: What it is to be told, and when.
        call_lead: Tokens that make it call a tool, once it has thought.
        call_leads_within: The rest of them behind a marker by which it begins a section of calls itself.
        primed: What was put into its mouth already, as tokens and their texts.
        dropped_reasoning_tokens: Of earlier answers, left out.
    """

    prompt: PromptTokens
    dialect: Dialect = PLAIN
    start: Start = "turn"
    nudge: Nudge | None = None
    call_lead: tuple[int, ...] = ()
    call_leads_within: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    primed: tuple[tuple[int, str], ...] = ()
    dropped_reasoning_tokens: int = 0


class Renderer:
    """Renders for one model; any thread may use it."""

    def __init__(
        self, template: ChatTemplate, dialect: Dialect, tokenizer: PromptTokenizer, vocabulary: Vocabulary
    ) -> None:
        self._template = template
        self._dialect = dialect
        self._tokenizer = tokenizer
        self._vocabulary = vocabulary

    def render(self, chat: ChatRequest, effort: str | None) -> Rendered:
        """The prompt of a chat.

        Raises:
            EmptyPrompt, TemplateFailed, ToolsUnsupported, NoVision, ImageRefused: Nothing can be answered.
            RequestRefused: A tool must be called, and it is not known how.
        """
        prompt = self._template.render(
            chat.messages,
            chat.thinking,
            effort,
            continues=chat.continues,
            tools=chat.tools,
            history=chat.reasoning_history,
        )
        tokens = self._tokenizer.tokenize(prompt)
        start = prompt.start
        family = self._dialect.family
        lead_text = self._call_lead(chat)
        lead = self._tokens(lead_text)
        primed: tuple[tuple[int, str], ...] = ()
        if chat.think_budget_tokens == 0 or chat.thinking == "off":
            if start == "reasoning":
                # Nothing is sampled before the first token, so no budget could end it in time; and a prompt
                # that opens the reasoning all the same has no switch.
                tokens.tokens.extend(self._dialect.feed)
                start = "answer"
            elif start == "turn" and family.style in ("harmony", "recipients") and not chat.tools:
                # Such a model has no switch, but it can be begun with its answer.
                tokens.tokens.extend(self._tokens(family.answer_lead))
                start = "answer"
        if lead and start != "reasoning":
            tokens.tokens.extend(lead)
            primed = self._spelled(lead)
            lead = ()
        return Rendered(
            tokens,
            self._dialect,
            start,
            self._nudge(chat),
            lead,
            self._leads_within(lead_text),
            primed,
            sum(len(self._vocabulary.tokenize(text, special=False)) for text in prompt.dropped_reasoning),
        )

    def _tokens(self, text: str) -> tuple[int, ...]:
        return tuple(self._vocabulary.tokenize(text, special=True))

    def _nudge(self, chat: ChatRequest) -> Nudge | None:
        if chat.think_nudge_tokens is None or not self._dialect.thinks:
            return None
        text = chat.think_nudge_text or DEFAULT_NUDGE
        return Nudge(chat.think_nudge_tokens, tuple(self._vocabulary.tokenize(text, special=False)))

    def _call_lead(self, chat: ChatRequest) -> str:
        """What makes the model call a tool where it must; "" elsewhere.

        Raises:
            RequestRefused: It is not known how.
        """
        if chat.tool_choice.mode != "required" or not chat.tools:
            return ""
        name = chat.tool_choice.name or (chat.tools[0].name if len(chat.tools) == 1 else "")
        lead = self._dialect.family.call_lead(name)
        if not lead:
            raise RequestRefused(400, "tool_choice: it is not known how this model is made to call a tool")
        return lead

    def _leads_within(self, lead: str) -> dict[str, tuple[int, ...]]:
        tools = self._dialect.family.tools
        openings = [opening for opening in (tools.opens if tools else ()) if opening in lead]
        return {opening: self._tokens(lead.partition(opening)[2]) for opening in openings}

    def _spelled(self, tokens: Sequence[int]) -> tuple[tuple[int, str], ...]:
        """Tokens with the characters that each completes."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        return tuple((token, decoder.decode(self._vocabulary.piece(token))) for token in tokens)
