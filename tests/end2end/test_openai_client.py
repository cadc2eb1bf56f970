"""The official `openai` client against a real `coterie serve` with the starter."""

from __future__ import annotations

import base64
import concurrent.futures
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import openai
import pytest
from pydantic import BaseModel, Field

from app.stores import LibraryStore
from model_manager import starter
from tests.helpers.asking import open_services
from tests.helpers.mmprojs import png, write_mmproj
from tests.helpers.serving import Serving, serve

HELLO: Any = [{"role": "user", "content": "What is a mixture of experts?"}]
TOLERANCE_NATS = 0.5
GREEDY: Any = {"model": "starter", "temperature": 0}


TEMPLATES = Path(__file__).parents[1] / "data" / "templates"


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("coterie")
    add_calling_model(folder)
    with serve(folder / "data") as opened:
        yield opened


def add_calling_model(folder: Path) -> None:
    """The dense starter with a template that knows tools, in the library as `calling`."""
    model = folder / "calling.gguf"
    model.symlink_to(starter.dense_path())
    with open_services(folder / "data", folder / "run") as services:
        services.library.import_path(model)
        store = LibraryStore(services.storage)
        record = store.get("calling")
        assert record is not None
        template = (TEMPLATES / "Qwen-Qwen2.5-7B-Instruct.jinja").read_text("utf-8")
        store.put(replace(record, chat_template=template))


@pytest.fixture
def client(serving: Serving) -> Iterator[openai.OpenAI]:
    with serving.openai() as opened:
        yield opened


@pytest.fixture
def seeing_model(tmp_path: Path) -> Path:
    """The dense starter with a random vision tower beside it."""
    model = tmp_path / "model" / "seeing.gguf"
    model.parent.mkdir()
    model.symlink_to(starter.dense_path())
    write_mmproj(model.parent / "mmproj-F32.gguf", 576)
    return model


def test_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == [
        "starter",
        "starter-dense",
        "starter-thinking",
        "calling",
    ]
    assert client.models.retrieve("starter").owned_by == "coterie"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nobody")


def warm_up(client: openai.OpenAI) -> None:
    """From now on the same is computed for `HELLO`, to the last bit: one token after the other."""
    client.chat.completions.create(messages=HELLO, max_tokens=1, **GREEDY)


def test_a_chat_streams_what_it_gives_whole(client: openai.OpenAI) -> None:
    warm_up(client)
    whole = client.chat.completions.create(messages=HELLO, max_tokens=24, **GREEDY)
    text = whole.choices[0].message.content
    assert text
    assert whole.choices[0].finish_reason == "length"
    assert whole.usage is not None
    assert whole.usage.completion_tokens == 24
    stream = client.chat.completions.create(
        messages=HELLO, max_tokens=24, stream=True, stream_options={"include_usage": True}, **GREEDY
    )
    chunks = list(stream)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == text
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 24


def test_a_stream_can_be_left(client: openai.OpenAI) -> None:
    for _ in range(20):  # more than run at once: those that are left must make room
        with client.chat.completions.create(messages=HELLO, max_tokens=4000, stream=True, **GREEDY) as stream:
            next(stream)
    assert client.chat.completions.create(messages=HELLO, max_tokens=2, **GREEDY).choices


def test_completions(client: openai.OpenAI) -> None:
    prompts = ["The capital of France is", "One, two, three,"]
    whole = client.completions.create(prompt=prompts, max_tokens=6, echo=True, **GREEDY)
    assert [choice.index for choice in whole.choices] == [0, 1]
    assert all(choice.text.startswith(prompt) for choice, prompt in zip(whole.choices, prompts, strict=True))
    assert "Paris" in whole.choices[0].text
    stream = client.completions.create(prompt=prompts, max_tokens=6, echo=True, stream=True, **GREEDY)
    texts = ["", ""]
    for chunk in stream:
        texts[chunk.choices[0].index] += chunk.choices[0].text
    assert all(
        text.startswith(prompt) and text != prompt for text, prompt in zip(texts, prompts, strict=True)
    )
    tokens = client.completions.create(prompt=[504, 3575, 282, 4649, 314], max_tokens=2, **GREEDY)
    assert tokens.usage is not None
    assert tokens.usage.prompt_tokens == 5


