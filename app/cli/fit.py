"""`coterie models fit`: whether a model fits, before it is downloaded and after."""

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
from app.machine import machine_of
from app.services import Services
from app.words import sentence
from model_manager.best_fit import Wishes
from model_manager.fit_types import MemoryParts
from model_manager.types import DeviceMemory
from ui import fit_words, formats
from ui.i18n import tr

_PARTS = ("attention_bytes", "experts_bytes", "kv_bytes", "compute_bytes", "other_bytes")
_BAR_COLUMNS = 48


def add_action(action: Callable[[str, Any, str], argparse.ArgumentParser]) -> None:
    """Declare it."""
    parser = action("fit", show_fit, "whether a model fits, here or on another machine, and how fast it is")
    parser.add_argument("ref", metavar="REF", help="name, file, owner/repo[:QUANT or /file], or a URL")
    parser.add_argument("--context", metavar="N", type=positive, default=0, help="tokens of context")
    parser.add_argument("--kv", choices=("f16", "q8_0", "q4_0"), help="of keys and values; else what fits")
    parser.add_argument("--ram-gib", metavar="G", type=_size, help="main memory of another machine")
    parser.add_argument("--vram-gib", metavar="G", type=_size, help="memory of its graphics cards")


def show_fit(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print the verdict, what the memory is for and where it lies, and the forecast."""
    judged = fits.judge(
        services,
        model_name(arguments.ref, services, console),
        Wishes(arguments.context, arguments.kv),
        machine_of(arguments.ram_gib, arguments.vram_gib),
    )
    if arguments.json:
        print_json(console, _as_json(judged))
        return 0
    console.out(f"{judged.name}: {_verdict(judged)}\n\n")
    _print_places(judged, console)
    _print_plan(judged, console)
    _print_figures(judged, console)
    return 0


def _print_places(judged: Judged, console: Console) -> None:
    """The bar of each kind of memory, and what its parts are."""
    machine, places = judged.machine, judged.fit.places
    columns = [(tr("main memory"), places.ram, machine.ram_bytes)]
    if machine.vram_bytes:
        columns.insert(0, (tr("graphics card"), places.device, machine.vram_bytes))
    for title, parts, free_bytes in columns:
        sizes = [getattr(parts, part) for part in _PARTS]
        console.out(f"{fit_words.bar(sizes, free_bytes, _BAR_COLUMNS)}  {title}\n")
    console.out("\n")
    names = fit_words.parts(judged.context.n_ctx_tokens)
    rows = [["", *(title for title, _parts, _free in columns)]]
    for letter, part, name in zip(fit_words.PART_LETTERS, _PARTS, names, strict=True):
        rows.append(
            [f"{letter} {name}", *(formats.size(getattr(parts, part)) for _, parts, _free in columns)]
        )
    rows.append([tr("together"), *(formats.size(parts.total_bytes) for _, parts, _free in columns)])
    rows.append([tr("free"), *(formats.size(free_bytes) for _, _parts, free_bytes in columns)])
    if len(columns) == 1:
        rows = rows[1:]
    print_table(console, rows, right=range(1, len(columns) + 1))
    if places.paged_bytes:
        words = tr("{size} of experts stay on the disk.", size=formats.size(places.paged_bytes))
        console.out(f"{words}\n")
    for name, n_bytes in machine.loaded:
        words = tr("“{name}” is loaded and keeps {size}.", name=name, size=formats.size(n_bytes))
        console.out(f"{words}\n")
    console.out("\n")


def _print_plan(judged: Judged, console: Console) -> None:
    found, plan, forecast = judged.fit, judged.fit.plan, judged.forecast
    rate, prefill = forecast.decode_tokens_per_s, forecast.prefill_tokens_per_s
    context = tr(
        "{n} tokens, keys and values in {type}",
        n=formats.number(judged.context.n_ctx_tokens),
        type=judged.context.cache_type_k,
    )
    why = fit_words.context(
        judged.context_reason,
        judged.context.n_ctx_tokens,
        found.fits_ctx_tokens,
        judged.model.header.n_ctx_train_tokens,
    )
    print_table(
        console,
        [
            [tr("placement"), fit_words.plan(plan.reason, plan.n_cpu_expert_layers, plan.n_gpu_layers)],
            [tr("context"), f"{context}: {why}"],
            [tr("rows at once"), formats.number(plan.n_batch_tokens)],
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
            [tr("speeds are"), fit_words.basis(forecast.basis)],
        ],
    )


def _print_figures(judged: Judged, console: Console) -> None:
    """The header's figure, llama.cpp's and the last load's, side by side, as far as they are there."""
    if judged.probe is None and judged.measured is None and judged.probe_error is None:
        return
    console.out("\n")
    rows = [
        [
            tr("by the header"),
            formats.size(judged.formula.total_bytes),
            tr("{n} tokens", n=formats.number(judged.context.n_ctx_tokens)),
        ]
    ]
    if judged.probe is not None:
        rows.append(
            [
                tr("by llama.cpp"),
                formats.size(judged.fit.memory.total_bytes),
                tr("{n} tokens", n=formats.number(judged.probe.n_ctx_tokens)),
            ]
        )
    if judged.measured is not None:
        rows.append(
            [
                tr("measured, {day}", day=judged.measured.at[:10]),
                formats.size(judged.measured.total_bytes),
                tr("{n} tokens", n=formats.number(judged.measured.n_ctx_tokens)),
            ]
        )
    print_table(console, rows, right=[1, 2])
    if judged.probe_error is not None:
        console.err(f"coterie: {sentence(judged.probe_error)}\n")


def _as_json(judged: Judged) -> dict[str, Any]:
    header, found, machine = judged.model.header, judged.fit, judged.machine
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
        "memory": _parts(found.memory) | {"from": "header" if judged.probe is None else "probe"},
        "places": {
            "vram": _parts(judged.fit.places.device),
            "ram": _parts(judged.fit.places.ram),
            "disk": {"paged_bytes": judged.fit.places.paged_bytes},
        },
        "figures": {
            "header": _parts(judged.formula),
            "probe": None
            if judged.probe is None
            else {
                "n_ctx_tokens": judged.probe.n_ctx_tokens,
                "total_bytes": found.memory.total_bytes,
                "devices": list(map(_device, judged.probe.memory)),
            },
            "probe_error": None if judged.probe_error is None else sentence(judged.probe_error),
            "measured": None
            if judged.measured is None
            else {
                "at": judged.measured.at,
                "n_ctx_tokens": judged.measured.n_ctx_tokens,
                "total_bytes": judged.measured.total_bytes,
                "devices": list(map(_device, judged.measured.memory)),
            },
        },
        "verdict": found.verdict,
        "verdict_words": _verdict(judged),
        "plan": asdict(found.plan) | {"context_reason": judged.context_reason},
        "forecast": asdict(judged.forecast),
        "free_bytes": {"ram": machine.ram_bytes, "vram": machine.vram_bytes},
        "machine": {
            "ram_total_bytes": machine.ram_total_bytes or None,
            "loaded": [{"name": name, "bytes": n_bytes} for name, n_bytes in machine.loaded],
        },
        "fits_ctx_tokens": found.fits_ctx_tokens,
        "fits_file_bytes": judged.fits_file_bytes,
    }


def _verdict(judged: Judged) -> str:
    found = judged.fit
    return fit_words.verdict(
        found.verdict,
        found.memory.total_bytes,
        found.paged_bytes,
        found.fits_ctx_tokens,
        judged.forecast.decode_tokens_per_s,
        judged.fits_file_bytes,
    )


def _parts(memory: MemoryParts) -> dict[str, Any]:
    return asdict(memory) | {"total_bytes": memory.total_bytes}


def _device(memory: DeviceMemory) -> dict[str, Any]:
    return asdict(memory) | {"total_bytes": memory.total_bytes}


def _size(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1 << 20:
        raise argparse.ArgumentTypeError("must be a size in GiB")
    return value
