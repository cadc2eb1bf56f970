"""Guessing ahead with the real starters: when tokens come changes, and which do not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader
from numpy.typing import NDArray

from model_manager.engine.jobs import CONTINUE, Ending, Feed, Stop, Verdict
from model_manager.engine.llama.context import LlamaContext
from model_manager.engine.llama.model import load as load_model
from model_manager.engine.scheduler import Scheduler
from model_manager.engine.speculation.draft import vocabulary_difference
from model_manager.engine.speculation.proposals import Placed
from model_manager.engine.speculation.sources import new_speculator
from model_manager.engine.speculation.speculator import Speculator
from model_manager.engine.supervisor import Supervisor
from model_manager.errors import DraftMismatch, LoadFailed, NoGuessingLayers
from model_manager.types import (
    ChatFinished,
    ChatMessage,
    ChatRequest,
    DeviceMemory,
    LoadPlan,
    SamplingParams,
    Speculation,
)
from tests.helpers.answers import Recorder
from tests.helpers.ggufs import (
    GLM4MOE_MTP,
    GPT_OSS,
    GRANITE_HYBRID,
    LFM2MOE,
    LLAMA,
    QWEN35MOE_MTP,
    Recipe,
    write_model,
)
from tests.helpers.ties import TOLERANCE_LOGITS, tie_logits

N_CTX = 768

TEXT = (
    "The keeper of the lighthouse wrote down the weather of every day. On Monday there was fog, and the "
    "ships waited outside the harbour. On Tuesday the wind turned north, so that eleven ships came in."
)
PROMPTS = (
    f"Repeat this text word by word:\n\n{TEXT}",
    "What is the capital of France?",
    "Count from one to thirty, in words.",
    "List three animals and three plants.",
    'Write this as JSON twice: name is "Ann", age is 7.',
)


def turn(text: str) -> str:
    return f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n"


class Bench:
    """One model whose answers can be had with and without guesses."""

    def __init__(self, path: Path, draft_path: Path | None = None) -> None:
        self.plan = LoadPlan(path, n_ctx_tokens=N_CTX, draft_path=draft_path, is_draft_adaptive=False)
        self.context = load_model(self.plan, lambda _permille: None)
        self._speculators: list[Speculator] = []

    def tokens(self, prompt: str) -> list[int]:
        return self.context.vocabulary.tokenize(turn(prompt), special=True)

    def scheduler(self, speculation: Speculation, *, is_adaptive: bool = False) -> Scheduler:
        plan = dataclasses.replace(self.plan, speculation=speculation, is_draft_adaptive=is_adaptive)
        kind, speculator = new_speculator(plan, self.context)
        assert kind == speculation
        scheduler = Scheduler(self.context, speculator=speculator)
        scheduler.start()
        if speculator is not None:
            self._speculators.append(speculator)
        return scheduler

    def close(self) -> None:
        for speculator in self._speculators:
            speculator.close()
        self.context.model.close()

    def answers(
        self, speculation: Speculation, *prompts: str, at_once: bool = False, **sampling: object
    ) -> list[Recorder]:
        scheduler = self.scheduler(speculation)
        recorders = []
        for prompt in prompts:
            recorder = Recorder()
            params = SamplingParams(**{"temperature": 0.0, "max_tokens": 48, **sampling})  # type: ignore[arg-type]  # by name
            recorder.job = scheduler.submit(self.tokens(prompt), params, recorder)
            recorders.append(recorder)
            if not at_once:
                recorder.wait()
        for recorder in recorders:
            recorder.wait()
        scheduler.close()
        return recorders

    def assert_same(self, prompt: str, plain: list[int], guessed: list[int]) -> None:
        """Equal, or parted where the model was in two minds."""
        assert tie_logits(self.context, self.tokens(prompt), plain, guessed) < TOLERANCE_LOGITS, prompt


@pytest.fixture(scope="module")
def dense(dense_path: Path) -> Iterator[Bench]:
    bench = Bench(dense_path)
    yield bench
    bench.close()


@pytest.fixture(scope="module")
def mixture(starter_path: Path, dense_path: Path) -> Iterator[Bench]:
    """The mixture, with its own original as the draft."""
    bench = Bench(starter_path, dense_path)
    yield bench
    bench.close()


def counts(recorders: list[Recorder]) -> tuple[int, int]:
    endings = [recorder.wait() for recorder in recorders]
    return sum(e.drafted_tokens for e in endings), sum(e.accepted_tokens for e in endings)


# --- the same answers --------------------------------------------------------------------------------------


def test_dense_answers_part_only_at_near_ties(dense: Bench) -> None:
    plain = dense.answers("off", *PROMPTS)
    guessed = dense.answers("lookup", *PROMPTS)
    for prompt, a, b in zip(PROMPTS, plain, guessed, strict=True):
        dense.assert_same(prompt, a.token_ids, b.token_ids)
    n_drafted, n_accepted = counts(guessed)
    assert n_drafted > n_accepted > 40
    assert counts(plain) == (0, 0)


@pytest.mark.parametrize("speculation", ["lookup", "draft"])
def test_answers_of_the_mixture_part_only_at_near_ties(mixture: Bench, speculation: Speculation) -> None:
    plain = mixture.answers("off", *PROMPTS)
    guessed = mixture.answers(speculation, *PROMPTS)
    for prompt, a, b in zip(PROMPTS, plain, guessed, strict=True):
        mixture.assert_same(prompt, a.token_ids, b.token_ids)
    n_drafted, n_accepted = counts(guessed)
    assert n_accepted > (0.6 * n_drafted if speculation == "draft" else 40)


def test_nothing_is_guessed_where_a_seed_was_given(dense: Bench) -> None:
    """How many rows a call has would depend on the machine's mood, and with some the rounding."""
    settings = {"temperature": 0.7, "seed": 7}
    first, second = (dense.answers("lookup", *PROMPTS[:2], **settings) for _ in range(2))
    assert [r.token_ids for r in first] == [r.token_ids for r in second]
    assert counts(first) == counts(second) == (0, 0)


