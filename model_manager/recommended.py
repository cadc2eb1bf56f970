"""How the makers of a model want its tokens chosen, as its file says it.

Source: llama.cpp, src/llama-arch.cpp and common/common.cpp (keys `general.sampling.*`): a value of the
file holds where nobody said otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from model_manager.gguf import GgufHeader

_PREFIX: Final = "general.sampling."
_NAMES: Final[Mapping[str, tuple[str, Callable[[float], bool]]]] = {
    "temp": ("temperature", lambda value: 0 <= value <= 100),
    "top_p": ("top_p", lambda value: 0 < value <= 1),
    "top_k": ("top_k", lambda value: value >= 0),
    "min_p": ("min_p", lambda value: 0 <= value <= 1),
    "penalty_repeat": ("repeat_penalty", lambda value: 0 < value <= 10),
    "xtc_probability": ("xtc_probability", lambda value: 0 <= value <= 1),
    "xtc_threshold": ("xtc_threshold", lambda value: 0 <= value <= 1),
}
"""The file's names, and ours; what our sampler has no stage for (mirostat, an order) is left out."""


def recommended_sampling(header: GgufHeader) -> dict[str, int | float]:
    """Fields of `SamplingParams` that the file sets; one that makes no sense is left out."""
    found: dict[str, int | float] = {}
    for theirs, (ours, makes_sense) in _NAMES.items():
        value = header.metadata.get(_PREFIX + theirs)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            continue
        value = int(value) if ours == "top_k" else round(value, 6)  # the file has 32 bits: 0.6 is 0.60000002
        if makes_sense(value):
            found[ours] = value
    return found


def kept_sampling(values: object) -> dict[str, int | float]:
    """The same, read back from what is remembered of a model."""
    ours = {name for name, _makes_sense in _NAMES.values()}
    if not isinstance(values, Mapping):
        return {}
    return {name: value for name, value in values.items() if name in ours and type(value) in (int, float)}


def filled(fields: Mapping[str, Any], sampling: Mapping[str, Any]) -> dict[str, Any]:
    """A request's fields, with the model's own values where the request names none."""
    return {**fields, **{name: value for name, value in sampling.items() if fields.get(name) is None}}
