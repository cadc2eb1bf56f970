"""What a quantization costs in quality, by its name alone.

Source: llama.cpp at 0c1e57098, tools/quantize/quantize.cpp (`QUANT_OPTIONS`): how much worse a text of
Wikipedia is foretold (perplexity) by Llama 3 8B than with 16 bits, where that table has it. For the others it
has bits per weight, and the grade is that of their neighbours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

Grade = Literal["exact", "same", "near", "good", "fair", "rough", "broken", "unknown"]
"""From "exact" (nothing is lost) over "good" (the usual choice) to "broken" (often nonsense)."""


@dataclass(frozen=True, slots=True)
class Quality:
    """What is known of one quantization.

    Attributes:
        perplexity_increase: At Llama 3 8B, over 16 bits; None where nobody wrote it down.
    """

    grade: Grade
    perplexity_increase: float | None = None


UNKNOWN: Final = Quality("unknown")

_TABLE = MappingProxyType(
    {
        "F32": Quality("exact"),
        "BF16": Quality("exact"),
        "F16": Quality("exact"),
        "Q8_0": Quality("same", 0.0026),
        "Q6_K": Quality("same", 0.0217),
        "Q5_K_M": Quality("near", 0.0569),
        "Q5_K_S": Quality("near", 0.1049),
        "Q5_1": Quality("near", 0.1062),
        "Q5_0": Quality("near", 0.1316),
        "Q4_K_M": Quality("good", 0.1754),
        "MXFP4": Quality("good"),
        "NVFP4": Quality("good"),
        "IQ4_NL": Quality("good"),
        "IQ4_XS": Quality("good"),
        "Q4_K_S": Quality("good", 0.2689),
        "Q4_1": Quality("fair", 0.4511),
        "Q4_0": Quality("fair", 0.4685),
        "Q3_K_L": Quality("fair", 0.5562),
        "Q3_K_M": Quality("fair", 0.6569),
        "IQ3_M": Quality("fair"),
        "IQ3_S": Quality("fair"),
        "IQ3_XS": Quality("rough"),
        "IQ3_XXS": Quality("rough"),
        "Q3_K_S": Quality("rough", 1.6321),
        "IQ2_M": Quality("rough"),
        "IQ2_S": Quality("rough"),
        "Q2_K_S": Quality("broken", 3.1836),
        "Q2_K": Quality("broken", 3.5199),
        "IQ2_XS": Quality("broken"),
        "IQ2_XXS": Quality("broken"),
        "TQ2_0": Quality("broken"),
        "TQ1_0": Quality("broken"),
        "IQ1_M": Quality("broken"),
        "IQ1_S": Quality("broken"),
        "Q2_0": Quality("broken"),
        "Q1_0": Quality("broken"),
    }
)
_ALIASES = MappingProxyType({"Q3_K": "Q3_K_M", "Q4_K": "Q4_K_M", "Q5_K": "Q5_K_M"})


def quality_of(label: str) -> Quality:
    """What a quantization costs.

    Args:
        label: As `references.label` gives it, in any case: "Q4_K_M", "UD-Q4_K_XL", "MXFP4_MOE". Names that a
            publisher has coined from one of the table's (`Q4_K_XL`) count as the nearest one there.
    """
    name = label.upper()
    name = _ALIASES.get(name, name)
    if name in _TABLE:
        return _TABLE[name]
    # A mixture of its own: the grade is a fair guess, the measured figure would be another model's.
    return Quality(_TABLE.get(_nearest(name), UNKNOWN).grade)


def _nearest(name: str) -> str:
    name = name.removeprefix("UD-").removesuffix("_MOE")
    name = re.sub(r"_X{1,2}L$", "_L" if name.startswith("Q3_K") else "_M", name)
    if re.fullmatch(r"Q\d_K_[LM]", name) and name not in _TABLE:
        return "Q8_0" if name.startswith("Q8") else name[:4] if name[:4] in _TABLE else f"{name[:4]}_M"
    return _ALIASES.get(name, name)