@pytest.mark.parametrize("speculation", ["lookup", "draft"])
def test_answers_at_once_are_what_each_is_alone(mixture: Bench, speculation: Speculation) -> None:
    alone = mixture.answers(speculation, *PROMPTS[:4])
    together = mixture.answers(speculation, *PROMPTS[:4], at_once=True)
    for prompt, a, b in zip(PROMPTS, alone, together, strict=False):
        mixture.assert_same(prompt, a.token_ids, b.token_ids)
    assert counts(together)[1] > 0


# --- endings within guesses --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def copied(dense: Bench) -> list[int]:
    """The tokens of an answer that copies its prompt, made without guesses."""
    return dense.answers("off", PROMPTS[0])[0].token_ids


class Asked:
    """An answer with guesses, and one after it that builds on what it left."""

    def __init__(self, bench: Bench, copied: list[int]) -> None:
        self._bench = bench
        self._copied = copied

    def __call__(
        self, decide: Callable[[Recorder, int], Verdict] | None = None, **sampling: object
    ) -> tuple[Recorder, Ending]:
        scheduler = self._bench.scheduler("lookup")
        tokens = self._bench.tokens(PROMPTS[0])
        recorder = Recorder(decide)
        params = SamplingParams(**{"temperature": 0.0, "max_tokens": 48, **sampling})  # type: ignore[arg-type]  # by name
        recorder.job = scheduler.submit(tokens, params, recorder)
        ending = recorder.wait()
        again = Recorder()
        scheduler.submit(tokens, SamplingParams(temperature=0.0, max_tokens=48), again)
        assert again.wait().cached_tokens > 0
        assert again.token_ids == self._copied
        scheduler.close()
        return recorder, ending


@pytest.fixture
def asked(dense: Bench, copied: list[int]) -> Asked:
    return Asked(dense, copied)


@pytest.mark.parametrize("n_tokens", [9, 10, 17, 30])
def test_limit_within_guesses_is_kept(asked: Asked, copied: list[int], n_tokens: int) -> None:
    recorder, ending = asked(max_tokens=n_tokens)
    assert ending.stop_reason == "length"
    assert recorder.token_ids == copied[:n_tokens]


def test_stop_within_guesses_drops_the_rest(asked: Asked, copied: list[int]) -> None:
    recorder, ending = asked(lambda r, _token: Stop() if len(r.token_ids) == 21 else CONTINUE)
    assert ending.stop_reason == "stop"
    assert recorder.token_ids == copied[:21]
    assert ending.completion_tokens == 21
    assert 0 < ending.accepted_tokens <= 21