WEATHER: Any = {
    "name": "get_weather",
    "description": "What the weather is like.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
CALL_IT: Any = [{"role": "user", "content": 'Call get_weather with the city "Paris".'}]


def test_functions_are_called_and_answered(client: openai.OpenAI) -> None:
    """The model is too small to call anything by itself, so it is made to."""
    tools: Any = [{"type": "function", "function": WEATHER}]
    options: Any = {"model": "calling", "temperature": 0, "max_tokens": 48, "tools": tools}
    options |= {"parallel_tool_calls": False}
    named: Any = {"type": "function", "function": {"name": "get_weather"}}
    for _ in range(2):  # the second time nothing but the last token of the prompt is left to compute
        whole = client.chat.completions.create(messages=CALL_IT, tool_choice=named, **options).choices[0]
    assert whole.finish_reason == "tool_calls"
    (call,) = whole.message.tool_calls or ()
    assert call.type == "function"
    assert call.function.name == "get_weather"
    assert set(json.loads(call.function.arguments)) == {"city"}

    allowed: Any = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [named]}}
    with client.chat.completions.stream(messages=CALL_IT, tool_choice=allowed, **options) as stream:
        final = stream.get_final_completion().choices[0]
    (streamed,) = final.message.tool_calls or ()
    assert streamed.function.arguments == call.function.arguments

    turns: Any = [
        *CALL_IT,
        {"role": "assistant", "tool_calls": [call.model_dump()]},
        {"role": "tool", "tool_call_id": call.id, "content": "Sunny."},
    ]
    assert client.chat.completions.create(messages=turns, **options).choices[0].message.content
    with pytest.raises(openai.UnprocessableEntityError) as wordless:
        client.chat.completions.create(messages=CALL_IT, **options | {"model": "starter-dense"})
    assert wordless.value.code == "tools_unsupported"


def test_functions_in_responses(client: openai.OpenAI) -> None:
    tools: Any = [{"type": "function", **WEATHER}]
    options: Any = {"model": "calling", "temperature": 0, "max_output_tokens": 48, "tools": tools}
    options |= {"parallel_tool_calls": False}
    named: Any = {"type": "function", "name": "get_weather"}
    for _ in range(2):
        whole = client.responses.create(input=CALL_IT, tool_choice=named, **options)
    (call,) = whole.output
    assert call.type == "function_call"
    assert (whole.status, call.name) == ("completed", "get_weather")
    with client.responses.stream(input=CALL_IT, tool_choice="required", **options) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert "response.function_call_arguments.delta" in kinds
    (streamed,) = final.output
    assert streamed.type == "function_call"
    assert streamed.arguments == call.arguments
    items: Any = [
        *CALL_IT,
        call.model_dump(exclude={"status"}),
        {"type": "function_call_output", "call_id": call.call_id, "output": "Sunny."},
    ]
    assert client.responses.create(input=items, **options).output_text


class Animal(BaseModel):
    """What an answer is bound to; a model this small would never end a text or a list by itself."""

    name: Annotated[str, Field(min_length=2, max_length=12)]
    n_legs: Annotated[int, Field(ge=0, le=8)]
    sounds: Annotated[list[Literal["loud", "quiet"]], Field(max_length=2)]


def test_answers_are_bound_to_a_schema(client: openai.OpenAI) -> None:
    question: Any = [{"role": "user", "content": "Describe a dog as JSON."}]
    greedy = GREEDY | {"model": "starter-dense"}
    options: Any = greedy | {"max_completion_tokens": 100}
    for _ in range(2):
        parsed = client.chat.completions.parse(messages=question, response_format=Animal, **options)
    animal = parsed.choices[0].message.parsed
    assert animal is not None
    assert animal.name
    with client.chat.completions.stream(messages=question, response_format=Animal, **options) as stream:
        streamed = stream.get_final_completion().choices[0].message.parsed
    assert streamed == animal
    whole = client.chat.completions.create(
        messages=question, response_format={"type": "json_object"}, max_tokens=20, **greedy
    )
    assert (whole.choices[0].message.content or "").startswith("{")
    responded = client.responses.parse(
        input="Describe a dog as JSON.", text_format=Animal, max_output_tokens=100, **greedy
    )
    assert isinstance(responded.output_parsed, Animal)
    impossible: Any = {"name": "x", "schema": {"type": "integer", "minimum": 5, "maximum": 3}, "strict": True}
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(
            messages=question, response_format={"type": "json_schema", "json_schema": impossible}, **options
        )


