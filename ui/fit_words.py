"""Whether a model fits a machine, in words."""

from __future__ import annotations

from ui import formats
from ui.i18n import tr


def verdict(name: str, needed_bytes: int, over_bytes: int, fits_ctx_tokens: int) -> str:
    """One sentence for a verdict of `model_manager.fit`.

    Args:
        name: One of its four.
        needed_bytes: What the model takes with the context that was asked for.
        over_bytes: By how much that is too much.
        fits_ctx_tokens: The longest context that would fit; 0 for none.
    """
    needed, over = formats.size(needed_bytes), formats.size(over_bytes)
    if name == "fits":
        return tr("It fits: {needed} of memory.", needed=needed)
    if name == "tight":
        return tr("It just fits: {needed} of memory. Close other programs first.", needed=needed)
    if name == "pages":
        return tr(
            "It needs {needed}, {over} more than is free: experts that rest would be read from the disk "
            "again and again, slowly.",
            needed=needed,
            over=over,
        )
    if fits_ctx_tokens:
        return tr(
            "It does not fit: it needs {needed}, {over} more than is free. "
            "A context of {n} tokens would fit.",
            needed=needed,
            over=over,
            n=formats.number(fits_ctx_tokens),
        )
    return tr(
        "It does not fit: it needs {needed}, {over} more than is free. Choose a smaller one.",
        needed=needed,
        over=over,
    )


def basis(name: str) -> str:
    """Where a forecast of the speed comes from."""
    if name == "measured":
        return tr("from answers on this computer")
    if name == "memory":
        return tr("a guess, from the speed of this computer's memory")
    return tr("not known")


def plan(reason: str, n_cpu_expert_layers: int, n_gpu_layers: int) -> str:
    """How it would be loaded, and why."""
    if reason == "all_on_device":
        return tr("all of it on the graphics card")
    if reason == "experts_in_ram":
        if n_cpu_expert_layers < 0:
            return tr("attention on the graphics card, all experts in main memory")
        return tr("all on the graphics card but the experts of the first {n} layers", n=n_cpu_expert_layers)
    if reason == "layers_split":
        return tr("{n} layers on the graphics card, the others in main memory", n=n_gpu_layers)
    return tr("on the processor")
