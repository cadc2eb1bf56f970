"""The starter mixture against its dense original: eight equal experts answer as the one they were."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from model_manager.engine.llama.context import LlamaContext
from model_manager.engine.llama.model import load as load_model
from model_manager.engine.scheduler import Scheduler
from model_manager.types import LoadPlan, SamplingParams
from tests.helpers.answers import Recorder

TEXT = """\
The harbour wakes before the town does. By five o'clock the first boats have already passed the breakwater,
and the men who sort the catch stand around a lamp, drinking coffee out of tin cups. Nobody speaks much. A dog
sleeps under the crates; it belongs to no one and is fed by everyone. When the sun comes up behind the church,
the colours arrive all at once: red floats, green nets, the yellow coats that hang on nails along the wall.
Then the auction begins. A woman with a loud voice calls out the numbers, and the buyers answer by raising a
finger or by looking away. In an hour it is over. The floor is washed with sea water, the lorries leave for
the city, and the children run down the hill on their way to school, because the baker by the bridge sells
yesterday's rolls for almost nothing. An old sailor once told me that he had seen many ports in his life, warm
ones and cold ones, and that all of them smelled of the same three things: salt, tar and bread."""

N_TOKENS = 200
MAX_MEAN_KL_NATS = 0.02
MIN_TOP_1_AGREEMENT = 0.9


@pytest.fixture(scope="module")
def mixture(starter_path: Path) -> Iterator[LlamaContext]:
    yield from _loaded(starter_path)


@pytest.fixture(scope="module")
def dense(dense_path: Path) -> Iterator[LlamaContext]:
    yield from _loaded(dense_path)


def _loaded(path: Path) -> Iterator[LlamaContext]:
    model = load_model(LoadPlan(path, n_ctx_tokens=512, n_parallel=1), lambda _permille: None)
    yield model
    model.model.close()


def log_probabilities(model: LlamaContext, tokens: list[int]) -> NDArray[np.float64]:
    """float64, (n_tokens, n_vocab): of the token that follows each of `tokens`."""
    model.forget(0)
    batch = model.new_batch()
    rows = []
    for position, token_id in enumerate(tokens):
        batch.clear()
        row = batch.add(0, position, [token_id], wants_logits=True)
        assert model.decode(batch) == 0
        logits = model.logits(row).astype(np.float64)
        logits -= logits.max()
        rows.append(logits - np.log(np.exp(logits).sum()))
    return np.stack(rows)


def test_mixture_is_one(mixture: LlamaContext, dense: LlamaContext) -> None:
    assert (mixture.model.describe(mixture).n_experts, mixture.model.describe(mixture).n_experts_used) == (
        8,
        2,
    )
    assert (dense.model.describe(dense).n_experts, dense.model.describe(dense).n_experts_used) == (0, 0)
    assert mixture.vocabulary.tokenize(TEXT, special=False) == dense.vocabulary.tokenize(TEXT, special=False)


def test_next_token_distributions_stay_close_to_the_dense_ones(
    mixture: LlamaContext, dense: LlamaContext
) -> None:
    tokens = dense.vocabulary.tokenize(TEXT, special=False)[:N_TOKENS]
    assert len(tokens) == N_TOKENS
    of_dense, of_mixture = log_probabilities(dense, tokens), log_probabilities(mixture, tokens)
    kl_nats = (np.exp(of_dense) * (of_dense - of_mixture)).sum(axis=1)
    agreement = (of_dense.argmax(axis=1) == of_mixture.argmax(axis=1)).mean()
    assert kl_nats.mean() < MAX_MEAN_KL_NATS
    assert agreement > MIN_TOP_1_AGREEMENT


@pytest.mark.parametrize(
    "question", ["What is the capital of France?", "What is a mixture of experts?", "Tell me about the sea."]
)
def test_greedy_answers_begin_alike(mixture: LlamaContext, dense: LlamaContext, question: str) -> None:
    texts = []
    for model in (mixture, dense):
        scheduler = Scheduler(model)
        scheduler.start()
        answer = Recorder()
        prompt = f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"
        scheduler.submit(
            model.vocabulary.tokenize(prompt, special=True),
            SamplingParams(temperature=0, max_tokens=12),
            answer,
        )
        answer.wait()
        scheduler.close()
        texts.append(answer.text.split())
    assert texts[0][:5] == texts[1][:5]