def test_tokens_that_are_fed_take_the_place_of_guesses(asked: Asked, copied: list[int]) -> None:
    fed = (5, 6, 7)
    recorder, ending = asked(lambda r, _token: Feed(fed) if len(r.token_ids) == 21 else CONTINUE)
    assert recorder.token_ids[:24] == [*copied[:21], *fed]
    assert ending.stop_reason == "length"


def test_fed_tokens_that_were_guessed_are_not_computed_again(asked: Asked, copied: list[int]) -> None:
    fed = tuple(copied[21:24])
    recorder, _ending = asked(lambda r, _token: Feed(fed) if len(r.token_ids) == 21 else CONTINUE)
    assert recorder.token_ids == copied


def test_cancel_within_guesses_ends_the_answer(asked: Asked, copied: list[int]) -> None:
    def decide(recorder: Recorder, _token: int) -> Verdict:
        if len(recorder.token_ids) == 21:
            assert recorder.job is not None
            recorder.job.cancel()
        return CONTINUE

    recorder, ending = asked(decide)
    assert ending.stop_reason == "cancelled"
    assert recorder.token_ids == copied[:21]


def test_context_that_fills_within_guesses_keeps_the_text(dense: Bench) -> None:
    scheduler = dense.scheduler("lookup")
    loop = dense.context.vocabulary.tokenize(" one two three four", special=False)
    tokens = (loop * N_CTX)[: N_CTX - 20]
    recorder = Recorder()
    no_end = dict.fromkeys(dense.context.vocabulary.end_ids, -100.0)
    scheduler.submit(tokens, SamplingParams(temperature=0.0, logit_bias=no_end), recorder)
    ending = recorder.wait()
    assert ending.stop_reason == "context_full"
    assert ending.prompt_tokens + ending.completion_tokens == N_CTX + 1
    assert ending.accepted_tokens > 0
    scheduler.close()


def test_answers_that_fill_the_context_together_all_end(dense: Bench) -> None:
    scheduler = dense.scheduler("lookup")
    no_end = dict.fromkeys(dense.context.vocabulary.end_ids, -100.0)
    recorders = []
    for n in range(3):
        recorder = Recorder()
        params = SamplingParams(temperature=0.0, max_tokens=200, logit_bias=no_end)
        scheduler.submit([100 + n, *dense.tokens(PROMPTS[0])], params, recorder)
        recorders.append(recorder)
    assert [recorder.wait().stop_reason for recorder in recorders] == ["length"] * 3
    assert [len(recorder.token_ids) for recorder in recorders] == [200] * 3
    scheduler.close()


# --- what decides ------------------------------------------------------------------------------------------


def test_guesses_that_do_not_pay_are_left_out(mixture: Bench) -> None:
    """The original is as slow as the mixture that it guesses for."""
    scheduler = mixture.scheduler("draft", is_adaptive=True)
    recorder = Recorder()
    params = SamplingParams(temperature=0.0, max_tokens=64)
    scheduler.submit(mixture.tokens("Tell me a story about a mouse."), params, recorder)
    ending = recorder.wait()
    scheduler.close()
    assert ending.drafted_tokens <= ending.completion_tokens / 4


def test_file_that_is_no_model_cannot_be_a_draft(dense: Bench, tmp_path: Path) -> None:
    path = tmp_path / "none.gguf"
    path.write_bytes(b"GGUF")
    with pytest.raises(LoadFailed):
        new_speculator(dataclasses.replace(dense.plan, draft_path=path), dense.context)


def test_draft_of_another_vocabulary_is_refused(dense: Bench, tmp_path: Path) -> None:
    path = write_model(tmp_path / "tiny.gguf", LLAMA)
    with pytest.raises(DraftMismatch) as caught:
        new_speculator(dataclasses.replace(dense.plan, draft_path=path), dense.context)
    assert "tokens" in caught.value.reason
    assert caught.value.draft == "tiny"


def test_worker_with_a_draft_of_another_vocabulary_says_so(
    new_supervisor: Callable[..., Supervisor], dense_path: Path, tmp_path: Path
) -> None:
    supervisor = new_supervisor()
    draft_path = write_model(tmp_path / "tiny.gguf", LLAMA)
    supervisor.start(LoadPlan(dense_path, name="dense", n_ctx_tokens=256, draft_path=draft_path))
    with pytest.raises(DraftMismatch) as caught:
        supervisor.wait_ready(60)
    assert caught.value.draft == "tiny"


