"""Whether a model fits a machine, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ui import formats
from ui.i18n import tr

PART_LETTERS: Final = "AEKC·"
"""Of a bar's parts: attention, experts, keys and values, computing, the rest."""
_FREE: Final = " "


def parts(n_ctx_tokens: int) -> tuple[str, ...]:
    """What the parts of a bar are, in the order of `PART_LETTERS`."""
    return (
        tr("attention and the like"),
        tr("experts"),
        tr("keys and values of {n} tokens", n=formats.number(n_ctx_tokens)),
        tr("computing"),
        tr("vocabulary and the rest"),
    )


def bar(sizes: Sequence[int], free_bytes: int, n_columns: int) -> str:
    """A bar of letters: each part as wide as its share of what is free; a mark behind it says "too much".

    Args:
        sizes: Of the parts, in the order of `PART_LETTERS`.
        free_bytes: What the bar's whole width means.
        n_columns: That width.
    """
    scale = n_columns / max(1, free_bytes)
    letters, drawn_bytes = "", 0
    for letter, size_bytes in zip(PART_LETTERS, sizes, strict=True):
        drawn_bytes += size_bytes
        letters += letter * (min(2 * n_columns, round(drawn_bytes * scale)) - len(letters))
    return f"[{letters[:n_columns].ljust(n_columns, _FREE)}]{'!' if len(letters) > n_columns else ' '}"


def context(reason: str, n_tokens: int, fits_tokens: int, trained_tokens: int) -> str:
    """Why a context has its length, and how long another may be.

    Args:
        reason: See `model_manager.best_fit.ContextReason`.
        n_tokens: Its length.
        fits_tokens: The longest that would fit; no more than the model was trained for.
        trained_tokens: That; 0 where its file does not say.
    """
    words = _reason(reason)
    if 0 < trained_tokens < n_tokens:
        return tr("{why}; it was trained for {n} tokens", why=words, n=formats.number(trained_tokens))
    if fits_tokens > n_tokens:
        return tr("{why}; up to {n} tokens fit", why=words, n=formats.number(fits_tokens))
    return words


def _reason(name: str) -> str:
    if name == "asked":
        return tr("as you asked")
    if name == "smaller_values":
        return tr("in half the size, so that it fits")
    if name == "shorter":
        return tr("shorter, so that it fits")
    if name == "shorter_and_smaller":
        return tr("shorter and in half the size, so that it fits")
    return tr("the usual length")


def verdict(
    name: str,
    needed_bytes: int,
    over_bytes: int,
    fits_ctx_tokens: int,
    rate: float | None = None,
    fits_file_bytes: int = 0,
) -> str:
    """One sentence for a verdict of `model_manager.fit`.

    Args:
        name: One of its four.
        needed_bytes: What the model takes with the context that was asked for.
        over_bytes: By how much that is too much.
        fits_ctx_tokens: The longest context that would fit; 0 for none.
        rate: Tokens a second that are forecast; None where nobody knows.
        fits_file_bytes: Size of a file like this one that would fit; 0 where nobody knows.
    """
    needed, over = formats.size(needed_bytes), formats.size(over_bytes)
    if name == "fits":
        return tr("It fits: {needed} of memory.", needed=needed)
    if name == "tight":
        return tr("It just fits: {needed} of memory. Close other programs first.", needed=needed)
    if name == "pages" and rate is not None:
        return tr(
            "It needs {needed}, {over} more than is free: experts that rest would be read from the disk "
            "again and again, at about {rate} tokens/s.",
            needed=needed,
            over=over,
            rate=formats.decimal(rate),
        )
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
    if fits_file_bytes > 0:
        return tr(
            "It does not fit: it needs {needed}, {over} more than is free. "
            "A file of at most {most} would fit.",
            needed=needed,
            over=over,
            most=formats.size(fits_file_bytes),
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
    if name == "card":
        return tr("a guess, from the speed of this computer's memory and of an ordinary graphics card")
    if name == "disk":
        return tr("a guess, from the speed of this computer's memory and disk")
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
        if n_cpu_expert_layers < 0:
            return tr("attention of {n} layers on the graphics card, all else in main memory", n=n_gpu_layers)
        return tr("{n} layers on the graphics card, the others in main memory", n=n_gpu_layers)
    return tr("on the processor")
