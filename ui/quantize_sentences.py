"""What goes wrong while a smaller file is made from a larger one, in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from model_manager import errors as models
from ui import formats
from ui.i18n import tr

_MOST_REASON_CHARACTERS = 200


def _unknown_quantization(error: models.UnknownQuantization) -> str:
    return tr(
        "llama.cpp makes no type “{type}”. Choose one of these: {known}.",
        type=error.type_name,
        known=error.known,
    )


def _needs_imatrix(error: models.NeedsImatrix) -> str:
    return tr(
        "{type} (for {tensor}) is so coarse that it needs an importance matrix, which Coterie does not use. "
        "Choose a finer type, such as Q3_K_M or IQ4_XS, or download a file that was made with one.",
        type=error.type_name,
        tensor=error.tensor,
    )


def _bad_tensor_pattern(error: models.BadTensorPattern) -> str:
    if error.reason:
        return tr(
            "“{pattern}” is no regular expression for names of tensors ({reason}). "
            "Correct it, then try again.",
            pattern=error.pattern,
            reason=error.reason,
        )
    return tr(
        "No tensor of this model that can be quantized matches “{pattern}”. "
        "“coterie models show MODEL --tensors” lists their names.",
        pattern=error.pattern,
    )


def _no_experts(error: models.NoExperts) -> str:
    return tr(
        "“{name}” has no experts, so they can get no type of their own. Leave --experts out.", name=error.name
    )


def _mixed_types_impossible(error: models.MixedTypesImpossible) -> str:
    return tr(
        "Beside {type} no other types are possible. Choose a quantization for the whole, such as Q8_0.",
        type=error.type_name,
    )


def _not_smaller(error: models.NotSmaller) -> str:
    return tr(
        "As {type}, “{name}” would take {needed} instead of {size}, so nothing would be gained. "
        "Choose a smaller type.",
        type=error.type_name,
        name=error.name,
        needed=formats.size(error.needed_bytes),
        size=formats.size(error.size_bytes),
    )


def _quantize_failed(error: models.QuantizeFailed) -> str:
    reason = "".join(filter(str.isprintable, " ".join(error.reason.split())))[:_MOST_REASON_CHARACTERS]
    return tr(
        "llama.cpp could not make a smaller file of “{name}” ({reason}). "
        "Try another type; “coterie models verify” says whether the file itself is sound.",
        name=error.name,
        reason=reason,
    )


def _quantize_cancelled(_error: models.QuantizeCancelled) -> str:
    return tr("Stopped; nothing was made, and the model is as before.")


SENTENCES: dict[type[BaseException], Callable[[Any], str]] = {
    models.UnknownQuantization: _unknown_quantization,
    models.NeedsImatrix: _needs_imatrix,
    models.BadTensorPattern: _bad_tensor_pattern,
    models.NoExperts: _no_experts,
    models.MixedTypesImpossible: _mixed_types_impossible,
    models.NotSmaller: _not_smaller,
    models.QuantizeFailed: _quantize_failed,
    models.QuantizeCancelled: _quantize_cancelled,
}