def test_likelihoods(client: openai.OpenAI) -> None:
    warm_up(client)
    whole = client.chat.completions.create(
        messages=HELLO, max_tokens=6, logprobs=True, top_logprobs=3, **GREEDY
    ).choices[0]
    assert whole.logprobs is not None
    assert whole.logprobs.content is not None
    assert "".join(token.token for token in whole.logprobs.content) == whole.message.content
    for token in whole.logprobs.content:
        assert len(token.top_logprobs) == 3
        assert token.logprob == token.top_logprobs[0].logprob <= 0
    stream = client.chat.completions.create(
        messages=HELLO, max_tokens=6, logprobs=True, top_logprobs=3, stream=True, **GREEDY
    )
    streamed = [
        token.token
        for chunk in stream
        if chunk.choices and chunk.choices[0].logprobs
        for token in chunk.choices[0].logprobs.content or ()
    ]
    assert streamed == [token.token for token in whole.logprobs.content]

    older = client.completions.create(prompt="The capital of France is", max_tokens=6, logprobs=2, **GREEDY)
    told = older.choices[0].logprobs
    assert told is not None
    assert "".join(told.tokens or ()) == older.choices[0].text
    assert told.text_offset == [len("".join((told.tokens or ())[:n])) for n in range(6)]
    assert [max(top.values()) for top in told.top_logprobs or ()] == told.token_logprobs
    plain = client.completions.create(prompt="The capital of France is", max_tokens=6, logprobs=0, **GREEDY)
    assert plain.choices[0].logprobs is not None
    assert plain.choices[0].logprobs.token_logprobs == pytest.approx(told.token_logprobs, abs=0.5)

    responded = client.responses.create(
        input="Hello", max_output_tokens=6, include=["message.output_text.logprobs"], top_logprobs=2, **GREEDY
    )
    message: Any = responded.output[0]
    assert "".join(token.token for token in message.content[0].logprobs) == responded.output_text


def test_several_answers_to_one_prompt(client: openai.OpenAI) -> None:
    wild: Any = {"temperature": 2.0, "top_p": 1.0, "extra_body": {"top_k": 0, "min_p": 0}}
    options: Any = {"model": "starter-dense", "max_tokens": 6, "n": 2, "seed": 7} | wild
    chat = client.chat.completions.create(messages=HELLO, **options)
    assert [choice.index for choice in chat.choices] == [0, 1]
    texts = ["", ""]
    for chunk in client.chat.completions.create(messages=HELLO, stream=True, **options):
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    assert texts[0] != texts[1]
    completed = client.completions.create(prompt=["One", "Two"], **options)
    assert [choice.index for choice in completed.choices] == [0, 1, 2, 3]
    assert completed.usage is not None
    assert completed.usage.completion_tokens <= 24


def test_responses(client: openai.OpenAI) -> None:
    warm_up(client)
    whole = client.responses.create(input="What is a mixture of experts?", max_output_tokens=24, **GREEDY)
    assert (whole.status, whole.incomplete_details and whole.incomplete_details.reason) == (
        "incomplete",
        "max_output_tokens",
    )
    assert whole.output_text
    assert whole.usage is not None
    assert whole.usage.output_tokens == 24
    assert whole.store is False
    with client.responses.stream(
        input="What is a mixture of experts?", max_output_tokens=24, **GREEDY
    ) as stream:
        events = list(stream)
    last = events[-1]
    assert last.type == "response.incomplete"
    final = last.response
    assert final.output_text == whole.output_text
    assert [event.sequence_number for event in events] == sorted(event.sequence_number for event in events)
    kinds = [event.type for event in events]
    assert kinds[:4] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ]
    assert kinds[-4:] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.incomplete",
    ]


def test_responses_know_reasoning_and_turns(client: openai.OpenAI) -> None:
    turns: Any = [
        {"role": "developer", "content": "Be short."},
        {"role": "user", "content": [{"type": "input_text", "text": "Hello"}]},
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [],
            "content": [{"type": "reasoning_text", "text": "?"}],
        },
        {"role": "assistant", "content": [{"type": "output_text", "text": "Hello!", "annotations": []}]},
        {"role": "user", "content": "Who are you?"},
    ]
    options: Any = {"extra_body": {"think_budget_tokens": 8}, "max_output_tokens": 24, "temperature": 0}
    whole = client.responses.create(model="starter-thinking", input=turns, instructions="Answer.", **options)
    assert [item.type for item in whole.output] == ["reasoning", "message"]
    with client.responses.stream(
        model="starter-thinking", input=turns, instructions="Answer.", **options
    ) as stream:
        events = list(stream)
    kinds = {event.type for event in events}
    assert {"response.reasoning_text.delta", "response.reasoning_text.done"} <= kinds
    last: Any = events[-1]
    assert [item.type for item in last.response.output] == ["reasoning", "message"]
    assert last.response.usage.output_tokens_details.reasoning_tokens >= 8


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"background": True}, "background"),
        ({"tools": [{"type": "web_search"}]}, "tools"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input"),
        ({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "x"}]}]}, "data:"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
    ],
)
def test_responses_that_cannot_be_are_refused(client: openai.OpenAI, fields: Any, word: str) -> None:
    with pytest.raises(openai.BadRequestError, match=word):
        client.responses.create(**({"model": "starter", "input": "Hello"} | fields))


