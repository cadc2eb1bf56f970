"""Values such as the pages about models are given, for tests and pictures of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from app import pages
from model_manager.fit_types import FitPlan, Machine, MemoryParts, Places
from model_manager.types import HubFacts, HubFile, StoreInfo
from tests.helpers.window_samples import MODELS
from ui.library.card_html import card_html
from ui.library.values import (
    FileFigures,
    FitFigures,
    FoundModel,
    HubPage,
    MemoryUse,
    ModelFigures,
    OfferLine,
    Shelf,
    Suggestions,
    TensorShare,
)

REPO = "unsloth/Qwen3-30B-A3B-Instruct-2507-GGUF"
FREE = (412_000_000_000, Path("/home/ada/.local/share/coterie/models"))
SHELF = Shelf(MODELS, FREE[1], FREE[0], (StoreInfo("ollama", "Ollama", (Path("/home/ada/.ollama/models"),)),))
FACTS = HubFacts(
    REPO,
    downloads=412_345,
    likes=310,
    trending=12.0,
    modified_at="2025-08-06T10:00:00+00:00",
    license="apache-2.0",
    architecture="qwen3moe",
    total_params=30_532_122_624,
    n_ctx_train_tokens=262_144,
    is_moe=True,
)
FOUND = (
    FoundModel(FACTS, "fits", "Q4_K_M", 18_556_686_912),
    FoundModel(
        HubFacts(
            "ggml-org/gpt-oss-120b-GGUF",
            downloads=90_021,
            likes=77,
            modified_at="2025-09-11T08:00:00+00:00",
            license="apache-2.0",
            architecture="gpt-oss",
            total_params=116_829_156_672,
            is_moe=True,
            is_reasoning=True,
        ),
        "does_not_fit",
        "",
        70_827_000_000,
    ),
    FoundModel(
        HubFacts(
            "somebody-with-a-long-name/A-Model-Whose-Name-Goes-On-And-On-8x7B-Instruct-v0.3-Thinking-GGUF",
            downloads=12,
            is_moe=True,
            is_reasoning=True,
            is_gated=True,
        )
    ),
    FoundModel(
        HubFacts(
            "bartowski/granite-3.1-3b-a800m-instruct-GGUF", downloads=5_120, likes=9, license="apache-2.0"
        ),
        "tight",
        "",
        2_000_000_000,
    ),
)
CARD = """---
license: apache-2.0
---
# Qwen3-30B-A3B-Instruct-2507

