"""What a person, or a measurement on this machine, wants of one model's load plan; kept with its entry.

The values are JSON under the names of `LoadPlan`'s fields, only those that somebody set. They lie in the
entry's record, under `info["plan"]`; adapters beside them, under `info["adapters"]`, what a measurement of
speed found, under `info["tuning"]`, and the memory of the last load, under `info["measured"]`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final, get_args

from model_manager.tuning import Tuning
from model_manager.types import ALL_LAYERS, Adapter, EngineInfo, KvType, LoadMode, LoadPlan, Speculation

KEPT_KEYS: Final = ("plan", "adapters", "tuning", "measured", "mmproj")
"""Of a record's `info`: they survive a new look at the files."""


LEAST_ROWS: Final = 32
"""Of a decode call, and of a context: with fewer nothing can be computed that makes sense."""

MOST_THREADS: Final = 512
"""Source: llama.cpp@0c1e57098 ggml/include/ggml.h, GGML_MAX_N_THREADS"""

MOST_PARALLEL: Final = 8
"""Answers that a model computes together."""

_RATES: Final = ("prefill_tokens_per_s", "decode_tokens_per_s")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_threads(value: object) -> bool:
    return isinstance(value, int) and _is_count(value) and value <= MOST_THREADS


def _is_rows(value: object) -> bool:
    return isinstance(value, int) and _is_count(value) and value >= LEAST_ROWS


def _is_layers(value: object) -> bool:
    return value == ALL_LAYERS or _is_count(value)


def _is_texts(value: object) -> bool:
    return isinstance(value, Sequence) and all(isinstance(item, str) for item in value)


def _is_overrides(value: object) -> bool:
    return isinstance(value, Sequence) and all(_is_texts(item) and len(item) == 2 for item in value)


FIELDS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "n_ctx_tokens": lambda value: value == 0 or _is_rows(value),
    "n_batch_tokens": _is_rows,
    "n_ubatch_tokens": lambda value: value == 0 or _is_rows(value),
    "n_threads": _is_threads,
    "n_threads_batch": _is_threads,
    "n_parallel": lambda value: _is_count(value) and 1 <= value <= MOST_PARALLEL,
    "n_gpu_layers": _is_count,
    "n_cpu_expert_layers": _is_layers,
    "tensor_overrides": _is_overrides,
    "cache_type_k": lambda value: value in get_args(KvType),
    "cache_type_v": lambda value: value in get_args(KvType),
    "load_mode": lambda value: value in get_args(LoadMode),
    "use_repack": lambda value: isinstance(value, bool),
    "n_experts_used": _is_count,
    "rpc_devices": _is_texts,
    "speculation": lambda value: value in get_args(Speculation),
    "draft_path": lambda value: isinstance(value, str),
}
"""Each field that can be kept, with what its value must be."""


def kept_values(value: object) -> dict[str, Any]:
    """What was kept, as far as it is of this form: an older or newer program may have written it."""
    if not isinstance(value, Mapping):
        return {}
    return {name: value[name] for name, is_good in FIELDS.items() if name in value and is_good(value[name])}


def kept_adapters(value: object) -> tuple[Adapter, ...]:
    """The adapters that were kept."""
    rows = value if isinstance(value, Sequence) and not isinstance(value, str) else ()
    return tuple(
        Adapter(Path(row["path"]), float(row.get("scale", 1.0)))
        for row in rows
        if isinstance(row, Mapping) and isinstance(row.get("path"), str)
    )


def adapter_values(adapters: Sequence[Adapter]) -> list[dict[str, Any]]:
    """The inverse of `kept_adapters`."""
    return [{"path": str(adapter.path), "scale": adapter.scale} for adapter in adapters]


def kept_tuning(value: object) -> dict[str, Any]:
    """What was measured; see `tuning_values`."""
    if not isinstance(value, Mapping):
        return {}
    speeds = (value.get("before"), value.get("after"))
    numbers = [speed.get(rate) for speed in speeds if isinstance(speed, Mapping) for rate in _RATES]
    is_whole = len(numbers) == 4 and all(isinstance(number, int | float) for number in numbers)
    return dict(value) if is_whole and isinstance(value.get("measured_at"), str) else {}


def tuning_values(found: Tuning, measured_at: str) -> dict[str, Any]:
    """What is kept of a measurement.

    Args:
        found: It; something was measured.
        measured_at: Day and time, in ISO 8601.
    """
    assert found.before is not None
    assert found.after is not None
    return {
        "measured_at": measured_at,
        "changes": dict(found.changes),
        "gain": found.gain,
        "before": asdict(found.before),
        "after": asdict(found.after),
    }


def changed(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Values after some were set, or taken back with None.

    Raises:
        ValueError: A change is none of `FIELDS` or has a value that it cannot have.
    """
    for name, value in changes.items():
        if value is not None and not FIELDS.get(name, lambda _value: False)(value):
            raise ValueError(f"{name}={value!r}")
    merged = dict(values) | dict(changes)
    return {name: value for name, value in merged.items() if value is not None}


def noted(plan: LoadPlan, info: EngineInfo) -> dict[str, Any]:
    """How a model was loaded, for the record of an answer: what is not the default, and what became of it."""
    defaults = LoadPlan(plan.model_path)
    values = {name: getattr(plan, name) for name in FIELDS if getattr(plan, name) != getattr(defaults, name)}
    if plan.draft_path is not None:
        values["draft_path"] = str(plan.draft_path)
    if plan.adapters:
        values["adapters"] = adapter_values(plan.adapters)
    return values | {"n_ctx_tokens": info.n_ctx_tokens, "n_threads": info.n_threads}


def applied(plan: LoadPlan, values: Mapping[str, Any], adapters: Sequence[Adapter] = ()) -> LoadPlan:
    """A plan with what was kept."""
    fields = dict(values)
    if "tensor_overrides" in fields:
        fields["tensor_overrides"] = tuple(
            (pattern, device) for pattern, device in fields["tensor_overrides"]
        )
    if "rpc_devices" in fields:
        fields["rpc_devices"] = tuple(fields["rpc_devices"])
    if "draft_path" in fields:
        fields["draft_path"] = Path(fields["draft_path"])
    return replace(plan, **fields, adapters=tuple(adapters))
