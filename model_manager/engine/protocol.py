"""What a worker is asked: OpenAI's chat completions and what we add to them.

Everything here is documented for people in docs/api.md. Fields that we do not know are ignored, as clients
of other programs and other versions send them. The bodies that are made by us are in `bodies`, so that the
client does without the library that checks what comes from outside.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from model_manager.engine.checking import refusal
from model_manager.engine.images import from_data_url
from model_manager.engine.response_formats import ResponseFormat
from model_manager.engine.tool_requests import (
    MAX_TOOLS,
    RequestToolCall,
    ToolChoiceField,
    ToolDefinition,
    to_offer,
    to_tools,
)
from model_manager.errors import ImageRefused
from model_manager.types import (
    ChatMessage,
    ChatRequest,
    OutputFormat,
    PromptImage,
    ReasoningHistory,
    SamplingParams,
    Thinking,
)

MAX_STOP_STRINGS: Final = 16
MAX_NUDGE_CHARS: Final = 2000
MAX_CHOICES: Final = 16
MAX_TOP_LOGPROBS: Final = 20
MAX_BODY_BYTES: Final = 64 * 1024 * 1024

EXTENSION_REQUEST_FIELDS: Final = (
    "top_k",
    "min_p",
    "repeat_penalty",
    "top_n_sigma",
    "xtc_probability",
    "xtc_threshold",
    "dry_multiplier",
    "dry_base",
    "dry_allowed_length",
    "min_tokens",
    "ignore_eos",
    "grammar",
    "thinking",
    "think_budget_tokens",
    "chat_template_kwargs",
    "continue_final_message",
    "add_generation_prompt",
    "think_nudge_tokens",
    "think_nudge_text",
    "reasoning_history",
    "return_progress",
    "request_id",
    "return_tokens",
    "return_routing",
    "conversation",
    "prompt",
)
"""What a request may carry beyond OpenAI's schema."""

UNSUPPORTED_FIELDS: Final[Mapping[str, str]] = {
    "functions": "functions became tools",
    "audio": "only text can be made",
    "prediction": "predicted output is not supported",
    "web_search_options": "web search is not supported",
}
"""Fields of OpenAI's schema that are refused when they ask for something."""


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class TextPart(_Lenient):
    """Text in a message's content; parts of other types than these are refused."""

    type: Literal["text"]
    text: str


class ImageUrl(_Lenient):
    """Where an image is: a `data:` URL, as nothing is fetched."""

    url: str


class ImagePart(_Lenient):
    """An image in a message's content."""

    type: Literal["image_url"]
    image_url: ImageUrl


class RefusalPart(_Lenient):
    """What an assistant said in place of an answer; OpenAI's models mark it."""

    type: Literal["refusal"]
    refusal: str


ContentPart = Annotated[TextPart | ImagePart | RefusalPart, Field(discriminator="type")]


class RequestMessage(_Lenient):
    """One message of a request."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[ContentPart] | None = None
    reasoning_content: str | None = None
    tool_calls: list[RequestToolCall] | None = None
    tool_call_id: str | None = None

    def to_message(self) -> ChatMessage:
        """As the rest of the program knows it."""
        content = ""
        images: list[PromptImage] = []
        for part in (
            [TextPart(type="text", text=self.content)]
            if isinstance(self.content, str)
            else self.content or []
        ):
            if isinstance(part, TextPart):
                content += part.text
            elif isinstance(part, RefusalPart):
                content += part.refusal
            elif self.role != "user":
                raise ImageRefused("only messages of the user may hold images")
            else:
                images.append(PromptImage(len(content), from_data_url(part.image_url.url)))
        role = "system" if self.role == "developer" else self.role
        return ChatMessage(
            role,
            content,
            self.reasoning_content or "",
            tuple(images),
            tuple(call.to_call() for call in self.tool_calls or ()) if role == "assistant" else (),
            self.tool_call_id or "",
        )


class StreamOptions(_Lenient):
    """OpenAI's options for a stream."""

    include_usage: bool = False


class TemplateSwitches(_Lenient):
    """The template variables that other servers let a request set."""

    enable_thinking: bool | None = None
    thinking: bool | None = None
    reasoning_effort: str | None = None


_Finite = Annotated[float, Field(allow_inf_nan=False)]