def test_one_of_several_prompts_that_fails_says_why(client: openai.OpenAI) -> None:
    for prompts in ("", ["One", ""], ["One", "word " * 9000]):
        with pytest.raises(openai.BadRequestError):
            client.completions.create(prompt=prompts, max_tokens=2, **GREEDY)


def test_a_refusal_names_its_field(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(messages=HELLO, n=0, **GREEDY)
    assert refused.value.param == "n"


def test_embeddings(client: openai.OpenAI) -> None:
    texts = ["I have a dog.", "My dog barks.", "Rates were raised."]
    made = client.embeddings.create(model="starter-dense", input=texts)  # asks for base64
    plain = client.embeddings.create(model="starter-dense", input=texts, encoding_format="float")
    for one, other in zip(made.data, plain.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)
    first, second, third = (item.embedding for item in made.data)

    def likeness(other: list[float]) -> float:
        return sum(a * b for a, b in zip(first, other, strict=True))

    assert likeness(second) > likeness(third)
    with pytest.raises(openai.BadRequestError, match="dimensions"):
        client.embeddings.create(model="starter-dense", input="x", dimensions=7)


def test_images_are_part_of_the_request(tmp_path: Path, seeing_model: Path) -> None:
    data_url = "data:image/png;base64," + base64.b64encode(png(60, 40)).decode()
    with serve(tmp_path / "data", "-m", str(seeing_model)) as serving, serving.openai() as client:

        def ask(url: str, model: str = "seeing") -> int:
            content: Any = [{"type": "text", "text": "Hm?"}, {"type": "image_url", "image_url": {"url": url}}]
            answer = client.chat.completions.create(
                model=model, messages=[{"role": "user", "content": content}], max_tokens=2
            )
            assert answer.usage is not None
            return answer.usage.prompt_tokens

        content: Any = [{"type": "input_text", "text": "Hm?"}, {"type": "input_image", "image_url": data_url}]
        items: Any = [{"role": "user", "content": content}]
        responded = client.responses.create(model="seeing", input=items, max_output_tokens=2)
        assert responded.usage is not None
        assert responded.usage.input_tokens == ask(data_url) > 40
        for url in ("http://127.0.0.1:1/a.png", "file:///etc/hostname", "/etc/hostname"):
            with pytest.raises(openai.BadRequestError, match="data:"):
                ask(url)
        with pytest.raises(openai.BadRequestError) as blind:
            ask(data_url, "starter-dense")
        assert blind.value.code == "no_vision"


def test_errors_are_those_that_the_client_knows(client: openai.OpenAI, serving: Serving) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="nobody", messages=HELLO)
    assert missing.value.code == "model_not_found"
    long: Any = [{"role": "user", "content": "word " * 9000}]
    with pytest.raises(openai.BadRequestError) as full:
        client.chat.completions.create(model="starter", messages=long)
    assert full.value.code == "context_length_exceeded"
    with serving.openai("another key") as stranger, pytest.raises(openai.AuthenticationError):
        stranger.models.list()


def test_eight_chats_at_once_give_what_each_gives_alone(client: openai.OpenAI) -> None:
    """Greedy answers agree until two candidates are so near that the rounding of another batch shape decides.

    Measured on two cores with 16 chats of 64 tokens: log probabilities of the same token differ by up to 0.19
    nats between one row and several in a batch, and answers part where the two best differ by at most 0.27.
    """
    subjects = ("rivers", "bread", "the moon", "chess", "trees", "trains", "tea", "snow")
    options = GREEDY | {"max_tokens": 24, "logprobs": True, "top_logprobs": 2}

    def ask(subject: str) -> list[Any]:
        messages: Any = [{"role": "user", "content": f"Tell me about {subject}."}]
        choice = client.chat.completions.create(messages=messages, **options).choices[0]
        assert choice.logprobs is not None
        assert choice.logprobs.content is not None
        return choice.logprobs.content

    alone = [ask(subject) for subject in subjects]
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        together = list(threads.map(ask, subjects))
    n_same = 0
    for one, other in zip(alone, together, strict=True):
        for mine, theirs in zip(one, other, strict=True):
            best, second = mine.top_logprobs
            if mine.token != theirs.token:
                assert best.logprob - second.logprob < TOLERANCE_NATS
                break
            assert abs(mine.logprob - theirs.logprob) < TOLERANCE_NATS
            n_same += 1
    assert n_same > 8 * 24 / 3
