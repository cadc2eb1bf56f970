"""`coterie models fit`: whether a model fits, before it is downloaded."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from app import fits
from app.cli.choices import model_name, positive
from app.cli.output import print_json, print_table
from app.console import Console
from app.fits import Judged
from app.services import Services
from model_manager.kv_cache import ContextSize
from ui import fit_words, formats
from ui.i18n import tr


def add_action(action: Callable[[str, Any, str], argparse.ArgumentParser]) -> None:
    """Declare it."""
    parser = action("fit", show_fit, "whether a model fits, here or on another machine, and how fast it is")
    parser.add_argument("ref", metavar="REF", help="name, file, owner/repo[:QUANT or /file], or a URL")
    parser.add_argument("--context", metavar="N", type=positive, default=0, help="tokens of context")
    parser.add_argument("--kv", choices=("f16", "q8_0", "q4_0"), default="f16", help="of keys and values")
    parser.add_argument("--ram-gib", metavar="G", type=_size, help="main memory of another machine")
    parser.add_argument("--vram-gib", metavar="G", type=_size, help="memory of its graphics cards")


def show_fit(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print the verdict, what the memory is for, and the forecast."""
    judged = fits.judge(
        services,
        model_name(arguments.ref, services, console),
        ContextSize(arguments.context, cache_type_k=arguments.kv, cache_type_v=arguments.kv),
        fits.machine_of(arguments.ram_gib, arguments.vram_gib),
    )
    if arguments.json:
        print_json(console, _as_json(judged))
        return 0
    found, memory = judged.fit, judged.fit.memory
    words = fit_words.verdict(found.verdict, memory.total_bytes, found.paged_bytes, found.fits_ctx_tokens)
    console.out(f"{judged.name}: {words}\n\n")
    rate = judged.forecast.decode_tokens_per_s
    prefill = judged.forecast.prefill_tokens_per_s
    rows = [
        [tr("attention and the like"), formats.size(memory.attention_bytes)],
        [tr("experts"), formats.size(memory.experts_bytes)],
        [
            tr("keys and values of {n} tokens", n=formats.number(judged.context.n_ctx_tokens)),
            formats.size(memory.kv_bytes),
        ],
        [tr("computing"), formats.size(memory.compute_bytes)],
        [tr("vocabulary and the rest"), formats.size(memory.other_bytes)],
    ]
    print_table(console, rows, right=[1])
    plan = found.plan
    console.out("\n")
    print_table(
        console,
        [
            [tr("placement"), fit_words.plan(plan.reason, plan.n_cpu_expert_layers, plan.n_gpu_layers)],
            [
                tr("parameters"),
                tr(
                    "{total}, {active} of them for each token",
                    total=formats.count(found.anatomy.total_params),
                    active=formats.count(found.anatomy.active_params),
                ),
            ],
            [
                tr("answering"),
                "?" if rate is None else tr("{rate} tokens/s", rate=formats.decimal(rate)),
            ],
            [
                tr("reading"),
                "?" if prefill is None else tr("{rate} tokens/s", rate=formats.decimal(prefill)),
            ],
            [tr("speeds are"), fit_words.basis(judged.forecast.basis)],
        ],
    )
    return 0


def _as_json(judged: Judged) -> dict[str, Any]:
    header, found = judged.model.header, judged.fit
    return {
        "model": {
            "architecture": header.architecture,
            "total_params": found.anatomy.total_params,
            "active_params": found.anatomy.active_params,
            "n_layers": header.n_layers,
            "n_experts": header.n_experts,
            "n_experts_used": header.n_experts_used,
            "size_bytes": judged.model.size_bytes,
        },
        "memory": asdict(found.memory) | {"total_bytes": found.memory.total_bytes},
        "verdict": found.verdict,
        "plan": asdict(found.plan),
        "forecast": asdict(judged.forecast),
        "free_bytes": {"ram": judged.machine.ram_bytes, "vram": judged.machine.vram_bytes},
        "fits_ctx_tokens": found.fits_ctx_tokens,
    }


def _size(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1 << 20:
        raise argparse.ArgumentTypeError("must be a size in GiB")
    return value