class ChatCompletionRequest(_Lenient):
    """The body of `POST /v1/chat/completions`. None everywhere means: the engine's default."""

    messages: list[RequestMessage] = []
    model: str = ""
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: Annotated[int, Field(ge=1, le=MAX_CHOICES)] | None = None
    temperature: Annotated[_Finite, Field(ge=0, le=100)] | None = None
    top_p: Annotated[_Finite, Field(gt=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    stop: str | list[str] | None = None
    presence_penalty: Annotated[_Finite, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[_Finite, Field(ge=-2, le=2)] | None = None
    logit_bias: dict[int, Annotated[_Finite, Field(ge=-100, le=100)]] | None = None
    seed: int | None = None
    reasoning_effort: str | None = None
    response_format: ResponseFormat | None = None
    tools: Annotated[list[ToolDefinition], Field(max_length=MAX_TOOLS)] | None = None
    tool_choice: ToolChoiceField | None = None
    parallel_tool_calls: bool | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=MAX_TOP_LOGPROBS)] | None = None

    top_k: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    min_p: Annotated[_Finite, Field(ge=0, le=1)] | None = None
    repeat_penalty: Annotated[_Finite, Field(gt=0, le=100)] | None = None
    top_n_sigma: Annotated[_Finite, Field(ge=0, le=100)] | None = None
    xtc_probability: Annotated[_Finite, Field(ge=0, le=1)] | None = None
    xtc_threshold: Annotated[_Finite, Field(ge=0, le=0.5)] | None = None
    dry_multiplier: Annotated[_Finite, Field(ge=0, le=100)] | None = None
    dry_base: Annotated[_Finite, Field(ge=1, le=100)] | None = None
    dry_allowed_length: Annotated[int, Field(ge=1, le=1024)] | None = None
    min_tokens: Annotated[int, Field(ge=0)] = 0
    ignore_eos: bool = False
    grammar: Annotated[str, Field(min_length=1)] | None = None
    thinking: Thinking | None = None
    think_budget_tokens: Annotated[int, Field(ge=0)] | None = None
    think_nudge_tokens: Annotated[int, Field(ge=1)] | None = None
    think_nudge_text: Annotated[str, Field(max_length=MAX_NUDGE_CHARS)] = ""
    reasoning_history: ReasoningHistory = "template"
    chat_template_kwargs: TemplateSwitches | None = None
    continue_final_message: bool = False
    add_generation_prompt: bool | None = None
    return_progress: bool = False
    return_tokens: bool = False
    return_routing: bool = False
    conversation: Annotated[str, Field(max_length=64)] = ""
    request_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = None
    # Text or token ids to go on from, in place of messages: no template, no reasoning, markers count.
    prompt: str | list[Annotated[int, Field(ge=0)]] | None = None

    @model_validator(mode="before")
    @classmethod
    def _refuse_unsupported(cls, data: Any) -> Any:
        if isinstance(data, dict):
            for name, reason in UNSUPPORTED_FIELDS.items():
                if data.get(name):
                    raise ValueError(f"{name}: {reason}")
        return data

    @model_validator(mode="after")
    def _demand_one_prompt(self) -> ChatCompletionRequest:
        if "messages" not in self.model_fields_set and self.prompt is None:
            raise ValueError("messages: a list is needed")
        if self.messages and self.prompt is not None:
            raise ValueError("either messages or prompt, not both")
        return self

    @model_validator(mode="after")
    def _refuse_alternatives_alone(self) -> ChatCompletionRequest:
        if self.top_logprobs and not self.logprobs:
            raise ValueError("top_logprobs: needs logprobs")
        return self

    @model_validator(mode="after")
    def _refuse_two_formats(self) -> ChatCompletionRequest:
        if self.grammar is not None and self._format is not None:
            raise ValueError("either grammar or response_format, not both")
        return self

    @model_validator(mode="after")
    def _check_tools(self) -> ChatCompletionRequest:
        to_offer(self.tool_choice, to_tools(self.tools))
        return self

    @model_validator(mode="after")
    def _require_begun_answer(self) -> Self:
        if self.add_generation_prompt is not None and self.add_generation_prompt is self._continues:
            raise ValueError("add_generation_prompt: an answer is begun, or continue_final_message goes on")
        if self._continues and (len(self.messages) < 2 or self.messages[-1].role != "assistant"):
            raise ValueError("continue_final_message: the last message is not an answer to another one")
        if self._continues and self.messages[-1].tool_calls:
            raise ValueError(
                "continue_final_message: an answer that has called tools waits for their results"
            )
        return self

    @field_validator("stop")
    @classmethod
    def _limit_stop(cls, value: str | list[str] | None) -> str | list[str] | None:
        if isinstance(value, list) and len(value) > MAX_STOP_STRINGS:
            raise ValueError(f"at most {MAX_STOP_STRINGS} stop strings")
        return value

    @classmethod
    def parse(cls, body: bytes) -> ChatCompletionRequest:
        """Read a request's body.

        Raises:
            RequestRefused: It is not JSON, lacks something, or asks for what is not supported.
        """
        try:
            return cls.model_validate_json(body)
        except ValidationError as error:
            raise refusal(error, body) from None

    @property
    def wants_usage_apart(self) -> bool:
        """Whether usage comes in a chunk of its own after the last choice, as OpenAI does it on request."""
        return self.stream_options is not None and self.stream_options.include_usage

    @property
    def effort(self) -> str | None:
        """The reasoning effort for the template, if it takes one."""
        own = self.chat_template_kwargs.reasoning_effort if self.chat_template_kwargs else None
        effort = own or self.reasoning_effort
        return None if effort == "none" else effort

    @property
    def _format(self) -> OutputFormat | None:
        return None if self.response_format is None else self.response_format.to_output()

    def to_chat_request(self) -> ChatRequest:
        """As the rest of the program knows it, defaults filled in."""
        default = SamplingParams()

        def given(value: float | None, otherwise: float) -> float:
            return otherwise if value is None else value

        stop = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())
        tools, choice = to_offer(self.tool_choice, to_tools(self.tools))
        return ChatRequest(
            messages=tuple(message.to_message() for message in self.messages),
            sampling=SamplingParams(
                temperature=given(self.temperature, default.temperature),
                top_p=given(self.top_p, default.top_p),
                top_k=default.top_k if self.top_k is None else self.top_k,
                min_p=given(self.min_p, default.min_p),
                repeat_penalty=given(self.repeat_penalty, default.repeat_penalty),
                presence_penalty=given(self.presence_penalty, default.presence_penalty),
                frequency_penalty=given(self.frequency_penalty, default.frequency_penalty),
                seed=self.seed,
                max_tokens=self.max_completion_tokens or self.max_tokens,
                stop=tuple(string for string in stop if string),
                logit_bias=dict(self.logit_bias or {}),
                top_n_sigma=given(self.top_n_sigma, default.top_n_sigma),
                xtc_probability=given(self.xtc_probability, default.xtc_probability),
                xtc_threshold=given(self.xtc_threshold, default.xtc_threshold),
                dry_multiplier=given(self.dry_multiplier, default.dry_multiplier),
                dry_base=given(self.dry_base, default.dry_base),
                dry_allowed_length=self.dry_allowed_length or default.dry_allowed_length,
                min_tokens=self.min_tokens,
                ignore_end=self.ignore_eos,
                top_logprobs=(self.top_logprobs or 0) if self.logprobs else None,
            ),
            thinking=self._thinking(),
            think_budget_tokens=self.think_budget_tokens,
            think_nudge_tokens=self.think_nudge_tokens,
            think_nudge_text=self.think_nudge_text,
            reasoning_history=self.reasoning_history,
            tools=tools,
            tool_choice=choice,
            parallel_tool_calls=self.parallel_tool_calls is not False,
            continues=self._continues,
            model=self.model,
            output=OutputFormat(grammar=self.grammar) if self.grammar is not None else self._format,
            return_tokens=self.return_tokens,
            return_routing=self.return_routing,
            conversation=self.conversation,
        )

    @property
    def _continues(self) -> bool:
        """VLLM's clients say it with two fields, of which either is enough here."""
        return self.continue_final_message or self.add_generation_prompt is False

    def _thinking(self) -> Thinking:
        if self.thinking is not None:
            return self.thinking
        switches = self.chat_template_kwargs or TemplateSwitches()
        for value in (switches.enable_thinking, switches.thinking):
            if value is not None:
                return "on" if value else "off"
        return "off" if self.reasoning_effort == "none" else "auto"
