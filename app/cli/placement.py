"""`coterie models plan` and `probe`: how a model is loaded, and what that takes."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from app.cli.choices import model_name
from app.cli.output import print_json, print_table
from app.console import Console
from app.errors import BadUsage
from app.services import Services
from model_manager import plans
from model_manager.engine.launch import plan_body
from model_manager.remote_devices import is_elsewhere
from model_manager.types import ALL_LAYERS, LoadPlan, ModelEntry
from ui import formats, placement_words, speculation_words, tuning_words
from ui.i18n import tr

_ALL = "all"
_KV = ("f16", "q8_0", "q4_0")


def add_actions(action: Callable[[str, Any, str], argparse.ArgumentParser]) -> None:
    """Declare both."""
    plan = action("plan", show_plan, "how a model is loaded; with options, how it is from now on")
    plan.add_argument("name", metavar="MODEL")
    plan.add_argument("--reset", action="store_true", help="forget what was set, before other options")
    for option, kind, text in (
        ("--ctx", _rows_or_none, "tokens of context; 0 for the setting's or the model's own"),
        ("--batch", _rows, "rows of one decode call"),
        ("--ubatch", _rows_or_none, "rows computed at once; less takes less memory"),
        ("--parallel", _answers, "answers computed together, 1 to 8; they share the context"),
        ("--threads", _threads, "decode threads; 0 chooses"),
        ("--threads-batch", _threads, "threads that read prompts; 0 is as many"),
        ("--gpu-layers", _layers, "so many layers on devices, or all"),
        ("--cpu-experts", _layers, "experts of the first N layers in main memory, or all"),
        ("--experts", _count, "active experts; 0 for the model's own"),
    ):
        plan.add_argument(option, metavar="N", type=kind, help=text)
    plan.add_argument("--kv", choices=_KV, help="numbers of keys and values")
    plan.add_argument("--kv-k", choices=_KV, help="of keys alone")
    plan.add_argument("--kv-v", choices=_KV, help="of values alone")
    plan.add_argument("--load-mode", choices=("auto", "none", "mmap", "mlock"), help="how the file is read")
    plan.add_argument(
        "--repack", action=argparse.BooleanOptionalAction, help="rearranged weights: faster, but a copy"
    )
    plan.add_argument(
        "--override",
        metavar="PATTERN=DEVICE",
        type=_override,
        action="append",
        help="tensors on a device; may be repeated",
    )
    plan.add_argument(
        "--rpc",
        metavar="HOST:PORT",
        type=_endpoint,
        action="append",
        help="llama.cpp's RPC server; may be repeated",
    )
    plan.add_argument(
        "--speculation",
        choices=("auto", "off", "lookup", "draft", "mtp"),
        help="where guesses of the next tokens come from",
    )
    plan.add_argument("--draft", metavar="MODEL", help="a smaller model that guesses; none for none")
    action("probe", probe, "what loading would take").add_argument("name", metavar="MODEL")


def show_plan(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print a plan; change it first where options say so."""
    changes = _changes(arguments)
    if arguments.draft is not None:
        changes["draft_path"] = _draft_path(arguments.draft, services, console)
    entry = services.library.get(model_name(arguments.name, services, console))
    services.engines.plan_for(entry)  # a starter's file is made by this, a damaged one is said in its words
    _require_draft(changes, {} if arguments.reset else entry.plan)
    if arguments.reset:
        entry = services.library.reset_plan(entry.name)
    if changes:
        entry = services.library.set_plan(entry.name, changes)
    plan = services.engines.plan_for(entry)
    words = warnings_of(entry)
    if arguments.json:
        print_json(console, _plan_json(entry, plan) | {"warnings": words})
        return 0
    print_table(console, _plan_rows(entry, plan))
    for text in words:
        console.err(f"coterie: {text}\n")
    return 0


