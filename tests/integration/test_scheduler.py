"""The decode loop with the real starter, without a worker around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from model_manager.engine.jobs import CONTINUE, Feed, Stop, Verdict
from model_manager.engine.llama.context import LlamaContext
from model_manager.engine.llama.model import load as load_model
from model_manager.engine.scheduler import Scheduler
from model_manager.errors import DecodeFailed, EmptyPrompt, PromptTooLong
from model_manager.types import LoadPlan, SamplingParams
from tests.helpers.answers import Recorder
from tests.helpers.ties import TOLERANCE_LOGITS, tie_logits

Ask = Callable[..., Recorder]

LONG_TEXT = "The keeper of the lighthouse wrote down the weather of every day. " * 20


def turn(text: str) -> str:
    return f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n"


@pytest.fixture(scope="module")
def model(starter_path: Path) -> Iterator[LlamaContext]:
    loaded = load_model(LoadPlan(starter_path, n_ctx_tokens=1024, n_parallel=8), lambda _permille: None)
    yield loaded
    loaded.model.close()


@pytest.fixture
def scheduler(model: LlamaContext) -> Iterator[Scheduler]:
    running = Scheduler(model)
    running.start()
    yield running
    running.close()


@pytest.fixture
def ask(model: LlamaContext, scheduler: Scheduler) -> Ask:
    return asker(model, scheduler)


def asker(model: LlamaContext, scheduler: Scheduler) -> Ask:
    def ask(
        prompt: str, decide: Callable[[Recorder, int], Verdict] | None = None, **sampling: object
    ) -> Recorder:
        recorder = Recorder(decide)
        params = SamplingParams(**{"temperature": 0.0, "max_tokens": 24, **sampling})
        recorder.job = scheduler.submit(model.vocabulary.tokenize(prompt, special=True), params, recorder)
        return recorder

    return ask


# --- one answer --------------------------------------------------------------------------------------------


def test_answer_streams_and_ends_by_itself(ask: Ask) -> None:
    answer = ask(turn("What is the capital of France?"), max_tokens=64)
    ending = answer.wait()
    assert "Paris" in answer.text
    assert ending.stop_reason == "stop"
    assert ending.completion_tokens == len(answer.token_ids)
    assert ending.prompt_tokens == answer.prefills[-1][0] == answer.prefills[-1][1]
    assert ending.timings.ttft_ms is not None


def test_max_tokens_ends_with_length(ask: Ask) -> None:
    answer = ask(turn("Count to one hundred."), max_tokens=7)
    assert answer.wait().stop_reason == "length"
    assert len(answer.token_ids) == 7


def test_same_seed_gives_the_same_text(ask: Ask) -> None:
    first = ask(turn("Tell me a story."), temperature=1.0, seed=11)
    first.wait()
    second = ask(turn("Tell me a story."), temperature=1.0, seed=11)
    assert second.wait().seed == 11
    other = ask(turn("Tell me a story."), temperature=1.0, seed=12)
    other.wait()
    assert first.text == second.text != other.text


def test_seed_that_was_drawn_is_reported_and_repeats_the_answer(ask: Ask) -> None:
    first = ask(turn("Tell me a story."), temperature=1.0)
    again = ask(turn("Tell me a story."), temperature=1.0, seed=first.wait().seed)
    again.wait()
    assert again.text == first.text


def test_logit_bias_forbids_a_token(model: LlamaContext, ask: Ask) -> None:
    plain = ask(turn("What is the capital of France?"), max_tokens=1)
    plain.wait()
    biased = ask(
        turn("What is the capital of France?"), max_tokens=1, logit_bias={plain.token_ids[0]: -100.0}
    )
    biased.wait()
    assert biased.token_ids != plain.token_ids


def test_every_stage_of_the_chain_can_be_used_together(ask: Ask) -> None:
    answer = ask(
        turn("Tell me a story."),
        temperature=0.9,
        top_p=0.9,
        top_k=20,
        min_p=0.02,
        repeat_penalty=1.1,
        presence_penalty=0.2,
        frequency_penalty=0.2,
        seed=1,
        logit_bias={10**9: 1.0, 5: -1.0},
    )
    assert answer.wait().error is None
    assert answer.text


def test_observer_stops_the_answer(ask: Ask) -> None:
    answer = ask(turn("Count to one hundred."), lambda r, _t: Stop() if len(r.token_ids) == 3 else CONTINUE)
    assert answer.wait().stop_reason == "stop"
    assert len(answer.token_ids) == 3


def test_fed_tokens_follow_and_shape_what_comes_after(
    model: LlamaContext, scheduler: Scheduler, ask: Ask
) -> None:
    fed = tuple(model.vocabulary.tokenize(" The answer, in French: Bonjour", special=False))

    def decide(recorder: Recorder, _token_id: int) -> Verdict:
        return Feed(fed) if len(recorder.token_ids) == 2 else CONTINUE

    answer = ask(turn("Say hello."), decide, max_tokens=2 + len(fed) + 4)
    ending = answer.wait()
    assert tuple(answer.token_ids[2 : 2 + len(fed)]) == fed
    assert ending.completion_tokens == len(answer.token_ids) > 2 + len(fed)
    # What follows is what the model says after a prompt that holds the same tokens.
    replay = Recorder()
    prompt = model.vocabulary.tokenize(turn("Say hello."), special=True) + answer.token_ids[: 2 + len(fed)]
    scheduler.submit(prompt, SamplingParams(temperature=0, max_tokens=4), replay)
    replay.wait()
    assert replay.token_ids == answer.token_ids[2 + len(fed) :]


# --- what cannot be answered -------------------------------------------------------------------------------


def test_empty_prompt_is_an_error(scheduler: Scheduler) -> None:
    answer = Recorder()
    scheduler.submit([], SamplingParams(), answer)
    assert isinstance(answer.wait().error, EmptyPrompt)


def test_prompt_longer_than_the_context_is_an_error_and_the_next_works(
    model: LlamaContext, scheduler: Scheduler, ask: Ask
) -> None:
    answer = Recorder()
    scheduler.submit([5] * 2000, SamplingParams(), answer)
    error = answer.wait().error
    assert isinstance(error, PromptTooLong)
    assert (error.prompt_tokens, error.n_ctx_tokens) == (2000, 1024)
    assert ask(turn("Hi")).wait().error is None


def test_numbers_that_are_none_fail_the_answer_and_not_the_next(
    model: LlamaContext, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = model.logits

    def broken(row: int) -> object:
        return real(row) * float("nan")

    monkeypatch.setattr(model, "logits", broken)
    assert isinstance(ask(turn("Hi")).wait().error, DecodeFailed)
    monkeypatch.setattr(model, "logits", real)
    assert ask(turn("Hi")).wait().error is None


def test_decode_that_fails_ends_only_those_in_the_batch(
    model: LlamaContext, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "decode", lambda _batch: -3)
    error = ask(turn("Hi")).wait().error
    assert isinstance(error, DecodeFailed)
    assert error.code == -3
    monkeypatch.undo()
    answer = ask(turn("What is the capital of France?"))
    answer.wait()
    assert "Paris" in answer.text


# --- prefixes ----------------------------------------------------------------------------------------------


def test_second_turn_computes_only_what_is_new(model: LlamaContext, ask: Ask) -> None:
    question = turn("Name three animals.")
    first = ask(question)
    first_ending = first.wait()
    both = question + first.text + "<|im_end|>\n" + turn("And three plants.")
    second = ask(both)
    ending = second.wait()
    # The last token of an answer is known but not computed, so it belongs to what is new.
    assert ending.cached_tokens >= first_ending.prompt_tokens + first_ending.completion_tokens - 2
    assert second.prefills[0][0] == ending.cached_tokens


def test_reused_prefix_gives_the_text_of_a_cold_one(model: LlamaContext) -> None:
    question = turn("Name three animals.") + "Cat, dog, cow.<|im_end|>\n" + turn("Which of them is largest?")
    texts = []
    for warm in (False, True):
        scheduler = Scheduler(model)  # starts with an empty context
        scheduler.start()
        ask = asker(model, scheduler)
        if warm:
            ask(turn("Name three animals."), max_tokens=1).wait()
        answer = ask(question, max_tokens=16)
        assert (answer.wait().cached_tokens > 0) is warm
        texts.append(answer.text)
        scheduler.close()
    # Kernels round differently for other batch shapes, so only the beginning is promised.
    assert texts[0][:24] == texts[1][:24]


def test_regenerating_computes_one_token_of_the_prompt(ask: Ask) -> None:
    ask(turn("Tell me a story."), temperature=1.0, seed=1).wait()
    ending = ask(turn("Tell me a story."), temperature=1.0, seed=2).wait()
    assert ending.cached_tokens == ending.prompt_tokens - 1


# --- several answers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dense_path", "starter_path"])
def test_eight_at_once_say_what_each_says_alone(request: pytest.FixtureRequest, name: str) -> None:
    plan = LoadPlan(request.getfixturevalue(name), n_ctx_tokens=1024, n_parallel=8)
    context = load_model(plan, lambda _permille: None)
    scheduler = Scheduler(context)
    scheduler.start()
    ask = asker(context, scheduler)
    questions = [turn(f"What is the capital of {c}?") for c in ("France", "Italy", "Spain", "Japan")]
    questions += [turn(f"Write a sentence about {thing}.") for thing in ("rain", "bread", "ships", "moss")]
    alone = []
    for question in questions:
        answer = ask(question, max_tokens=32)
        answer.wait()
        alone.append(answer.token_ids)
    together = [ask(question, max_tokens=32) for question in questions]
    for answer in together:
        assert answer.wait().error is None
    scheduler.close()
    for question, by_itself, beside in zip(questions, alone, together, strict=True):
        prompt = context.vocabulary.tokenize(question, special=True)
        parted = tie_logits(context, prompt, by_itself, beside.token_ids)
        assert parted < TOLERANCE_LOGITS, (question, by_itself, beside.token_ids)
    context.model.close()


def test_more_than_fit_wait_their_turn(ask: Ask) -> None:
    answers = [ask(turn(f"Say the number {n}."), max_tokens=4) for n in range(12)]
    assert all(answer.wait().error is None for answer in answers)


def test_answer_that_streams_goes_on_during_a_long_prefill(ask: Ask) -> None:
    streaming = ask(turn("Tell me a very long story about the sea."), max_tokens=400, logit_bias={2: -100.0})
    assert streaming.started.wait(60)
    prompt = ask(LONG_TEXT, max_tokens=1)
    prompt.wait()
    n_calls = len(prompt.prefills)
    assert n_calls >= 4, "the prompt was computed in one piece"
    assert len(streaming.token_ids) >= n_calls - 1
    assert streaming.job is not None
    streaming.job.cancel()
    assert streaming.wait().stop_reason == "cancelled"


# --- a context that fills ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small_model(starter_path: Path) -> Iterator[LlamaContext]:
    loaded = load_model(LoadPlan(starter_path, n_ctx_tokens=512, n_parallel=4), lambda _permille: None)
    yield loaded
    loaded.model.close()


@pytest.fixture
def small_scheduler(small_model: LlamaContext) -> Iterator[Scheduler]:
    running = Scheduler(small_model)
    running.start()
    yield running
    running.close()


def test_context_that_fills_keeps_the_text(small_model: LlamaContext, small_scheduler: Scheduler) -> None:
    tokens = (small_model.vocabulary.tokenize(LONG_TEXT, special=False) * 4)[:505]
    answer = Recorder()
    ends = dict.fromkeys((0, 2), -100.0)
    small_scheduler.submit(tokens, SamplingParams(temperature=0, logit_bias=ends), answer)
    ending = answer.wait()
    assert ending.stop_reason == "context_full"
    # Every cell is used, and one more token is known when the last of them is computed.
    assert ending.prompt_tokens + ending.completion_tokens == 512 + 1
    assert answer.text


def test_answers_that_outgrow_the_context_together_all_end_well(
    small_model: LlamaContext, small_scheduler: Scheduler
) -> None:
    ask = asker(small_model, small_scheduler)
    no_end = {0: -100.0, 2: -100.0}
    answers = [
        ask(turn(f"Tell me a long story with {n} animals."), max_tokens=130, logit_bias=no_end)
        for n in range(4)
    ]
    endings = [answer.wait() for answer in answers]
    # 4 x 150 tokens do not fit into 512 cells: the newest were computed again after others had ended.
    assert [ending.stop_reason for ending in endings] == ["length"] * 4
    assert [len(answer.token_ids) for answer in answers] == [130] * 4


def test_idle_sequences_give_way(small_model: LlamaContext, small_scheduler: Scheduler) -> None:
    text = small_model.vocabulary.tokenize(LONG_TEXT, special=False)[:160]
    for n in range(4):
        answer = Recorder()
        params = SamplingParams(temperature=0, max_tokens=2)
        small_scheduler.submit([100 + n, *text], params, answer)
        assert answer.wait().error is None
    # The last one is still there, the first one is not.
    for n, is_cached in ((3, True), (0, False)):
        answer = Recorder()
        small_scheduler.submit([100 + n, *text[:20]], SamplingParams(temperature=0, max_tokens=1), answer)
        assert (answer.wait().cached_tokens > 0) is is_cached


# --- cancel ------------------------------------------------------------------------------------------------


def test_cancel_ends_a_long_prefill(model: LlamaContext, scheduler: Scheduler) -> None:
    tokens = (model.vocabulary.tokenize(LONG_TEXT, special=False) * 4)[:1000]
    answer = Recorder()
    job = scheduler.submit(tokens, SamplingParams(max_tokens=1), answer)
    assert answer.progressed.wait(60)
    job.cancel()
    ending = answer.wait()
    assert ending.stop_reason == "cancelled"
    assert ending.completion_tokens == 0
    assert answer.prefills[-1][0] < 1000, "the whole prompt was computed"


def test_cancelled_prefill_leaves_what_it_computed(model: LlamaContext, scheduler: Scheduler) -> None:
    tokens = model.vocabulary.tokenize(LONG_TEXT, special=False)[:250]
    first = Recorder()
    job = scheduler.submit(tokens, SamplingParams(max_tokens=1), first)
    assert first.progressed.wait(60)
    job.cancel()
    first.wait()
    second = Recorder()
    scheduler.submit(tokens, SamplingParams(max_tokens=1), second)
    assert second.wait().cached_tokens >= 8


def test_cancel_while_waiting_and_after_the_end_are_harmless(ask: Ask) -> None:
    running = [ask(turn("Tell me a story."), max_tokens=30) for _ in range(8)]
    waiting = ask(turn("Hi"))
    assert waiting.job is not None
    waiting.job.cancel()
    assert waiting.wait().stop_reason == "cancelled"
    for answer in running:
        answer.wait()
        assert answer.job is not None
        answer.job.cancel()


def test_close_cancels_what_runs(model: LlamaContext) -> None:
    scheduler = Scheduler(model)
    scheduler.start()
    answer = asker(model, scheduler)(turn("Tell me a story."), max_tokens=900)
    assert answer.started.wait(60)
    scheduler.close()
    assert answer.wait().stop_reason == "cancelled"
