"""What was measured of a model on this machine, in words; for the command line and the window."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ui import formats
from ui.i18n import tr


def in_short(tuning: Mapping[str, Any]) -> str:
    """The speed of a model in a few words; "" where it was not measured."""
    if not tuning:
        return ""
    return tr("measured: {rate} tokens/s", rate=formats.decimal(tuning["after"]["decode_tokens_per_s"]))


def figures(tuning: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Each figure with its name; none where nothing was measured."""
    if not tuning:
        return []
    before, after = tuning["before"], tuning["after"]
    return [
        (tr("measured on"), str(tuning["measured_at"]).partition("T")[0]),
        (tr("reads prompts"), _change(before["prefill_tokens_per_s"], after["prefill_tokens_per_s"])),
        (tr("answers"), _change(before["decode_tokens_per_s"], after["decode_tokens_per_s"])),
    ]


def speed(prefill_tokens_per_s: float, decode_tokens_per_s: float) -> str:
    """Both rates of a run in one line."""
    return tr(
        "reads {prefill}, answers {decode} tokens/s",
        prefill=formats.decimal(prefill_tokens_per_s),
        decode=formats.decimal(decode_tokens_per_s),
    )


def change(name: str, value: object) -> str:
    """One changed field of a plan."""
    values = {True: tr("yes"), False: tr("no"), -1: tr("all layers")}
    shown = values[value] if isinstance(value, bool) or value == -1 else str(value)
    names = {
        "n_threads": tr("threads"),
        "n_threads_batch": tr("threads for prompts"),
        "n_batch_tokens": tr("rows of a call"),
        "n_ubatch_tokens": tr("rows at once"),
        "use_repack": tr("rearranged weights"),
        "cache_type_k": tr("keys"),
        "cache_type_v": tr("values"),
        "n_cpu_expert_layers": tr("experts in main memory"),
    }
    return f"{names.get(name, name)}: {shown}"


def _change(before: float, after: float) -> str:
    rate = tr("{rate} tokens/s", rate=formats.decimal(after))
    if after == before:
        return rate
    return tr("{rate}, before {before}", rate=rate, before=formats.decimal(before))