def probe(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print what loading a model as planned would take."""
    entry = services.library.get(model_name(arguments.name, services, console))
    plan = services.engines.plan_for(entry)
    found = services.vetting.forecast(plan)
    if arguments.json:
        devices = [
            asdict(memory) | {"total_bytes": memory.total_bytes, "free_bytes": free}
            for memory, free in zip(found.memory, found.free_bytes, strict=True)
        ]
        print_json(
            console,
            {
                "name": entry.name,
                "n_ctx_tokens": found.n_ctx_tokens,
                "n_layers_offloaded": found.n_layers_offloaded,
                "is_repacked": found.is_repacked,
                "devices": devices,
            },
        )
        return 0
    parts = (
        tr("weights"),
        tr("keys, values"),
        tr("state"),
        tr("computing"),
        tr("output"),
        tr("adapters"),
        tr("vision"),
    )
    rows = [["", *parts, tr("together"), tr("free")]]
    for memory, free in zip(found.memory, found.free_bytes, strict=True):
        sizes = (
            memory.weights_bytes,
            memory.kv_bytes,
            memory.state_bytes,
            memory.compute_bytes,
            memory.output_bytes,
            memory.adapter_bytes,
            memory.vision_bytes,
            memory.total_bytes,
            free,
        )
        rows.append([placement_words.device_name(memory.device), *map(formats.size, sizes)])
    print_table(console, rows, right=range(1, len(rows[0])))
    console.out(tr("for a context of {n} tokens", n=formats.number(found.n_ctx_tokens)) + "\n")
    return 0


# --- options ---------------------------------------------------------------------------------------------


def _changes(arguments: argparse.Namespace) -> dict[str, Any]:
    wanted = {
        "n_ctx_tokens": arguments.ctx,
        "n_batch_tokens": arguments.batch,
        "n_ubatch_tokens": arguments.ubatch,
        "n_parallel": arguments.parallel,
        "n_threads": arguments.threads,
        "n_threads_batch": arguments.threads_batch,
        "n_gpu_layers": 999 if arguments.gpu_layers == ALL_LAYERS else arguments.gpu_layers,
        "n_cpu_expert_layers": arguments.cpu_experts,
        "n_experts_used": arguments.experts,
        "cache_type_k": arguments.kv_k or arguments.kv,
        "cache_type_v": arguments.kv_v or arguments.kv,
        "load_mode": arguments.load_mode,
        "use_repack": arguments.repack,
        "tensor_overrides": arguments.override,
        "speculation": arguments.speculation,
        "rpc_devices": arguments.rpc,
    }
    return {name: value for name, value in wanted.items() if value is not None}


def _require_draft(changes: Mapping[str, Any], kept: Mapping[str, Any]) -> None:
    wanted = {**kept, **changes}
    if wanted.get("speculation") == "draft" and wanted.get("draft_path") is None:
        words = tr("No model is named that could guess. Name a smaller one of the same family with --draft.")
        raise BadUsage(f"coterie: {words}")


def _draft_path(name: str, services: Services, console: Console) -> str | None:
    if name == "none":
        return None
    draft = services.library.get(model_name(name, services, console))
    services.engines.plan_for(draft)  # as below: a starter's file is made by this
    return str(draft.paths[0])


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text} is no whole number from 0 on")
    return int(text)


def _rows(text: str) -> int:
    value = _count(text)
    if value < plans.LEAST_ROWS:
        raise argparse.ArgumentTypeError(f"{text} is below {plans.LEAST_ROWS}")
    return value


def _rows_or_none(text: str) -> int:
    return _count(text) and _rows(text)


def _threads(text: str) -> int:
    value = _count(text)
    if value > plans.MOST_THREADS:
        raise argparse.ArgumentTypeError(f"{text} is above {plans.MOST_THREADS}")
    return value


def _answers(text: str) -> int:
    value = _count(text)
    if not 1 <= value <= plans.MOST_PARALLEL:
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and {plans.MOST_PARALLEL}")
    return value


def _layers(text: str) -> int:
    return ALL_LAYERS if text == _ALL else _count(text)


def _override(text: str) -> list[str]:
    pattern, _equals, device = text.rpartition("=")
    if not pattern or not device:
        raise argparse.ArgumentTypeError(f"{text} is not PATTERN=DEVICE, as in ffn_.*_exps=CPU")
    return [pattern, device]


def _endpoint(text: str) -> str:
    host, _colon, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise argparse.ArgumentTypeError(f"{text} is not HOST:PORT, as in 192.168.1.7:50052")
    return text


# --- what is shown ---------------------------------------------------------------------------------------


def warnings_of(entry: ModelEntry) -> list[str]:
    """What whoever uses a model as it is planned should know."""
    elsewhere = [endpoint for endpoint in entry.plan.get("rpc_devices", ()) if is_elsewhere(endpoint)]
    return placement_words.warnings(entry.plan.get("n_experts_used", 0), entry.n_experts_used, elsewhere)


def _plan_json(entry: ModelEntry, plan: LoadPlan) -> dict[str, Any]:
    body = plan_body(plan)
    return {
        "name": entry.name,
        "plan": {name: body[name] for name in plans.FIELDS},
        "adapters": body["adapters"],
        "set": sorted(entry.plan),
        "tuning": dict(entry.tuning) or None,
    }


def _plan_rows(entry: ModelEntry, plan: LoadPlan) -> list[list[str]]:
    own = tr("the model's own")
    chosen = tr("chosen for this computer")

    def or_number(value: int, words: str) -> str:
        return formats.number(value) if value else words

    rows = {
        "n_ctx_tokens": (tr("context"), or_number(plan.n_ctx_tokens, own)),
        "n_batch_tokens": (tr("rows of a call"), formats.number(plan.n_batch_tokens)),
        "n_ubatch_tokens": (tr("rows at once"), or_number(plan.n_ubatch_tokens, tr("all of a call"))),
        "n_parallel": (tr("answers together"), formats.number(plan.n_parallel)),
        "n_threads": (tr("threads"), or_number(plan.n_threads, chosen)),
        "n_threads_batch": (tr("threads for prompts"), or_number(plan.n_threads_batch, tr("as many"))),
        "n_gpu_layers": (
            tr("layers on devices"),
            tr("as many as there are") if plan.n_gpu_layers >= 999 else formats.number(plan.n_gpu_layers),
        ),
        "n_cpu_expert_layers": (
            tr("experts in main memory"),
            placement_words.layers(plan.n_cpu_expert_layers),
        ),
        "n_experts_used": (tr("active experts"), or_number(plan.n_experts_used, own)),
        "cache_type_k": (tr("keys"), plan.cache_type_k),
        "cache_type_v": (tr("values"), plan.cache_type_v),
        "load_mode": (tr("reading the file"), plan.load_mode),
        "use_repack": (tr("rearranged weights"), tr("yes") if plan.use_repack else tr("no")),
    }
    rows["speculation"] = (tr("guessing ahead"), speculation_words.source(plan.speculation))
    if plan.draft_path is not None:
        rows["draft_path"] = (tr("draft model"), str(plan.draft_path))
    by_measuring = entry.tuning.get("changes", {})
    marked = tr("set for this model")
    shown = [
        [*row, tr("measured") if field in by_measuring else marked if field in entry.plan else ""]
        for field, row in rows.items()
    ]
    shown += [[tr("tensors on a device"), f"{pattern} = {d}", marked] for pattern, d in plan.tensor_overrides]
    shown += [[tr("computes, too"), endpoint, marked] for endpoint in plan.rpc_devices]
    shown += [[tr("adapter"), f"{a.path} x {a.scale:g}", marked] for a in plan.adapters]
    return shown + [[*row, ""] for row in tuning_words.figures(entry.tuning)]
