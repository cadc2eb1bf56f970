"""`coterie models quantize`: a smaller model out of a larger one."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable
from typing import Any

from app import quantize_words
from app.cli.choices import model_name
from app.cli.failures import INTERRUPTED
from app.cli.output import print_json
from app.cli.progress import ProgressLine
from app.console import Console
from app.keep_awake import keep_awake
from app.quantizing import Job
from app.services import Services
from model_manager.errors import QuantizeCancelled
from model_manager.types import ModelEntry
from ui.i18n import tr


def add_action(action: Callable[[str, Any, str], argparse.ArgumentParser]) -> None:
    """Declare it."""
    parser = action("quantize", quantize, "make a smaller model out of a larger one")
    parser.add_argument("name", metavar="MODEL", help="an entry of the library, or a file")
    parser.add_argument("type", metavar="TYPE", help="of the whole: Q8_0, Q6_K, Q5_K_M, Q4_K_M, Q4_0, …")
    parser.add_argument("--experts", metavar="TYPE", help="another one for the routed experts")
    parser.add_argument("--attention", metavar="TYPE", help="another one for the attention")
    parser.add_argument(
        "--tensor",
        metavar="PATTERN=TYPE",
        dest="tensors",
        action="append",
        default=[],
        type=_pair,
        help="another one for the tensors whose names match; the first pattern that matches counts",
    )
    parser.add_argument("--output", metavar="NAME", help="name of the new model")


def quantize(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Make it; Ctrl+C stops and leaves nothing."""
    job = services.quantizing.prepare(
        model_name(arguments.name, services, console),
        arguments.type,
        experts=arguments.experts,
        attention=arguments.attention,
        tensors=arguments.tensors,
        output=arguments.output,
    )
    warnings = quantize_words.warnings(job)
    for words in warnings if not arguments.json else ():
        console.err(f"coterie: {words}\n")
    line, is_stopped = ProgressLine(console), threading.Event()

    def show(done_bytes: int, total_bytes: int) -> None:
        if arguments.json:
            print_json(console, {"type": "progress", "done_bytes": done_bytes, "total_bytes": total_bytes})
        else:
            line.show_share(done_bytes, total_bytes)

    try:
        with keep_awake(), console.on_interrupt(is_stopped.set):
            entry = services.quantizing.run(job, show, is_stopped.is_set)
    except QuantizeCancelled:
        line.clear()
        console.err(f"coterie: {tr('Stopped; nothing was made, and the model is as before.')}\n")
        return INTERRUPTED
    line.clear()
    if arguments.json:
        print_json(console, _as_json(job, entry, warnings))
        return 0
    console.out(f"{quantize_words.made(job, entry)}\n")
    return 0


def _as_json(job: Job, entry: ModelEntry, warnings: list[str]) -> dict[str, Any]:
    types: dict[str, int] = {}
    for tensor in job.plan.tensors:
        types[tensor.new_type_name] = types.get(tensor.new_type_name, 0) + tensor.new_bytes
    return {
        "type": "done",
        "name": entry.name,
        "path": str(entry.paths[0]),
        "sha256": entry.sha256[0] if entry.sha256 else None,
        "size_bytes": entry.size_bytes,
        "original": {"name": job.entry.name, "size_bytes": job.model.size_bytes},
        "quantization": job.order.type_name,
        "bytes_by_type": types,
        "n_fallbacks": job.plan.n_fallbacks,
        "warnings": warnings,
    }


def _pair(text: str) -> tuple[str, str]:
    pattern, equals, kind = text.rpartition("=")
    if not (pattern and equals and kind):
        raise argparse.ArgumentTypeError("must be PATTERN=TYPE, such as ffn_down_exps=Q4_K")
    return pattern, kind