def test_worker_tells_what_was_guessed(new_supervisor: Callable[..., Supervisor], dense_path: Path) -> None:
    supervisor = new_supervisor()
    supervisor.start(LoadPlan(dense_path, n_ctx_tokens=512, draft_path=dense_path, is_draft_adaptive=False))
    assert supervisor.wait_ready(60).speculation == "draft"
    sampling = SamplingParams(temperature=0.0, max_tokens=24)
    *_, finished = supervisor.client.chat(ChatRequest((ChatMessage("user", PROMPTS[0]),), sampling))
    assert isinstance(finished, ChatFinished)
    assert finished.guesses is not None
    assert finished.guesses.n_drafted >= finished.guesses.n_accepted > 10


def test_vocabularies_are_compared_by_their_texts(dense: Bench) -> None:
    vocabulary = dense.context.vocabulary
    assert vocabulary_difference(vocabulary, vocabulary) == ""


# --- memories that are no plain cache ----------------------------------------------------------------------


def load_tiny(path: Path) -> LlamaContext:
    plan = LoadPlan(path, n_ctx_tokens=512, n_batch_tokens=64, n_parallel=2)
    return load_model(plan, lambda _permille: None)


def test_sliding_window_gives_the_same_tokens(tmp_path: Path) -> None:
    window = {"gpt-oss.attention.sliding_window": 16}
    path = write_model(tmp_path / "tiny.gguf", GPT_OSS, n_experts=4, n_ctx_tokens=512, metadata=window)
    context = load_tiny(path)
    prompt = [10 + (7 * i) % 20 for i in range(200)]
    answers = []
    for speculation in ("off", "lookup"):
        plan = LoadPlan(path, speculation=speculation, is_draft_adaptive=False)
        scheduler = Scheduler(context, speculator=new_speculator(plan, context)[1])
        scheduler.start()
        recorder = Recorder()
        scheduler.submit(prompt, SamplingParams(temperature=0.0, max_tokens=120, ignore_end=True), recorder)
        ending = recorder.wait()
        answers.append(recorder.token_ids)
        scheduler.close()
    context.model.close()
    assert ending.drafted_tokens > 0
    assert answers[0] == answers[1]


@pytest.mark.parametrize(("recipe", "speculation"), [(LFM2MOE, "auto"), (GRANITE_HYBRID, "lookup")])
def test_memory_that_cannot_be_cut_goes_without(
    tmp_path: Path, recipe: Recipe, speculation: Speculation
) -> None:
    """Unless it was asked for by name, and the architecture keeps copies of its state."""
    path = write_model(tmp_path / "tiny.gguf", recipe, n_experts=4, n_ctx_tokens=512)
    plan = LoadPlan(path, speculation=speculation)
    context = load_model(plan, lambda _permille: None)
    assert new_speculator(plan, context) == ("off", None)
    context.model.close()


class HalfRight:
    """Guesses what an answer was before, and from the third token on something else."""

    memory: tuple[DeviceMemory, ...] = ()
    cost_s = 0.0

    def __init__(self, answers: list[list[int]]) -> None:
        self._answers = answers

    def new_draft(self, job: Placed) -> HalfRight:
        return self

    def chance(self, history: Sequence[int]) -> float:
        return 0.5

    def propose(self, history: Sequence[int], n_max: int) -> list[int]:
        n_told = len(history) - N_PROMPT
        (known,) = [
            answer
            for first, answer in enumerate(self._answers)
            if history[0] == 10 + first and answer[:n_told] == list(history[N_PROMPT:])
        ]
        right = known[n_told : n_told + n_max]
        return [token if i < 2 else abs(token - 1) for i, token in enumerate(right)]

    def learn(self, n_drafted: int, n_accepted: int) -> None: ...
    def set_threads(self, n_threads: int) -> None: ...
    def close(self) -> None: ...


@pytest.mark.parametrize("n_at_once", [1, 2])
def test_a_hybrid_goes_back_behind_wrong_guesses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_at_once: int
) -> None:
    path = write_model(tmp_path / "tiny.gguf", LFM2MOE, n_experts=4, n_ctx_tokens=512, chat_template=None)
    plain = [r.token_ids for r in answer_tiny(path, "off", n_at_once)]
    source = HalfRight(plain[:n_at_once])
    monkeypatch.setattr("model_manager.engine.speculation.sources.LookupSource", lambda: source)
    guessed = answer_tiny(path, "lookup", n_at_once)
    assert [r.token_ids for r in guessed] == plain
    n_drafted, n_accepted = counts(guessed)
    assert 0.4 * n_drafted < n_accepted < 0.8 * n_drafted