A mixture of **30.5 billion** parameters of which 3.3 billion work on each token.
See the [report](https://example.org/report). <script>alert("no")</script>
![a picture](https://example.org/picture.png)

## How to run it

- with `llama-server`
- or with anything else that reads GGUF

```sh
llama-server -m model.gguf --jinja -ngl 99
```

| Benchmark | Score |
|---|---|
| MMLU-Pro | 78.4 |
| GPQA | 70.4 |
"""


def _offer(label: str, size_gb: float, grade: str, increase: float | None, verdict: str) -> OfferLine:
    return OfferLine(
        label,
        f"{REPO}:{label}",
        round(size_gb * 1e9),
        2 if size_gb > 48 else 1,
        grade,
        increase,
        verdict,
        is_recommended=label == "Q4_K_M",
    )


HUB_PAGE = HubPage(
    FACTS,
    is_gated=False,
    offers=(
        _offer("BF16", 61.1, "exact", None, "does_not_fit"),
        _offer("Q8_0", 32.5, "same", 0.0026, "does_not_fit"),
        _offer("Q6_K", 25.1, "same", 0.0217, "tight"),
        _offer("Q5_K_M", 21.7, "near", 0.0569, "tight"),
        _offer("Q4_K_M", 18.6, "good", 0.1754, "fits"),
        _offer("Q3_K_M", 14.7, "fair", 0.6569, "fits"),
        _offer("IQ3_XXS", 12.8, "rough", None, "fits"),
        _offer("Q2_K", 11.3, "broken", 3.5199, "fits"),
    ),
    projectors=(HubFile("mmproj-F16.gguf", 1_200_000_000, None),),
    incomplete=(),
    card=card_html(CARD),
    is_in_catalogue=True,
)
_NOTHING = MemoryParts(0, 0, 0, 0, 0)
_BESIDE_A_CARD = Places(
    MemoryParts(1_210_000_000, 4_225_000_000, 805_000_000, 302_000_000, 255_000_000),
    MemoryParts(0, 12_675_000_000, 0, 0, 385_000_000),
    0,
)
_PAGED = Places(
    _NOTHING,
    MemoryParts(1_210_000_000, 9_043_000_000, 805_000_000, 302_000_000, 640_000_000),
    7_857_000_000,
)


def _figures(machine: Machine, plan: FitPlan, verdict: str, places: Places) -> FitFigures:
    over_bytes, total_bytes = places.paged_bytes, places.whole.total_bytes
    return FitFigures(
        ref=f"{REPO}:Q4_K_M",
        n_ctx_tokens=8192,
        cache_type="f16",
        memory=_on_a_machine_of(
            pages.memory_uses(places, machine),
            machine.ram_bytes + 6_200_000_000,
            6_200_000_000,
        ),
        total_bytes=total_bytes,
        verdict=verdict,
        over_bytes=over_bytes,
        fits_ctx_tokens=0 if over_bytes else 65_536,
        plan_reason=plan.reason,
        n_cpu_expert_layers=plan.n_cpu_expert_layers,
        n_gpu_layers=plan.n_gpu_layers,
        total_params=30_532_122_624,
        active_params=3_345_000_000,
        decode_tokens_per_s=None if over_bytes else 18.4,
        prefill_tokens_per_s=None if over_bytes else 142.0,
        basis="none" if over_bytes else "measured",
        formula_bytes=total_bytes,
        context_reason="usual",
        ctx_choices=(2048, 4096, 8192, 16384, 32768, 65536, 131072, 262144),
    )


def _on_a_machine_of(
    uses: tuple[MemoryUse, ...], total_bytes: int, taken_bytes: int
) -> tuple[MemoryUse, ...]:
    """The same on every machine that takes the pictures."""
    return tuple(
        replace(use, capacity_bytes=total_bytes, taken_bytes=taken_bytes) if use.kind == "main" else use
        for use in uses
    )


FIT = _figures(
    Machine(25_000_000_000, 8_000_000_000),
    FitPlan(8192, "f16", 999, 36, 512, "experts_in_ram"),
    "fits",
    _BESIDE_A_CARD,
)
PAGED = _figures(Machine(12_000_000_000), FitPlan(8192, "f16", 0, 0, 512, "no_device"), "pages", _PAGED)
FILE = FileFigures(
    "apache-2.0",
    "different",
    "",
    "qwen3",
    ((3, 2, ("{%- if tools %}",)), (41, 0, ("{{- message.content }}", "{{- '<|im_end|>' }}"))),
    (
        TensorShare("attention", 1_100_000_000, 5.2, (("Q5_K", 144), ("Q6_K", 48))),
        TensorShare("experts", 15_900_000_000, 4.5, (("Q4_K", 132), ("Q6_K", 12))),
        TensorShare("embeddings", 480_000_000, 6.6, (("Q6_K", 1),)),
    ),
)
FIGURES = ModelFigures(
    fit=replace(FIT, ref=MODELS[2].name),
    file=FILE,
    probed_bytes=19_700_000_000,
    probed_ctx_tokens=8192,
    loaded_bytes=19_690_000_000,
    loaded_ctx_tokens=8192,
    loaded_at="2026-11-20T10:00:00+00:00",
    decode_tokens_per_s=17.9,
    prefill_tokens_per_s=139.0,
    n_answers=12,
)


def suggestions() -> Suggestions:
    """The catalogue on a machine of 32 GiB."""
    found = pages.suggestions({REPO: {"at": "2026-01-01"}})
    return replace(found, tier_gib=32, ram_bytes=33_400_000_000)
