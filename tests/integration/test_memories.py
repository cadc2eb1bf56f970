"""Models whose memory is not a plain cache of every position: reuse must never change an answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from model_manager.engine.checkpoints import TAIL_TOKENS
from model_manager.engine.llama.context import LlamaContext
from model_manager.engine.llama.model import load as load_model
from model_manager.engine.prompt_cache import PromptCache
from model_manager.engine.scheduler import Scheduler
from model_manager.types import LoadPlan, SamplingParams
from tests.helpers.answers import Recorder
from tests.helpers.ggufs import GPT_OSS, GRANITE_HYBRID, LFM2MOE, N_EMBD, Recipe, Shapes, write_model

N_CTX = 1024


def _mamba(_layer: int, _n_experts: int) -> Shapes:
    """Nothing but a recurrent state."""
    n_inner, n_state, n_dt = 2 * N_EMBD, 16, 4
    return {
        "attn_norm.weight": (N_EMBD,),
        "ssm_in.weight": (2 * n_inner, N_EMBD),
        "ssm_conv1d.weight": (n_inner, 4),
        "ssm_conv1d.bias": (n_inner,),
        "ssm_x.weight": (n_dt + 2 * n_state, n_inner),
        "ssm_dt.weight": (n_inner, n_dt),
        "ssm_dt.bias": (n_inner,),
        "ssm_a": (n_inner, n_state),
        "ssm_d": (n_inner,),
        "ssm_out.weight": (N_EMBD, n_inner),
    }


MAMBA = Recipe(
    "mamba",
    _mamba,
    {"ssm.conv_kernel": 4, "ssm.inner_size": 2 * N_EMBD, "ssm.state_size": 16, "ssm.time_step_rank": 4},
)
WINDOW = {"gpt-oss.attention.sliding_window": 16}
MEMORIES: dict[str, Callable[[Path], Path]] = {
    "recurrent": lambda path: write_model(path, MAMBA, n_ctx_tokens=N_CTX),
    "convolutions": lambda path: write_model(path, LFM2MOE, n_experts=4, n_ctx_tokens=N_CTX),
    "hybrid": lambda path: write_model(path, GRANITE_HYBRID, n_experts=4, n_ctx_tokens=N_CTX),
    "window": lambda path: write_model(path, GPT_OSS, n_experts=4, n_ctx_tokens=N_CTX, metadata=WINDOW),
}


def load(path: Path) -> LlamaContext:
    plan = LoadPlan(path, n_ctx_tokens=N_CTX, n_batch_tokens=64, n_parallel=3, n_threads=1)
    return load_model(plan, lambda _permille: None)


@pytest.fixture(params=MEMORIES)
def model_path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return MEMORIES[request.param](tmp_path / "tiny.gguf")


def test_reuse_gives_the_tokens_of_a_fresh_context(model_path: Path) -> None:
    model = load(model_path)
    text = [10 + (7 * i) % 200 for i in range(700)]
    prompts = [
        text[:500],
        text[:500],  # again: the last token must be computed once more
        text[:300],  # an edit far back
        [*text[:300], 9, 8, 7],  # a branch
        text[:20],
        [*text[:20], 3, 4],
    ]
    fresh = []
    for prompt in prompts:
        scheduler = Scheduler(model)
        scheduler.start()
        fresh.append(answer(scheduler, prompt).token_ids)
        scheduler.close()
    scheduler = Scheduler(model)
    scheduler.start()
    reused = [answer(scheduler, prompt) for prompt in prompts]
    # The next turn of a chat: everything before is kept by every kind of memory.
    longer = [*prompts[-1], *reused[-1].token_ids, 5, 6]
    last = answer(scheduler, longer)
    scheduler.close()
    model.model.close()
    assert [recorder.token_ids for recorder in reused] == fresh
    assert last.wait().cached_tokens >= len(longer) - 3


@pytest.mark.parametrize("is_restarted", [False, True], ids=["resident", "from_a_file"])
def test_going_back_costs_a_few_tokens_and_gives_what_a_cold_prompt_gives(
    model_path: Path, tmp_path: Path, is_restarted: bool
) -> None:
    """Another answer, the next question, and another question in its place."""
    model = load(model_path)

    def life() -> Scheduler:
        cache = PromptCache(tmp_path / "prompts", {}, "tiny", 10**9, can_cut=False)
        scheduler = Scheduler(model, cache=cache if is_restarted else None)
        scheduler.start()
        return scheduler

    def cold(prompt: list[int]) -> list[int]:
        scheduler = Scheduler(model)
        scheduler.start()
        tokens = answer(scheduler, prompt).token_ids
        scheduler.close()
        return tokens

    prompt = [10 + (7 * i) % 200 for i in range(500)]
    scheduler = life()
    first = answer(scheduler, prompt)
    seen = []
    turns = [*prompt, *first.token_ids]
    for wanted in (prompt, [*turns, *range(20, 120)], [*turns, *range(50, 150)]):
        if is_restarted:
            scheduler.close()
            scheduler = life()
        again = answer(scheduler, wanted)
        seen.append((again.wait().cached_tokens, again.token_ids))
    scheduler.close()
    expected = [cold(prompt), cold([*turns, *range(20, 120)]), cold([*turns, *range(50, 150)])]
    model.model.close()
    assert first.token_ids == expected[0]
    assert [tokens for _, tokens in seen] == expected
    n_answered = len(turns) - 1  # the last token was chosen, not computed
    # A window that has not been written over yet gives back even more.
    for (n_cached, _), at_least in zip(
        seen, (len(prompt) - TAIL_TOKENS, n_answered, n_answered), strict=True
    ):
        assert n_cached >= at_least


def answer(scheduler: Scheduler, prompt: list[int]) -> Recorder:
    recorder = Recorder()
    no_end = {256 + 2 + i: -100.0 for i in range(5)}
    scheduler.submit(prompt, SamplingParams(temperature=0, max_tokens=8, logit_bias=no_end), recorder)
    assert recorder.wait().error is None
    return recorder