def test_what_a_hybrid_went_back_to_is_shared_right(tmp_path: Path) -> None:
    path = write_model(tmp_path / "tiny.gguf", LFM2MOE, n_experts=4, n_ctx_tokens=512, chat_template=None)
    plan = LoadPlan(path, n_parallel=2, speculation="lookup")
    context = load_model(plan, lambda _permille: None)
    batch = context.new_batch()

    def logits(sequence_id: int, position: int, tokens: list[int]) -> NDArray[np.float32]:
        batch.clear()
        row = batch.add(sequence_id, position, tokens, wants_logits=True)
        assert context.decode(batch) == 0
        return context.logits(row).copy()

    logits(0, 0, [11, 12, 13])
    wanted = logits(0, 3, [14])
    context.forget(0)
    logits(0, 0, [11, 12, 13, 20, 21])
    assert context.forget(0, 3)
    context.copy(0, 1, 3)
    assert np.allclose(logits(1, 3, [14]), wanted, atol=1e-4)
    assert np.allclose(logits(0, 3, [14]), wanted, atol=1e-4)
    context.model.close()


# --- layers for guessing -----------------------------------------------------------------------------------


N_PROMPT = 101


def answer_tiny(path: Path, speculation: Speculation, n_at_once: int = 1) -> list[Recorder]:
    plan = LoadPlan(
        path,
        n_ctx_tokens=512,
        n_batch_tokens=64,
        n_parallel=2,
        speculation=speculation,
        is_draft_adaptive=False,
    )
    context = load_model(plan, lambda _permille: None)
    kind, speculator = new_speculator(plan, context)
    assert kind == speculation
    scheduler = Scheduler(context, speculator=speculator)
    scheduler.start()
    recorders = []
    for n in range(2 * n_at_once):  # each once fresh and once on what is still there
        recorder = Recorder()
        prompt = [10 + n % n_at_once, *(10 + (7 * i) % 20 for i in range(N_PROMPT - 1))]
        params = SamplingParams(temperature=0.0, max_tokens=60, ignore_end=True)
        scheduler.submit(prompt, params, recorder)
        recorders.append(recorder)
        if (n + 1) % n_at_once == 0:
            for running in recorders:
                running.wait()
    scheduler.close()
    if speculator is not None:
        speculator.close()
    context.model.close()
    return recorders


@pytest.fixture
def mtp_path(tmp_path: Path) -> Path:
    return write_mtp(tmp_path, GLM4MOE_MTP)


def write_mtp(folder: Path, recipe: Recipe) -> Path:
    return write_model(
        folder / "mtp.gguf", recipe, n_experts=4, n_layers=3, n_ctx_tokens=512, chat_template=None
    )


@pytest.mark.parametrize("recipe", [GLM4MOE_MTP, QWEN35MOE_MTP], ids=lambda recipe: recipe.architecture)
@pytest.mark.parametrize("n_at_once", [1, 2])
def test_layers_for_guessing_change_no_token(tmp_path: Path, recipe: Recipe, n_at_once: int) -> None:
    path = write_mtp(tmp_path, recipe)
    plain = answer_tiny(path, "off", n_at_once)
    guessed = answer_tiny(path, "mtp", n_at_once)
    assert [r.token_ids for r in guessed] == [r.token_ids for r in plain]
    assert counts(guessed)[0] > 0


def test_layers_that_know_what_the_model_says_are_always_right(mtp_path: Path) -> None:
    """A model that says after each token what its embedding says, and a layer that sees just that."""
    reader = GGUFReader(mtp_path, "r+")
    for tensor in reader.tensors:
        if "attn_output" in tensor.name or "ffn_down" in tensor.name:
            tensor.data[:] = 0
        elif "eh_proj" in tensor.name:
            tensor.data[:] = np.eye(*tensor.data.shape, dtype=np.float32)
    reader.data.flush()
    plain = answer_tiny(mtp_path, "off")
    guessed = answer_tiny(mtp_path, "mtp")
    assert [r.token_ids for r in guessed] == [r.token_ids for r in plain]
    n_drafted, n_accepted = counts(guessed)
    assert n_accepted > 0.9 * n_drafted > 50


def test_model_without_layers_for_guessing_says_so(dense: Bench) -> None:
    with pytest.raises(NoGuessingLayers):
        new_speculator(dataclasses.replace(dense.plan, speculation="mtp"), dense.context)
