"""Models whose memory is not a plain cache of every position: reuse must never change an answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_manager.engine.llama.context import LlamaContext
from model_manager.engine.llama.model import load as load_model
from model_manager.engine.scheduler import Scheduler
from model_manager.types import LoadPlan, SamplingParams
from tests.helpers.answers import Recorder
from tests.helpers.ggufs import GPT_OSS, N_EMBD, N_FF, Recipe, Shapes, write_model

_N_CONV = 3


def _lfm2(layer: int, _n_experts: int) -> Shapes:
    """Short convolutions with a state, and attention in the last layer."""
    ffn: Shapes = {
        "attn_norm.weight": (N_EMBD,),
        "ffn_norm.weight": (N_EMBD,),
        "ffn_gate.weight": (N_FF, N_EMBD),
        "ffn_up.weight": (N_FF, N_EMBD),
        "ffn_down.weight": (N_EMBD, N_FF),
    }
    if layer == 0:
        mixer: Shapes = {
            "shortconv.conv.weight": (N_EMBD, _N_CONV),
            "shortconv.in_proj.weight": (3 * N_EMBD, N_EMBD),
            "shortconv.out_proj.weight": (N_EMBD, N_EMBD),
        }
    else:
        mixer = {
            "attn_q.weight": (N_EMBD, N_EMBD),
            "attn_k.weight": (N_EMBD // 2, N_EMBD),
            "attn_v.weight": (N_EMBD // 2, N_EMBD),
            "attn_output.weight": (N_EMBD, N_EMBD),
            "attn_q_norm.weight": (N_EMBD // 4,),
            "attn_k_norm.weight": (N_EMBD // 4,),
        }
    return {**ffn, **mixer}


HYBRID = Recipe(
    "lfm2",
    _lfm2,
    {"attention.head_count_kv": [0, 2], "shortconv.l_cache": _N_CONV},
    output_norm="token_embd_norm.weight",
)


def load(path: Path) -> LlamaContext:
    plan = LoadPlan(path, n_ctx_tokens=1024, n_batch_tokens=64, n_parallel=3)
    return load_model(plan, lambda _permille: None)


@pytest.fixture(params=["hybrid", "window"])
def model_path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "tiny.gguf"
    if request.param == "hybrid":
        return write_model(path, HYBRID, n_ctx_tokens=1024)
    return write_model(
        path, GPT_OSS, n_experts=4, n_ctx_tokens=1024, metadata={"gpt-oss.attention.sliding_window": 16}
    )


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


def answer(scheduler: Scheduler, prompt: list[int]) -> Recorder:
    recorder = Recorder()
    no_end = {256 + 2 + i: -100.0 for i in range(5)}
    scheduler.submit(prompt, SamplingParams(temperature=0, max_tokens=8, logit_bias=no_end), recorder)
    assert recorder.wait().error is None
    return recorder
