"""`POST /v1/completions`: text that goes on, made of chat completions with a raw prompt."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Sequence
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from model_manager.engine.checking import refusal
from model_manager.engine.failures import error_from
from model_manager.engine.gateway.relay import Call, Relay
from model_manager.engine.gateway.replies import Making, events_in
from model_manager.errors import RequestRefused

MAX_PROMPTS: Final = 64
DEFAULT_MAX_TOKENS: Final = 16
_CHAT_PATH: Final = "/v1/chat/completions"
_NOT_PASSED_ON: Final = frozenset(
    {"prompt", "echo", "suffix", "best_of", "logprobs", "stream_options", "user"}
)

_TokenIds = list[Annotated[int, Field(ge=0)]]


class CompletionRequest(BaseModel):
    """What differs from a chat completion; everything else is passed on."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    prompt: str | _TokenIds | list[str] | list[_TokenIds] = ""
    echo: bool = False
    suffix: str | None = None
    best_of: int | None = None
    n: Annotated[int, Field(ge=1)] | None = None
    logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    stream: bool = False
    stream_options: dict[str, Any] | None = None

    @classmethod
    def parse(cls, fields: dict[str, Any]) -> CompletionRequest:
        """Read a request.

        Raises:
            RequestRefused: It asks for what is not supported.
        """
        try:
            parsed = cls.model_validate(fields)
        except ValidationError as error:
            raise refusal(error, fields) from None
        if parsed.prompt in ("", []):
            raise RequestRefused(400, "prompt: a text is needed")
        if parsed.suffix:
            raise RequestRefused(400, "suffix: text is only made at the end")
        if parsed.best_of not in (None, parsed.n or 1):
            raise RequestRefused(400, "best_of: every answer that is made is returned")
        if parsed.echo and parsed.logprobs is not None:
            raise RequestRefused(400, "echo: log probabilities of the prompt are not computed")
        if parsed.echo and not all(isinstance(prompt, str) for prompt in parsed.prompts):
            raise RequestRefused(400, "echo: the prompt must be text")
        if len(parsed.prompts) > MAX_PROMPTS:
            raise RequestRefused(400, f"prompt: at most {MAX_PROMPTS} in a request")
        return parsed

    @property
    def prompts(self) -> list[str | list[int]]:
        """One by one."""
        if isinstance(self.prompt, str):
            return [self.prompt]
        if self.prompt and isinstance(self.prompt[0], int):
            return [[token for token in self.prompt if isinstance(token, int)]]
        return [each for each in self.prompt if not isinstance(each, int)]

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with its usage."""
        return bool((self.stream_options or {}).get("include_usage"))


class Completing:
    """Makes the answer of one request."""

    def __init__(self, relay: Relay, call: Call) -> None:
        """Check the request.

        Raises:
            RequestRefused: It asks for what is not supported.
        """
        self._relay = relay
        self._call = call
        self._request = CompletionRequest.parse(call.fields)
        self._head = {
            "id": f"cmpl-{secrets.token_hex(12)}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": call.model_id,
        }

    async def make(self, reply: Making) -> None:
        """Whole or streamed, as was asked."""
        calls = [self._chat_call(prompt) for prompt in self._request.prompts]
        if self._request.stream:
            await self._stream(reply, calls)
        else:
            try:
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(self._relay.ask(call)) for call in calls]
            except ExceptionGroup as errors:  # one is enough to say why, and it has stopped the others
                raise errors.exceptions[0] from None
            await reply.whole(self._body([task.result() for task in tasks]))

    def _chat_call(self, prompt: str | list[int]) -> Call:
        fields = {key: value for key, value in self._call.fields.items() if key not in _NOT_PASSED_ON}
        fields |= {"prompt": prompt, "stream": self._request.stream}
        fields.setdefault("max_tokens", DEFAULT_MAX_TOKENS)
        if self._request.stream:
            fields["stream_options"] = {"include_usage": True}
        if self._request.logprobs is not None:
            fields |= {"logprobs": True, "top_logprobs": self._request.logprobs}
        return self._call.with_fields(fields, _CHAT_PATH)

    def _index(self, n_prompt: int, choice: dict[str, Any]) -> int:
        return n_prompt * (self._request.n or 1) + int(choice.get("index", 0))

    def _echo(self, n_prompt: int) -> str:
        return str(self._request.prompts[n_prompt]) if self._request.echo else ""

    # --- whole -------------------------------------------------------------------------------------------

    def _body(self, answers: Sequence[dict[str, Any]]) -> dict[str, Any]:
        choices = [
            {
                "text": self._echo(n_prompt) + str(choice["message"].get("content") or ""),
                "index": self._index(n_prompt, choice),
                "logprobs": _logprobs(choice.get("logprobs"), 0),
                "finish_reason": choice.get("finish_reason"),
            }
            for n_prompt, answer in enumerate(answers)
            for choice in answer["choices"]
        ]
        body = self._head | {"choices": choices, "usage": _sum([answer["usage"] for answer in answers])}
        ours = [answer["coterie"] for answer in answers if isinstance(answer.get("coterie"), dict)]
        return body | ({"coterie": ours[0]} if len(ours) == 1 else {})

    # --- streamed ----------------------------------------------------------------------------------------

    async def _stream(self, reply: Making, calls: Sequence[Call]) -> None:
        """One prompt after the other: a stream of several at once would only mix their errors."""
        usages: list[dict[str, Any]] = []
        for n_prompt, call in enumerate(calls):
            async with self._relay.open(call) as upstream:
                if n_prompt == 0:
                    await reply.begin()
                offsets: dict[int, int] = {}
                async for chunk in events_in(upstream.chunks()):
                    if "error" in chunk:
                        raise error_from(chunk, 500)
                    if isinstance(chunk.get("usage"), dict):
                        usages.append(chunk["usage"])
                    for choice in chunk.get("choices", ()):
                        await reply.write(self._event([self._chunk(n_prompt, choice, offsets)]))
        if self._request.wants_usage:
            await reply.write(self._event([], usage=_sum(usages)))
        await reply.write(b"data: [DONE]\n\n")
        await reply.end()

    def _event(self, choices: list[dict[str, Any]], **more: Any) -> bytes:
        return b"data: " + json.dumps(self._head | {"choices": choices} | more).encode() + b"\n\n"

    def _chunk(self, n_prompt: int, choice: dict[str, Any], offsets: dict[int, int]) -> dict[str, Any]:
        index = self._index(n_prompt, choice)
        text = str(choice.get("delta", {}).get("content") or "")
        if index not in offsets:
            offsets[index] = 0
            text = self._echo(n_prompt) + text
        logprobs = _logprobs(choice.get("logprobs"), offsets[index])
        offsets[index] += len(text)
        return {
            "text": text,
            "index": index,
            "logprobs": logprobs,
            "finish_reason": choice.get("finish_reason"),
        }


def _logprobs(told: Any, offset: int) -> dict[str, Any] | None:
    """The older form of log probabilities, of the newer one."""
    if not isinstance(told, dict) or not isinstance(told.get("content"), list):
        return None
    made: dict[str, list[Any]] = {"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []}
    for token in told["content"]:
        made["tokens"].append(token["token"])
        made["token_logprobs"].append(token["logprob"])
        made["top_logprobs"].append({top["token"]: top["logprob"] for top in token.get("top_logprobs", ())})
        made["text_offset"].append(offset)
        offset += len(token["token"])
    return made


def _sum(usages: Sequence[dict[str, Any]]) -> dict[str, Any]:
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    total: dict[str, Any] = {name: sum(int(usage.get(name, 0)) for usage in usages) for name in names}
    cached = sum(int(usage.get("prompt_tokens_details", {}).get("cached_tokens", 0)) for usage in usages)
    return total | {"prompt_tokens_details": {"cached_tokens": cached}}
