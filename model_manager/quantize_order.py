"""What a smaller file is to be like: the type of the whole, and of some tensors another one.

Source: llama.cpp@0c1e57098 tools/quantize/quantize.cpp (`QUANT_OPTIONS`), src/llama-quant.cpp
(`tensor_allows_quantization`, `llama_tensor_get_type`: of several patterns the first that matches wins, and
none counts where the type of the whole is no quantization).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from model_manager.errors import (
    BadOverride,
    BadTensorPattern,
    MixedTypesImpossible,
    NoExperts,
    UnknownQuantization,
)
from model_manager.ggml_types import FILE_TYPES, TYPES
from model_manager.gguf import TensorInfo
from model_manager.shards import GgufModel
from model_manager.tensor_patterns import check_pattern

EXPERTS_PATTERN: Final = r"_(ch)?exps\."
ATTENTION_PATTERN: Final = r"\.attn_"
_PLAIN: Final = ("F32", "F16", "BF16")
_NOT_MADE: Final = ("Q8_1", "Q8_K", "I8", "I16", "I32", "I64", "F64")

FILE_TYPE_IDS: Final[Mapping[str, int]] = MappingProxyType(
    # NVFP4 is a format of published files, and none of the types that llama.cpp makes a whole file of.
    {label: number for number, label in FILE_TYPES.items() if label != "NVFP4"}
)
"""Types of whole files, as `enum llama_ftype` numbers them."""
_ALIASES: Final = MappingProxyType(
    {"MXFP4_MOE": "MXFP4", "Q3_K": "Q3_K_M", "Q4_K": "Q4_K_M", "Q5_K": "Q5_K_M", "FP16": "F16", "FP32": "F32"}
)
TENSOR_TYPE_IDS: Final[Mapping[str, int]] = MappingProxyType(
    {kind.name: kind.id for kind in TYPES.values() if kind.name not in _NOT_MADE}
)
"""Types of single tensors, as `enum ggml_type` numbers them."""
_NEED_IMATRIX: Final = ("IQ3_XXS", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ1_M", "IQ1_S")
_TABLES: Final = ("token_embd.weight", "per_layer_token_embd.weight", "output.weight")


@dataclass(frozen=True, slots=True)
class QuantizeOrder:
    """One job.

    Attributes:
        source: The first file of the model.
        type_name: A key of `FILE_TYPE_IDS`.
        tensor_types: Patterns, each with a key of `TENSOR_TYPE_IDS`; the first that matches counts.
    """

    source: Path
    type_name: str
    tensor_types: tuple[tuple[str, str], ...] = ()

    def to_body(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "source": str(self.source),
            "type": self.type_name,
            "tensor_types": [list(pair) for pair in self.tensor_types],
        }

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> QuantizeOrder:
        """The inverse of `to_body`."""
        pairs = tuple((pattern, kind) for pattern, kind in body["tensor_types"])
        return cls(Path(body["source"]), body["type"], pairs)


def order_for(
    model: GgufModel,
    name: str,
    type_name: str,
    *,
    experts: str | None = None,
    attention: str | None = None,
    tensors: Sequence[tuple[str, str]] = (),
) -> QuantizeOrder:
    """An order that this model can fulfil.

    Args:
        model: The larger one.
        name: Of it, for errors.
        type_name: Of the whole, in any case: "q4_k_m".
        experts: Another type for the routed experts.
        attention: Another type for the matrices of the attention.
        tensors: Patterns of tensor names, each with a type; they count before the two above.

    Raises:
        UnknownQuantization: llama.cpp makes no such type.
        MixedTypesImpossible: Another type for some tensors, beside one that is no quantization.
        NoExperts: There are none.
        BadTensorPattern: It is none, or matches no tensor that can be quantized.
    """
    whole = file_type(type_name)
    wanted = list(tensors)
    if experts is not None:
        if not any(re.search(EXPERTS_PATTERN, tensor.name) for tensor in model.tensors()):
            raise NoExperts(name)
        wanted.append((EXPERTS_PATTERN, experts))
    if attention is not None:
        wanted.append((ATTENTION_PATTERN, attention))
    if wanted and whole in _PLAIN:
        raise MixedTypesImpossible(whole)
    names = [tensor.name for tensor in model.tensors() if can_be_quantized(tensor)]
    for pattern, _kind in wanted:
        try:
            check_pattern(pattern, names)
        except BadOverride as error:
            raise BadTensorPattern(pattern, error.reason) from error
    pairs = tuple((pattern, tensor_type(kind)) for pattern, kind in wanted)
    return QuantizeOrder(model.paths[0], whole, pairs)


def file_type(label: str) -> str:
    """The key of `FILE_TYPE_IDS` that somebody means.

    Raises:
        UnknownQuantization: None.
    """
    name = label.strip().upper()
    name = _ALIASES.get(name, name)
    if name not in FILE_TYPE_IDS:
        raise UnknownQuantization(label, ", ".join(sorted(FILE_TYPE_IDS)))
    return name


def tensor_type(label: str) -> str:
    """The key of `TENSOR_TYPE_IDS` that somebody means; of "Q4_K_M", a mixture, its main type.

    Raises:
        UnknownQuantization: None.
    """
    name = label.strip().upper()
    name = {"FP16": "F16", "FP32": "F32", "MXFP4_MOE": "MXFP4"}.get(name, name)
    name = re.sub(r"^(Q[2-6]_K)_[SML]$", r"\1", name)
    if name not in TENSOR_TYPE_IDS:
        raise UnknownQuantization(label, ", ".join(sorted(TENSOR_TYPE_IDS)))
    return name


def can_be_quantized(tensor: TensorInfo) -> bool:
    """Whether llama.cpp would touch it, as far as name and shape tell; a few more it leaves alone."""
    is_matrix = sum(length > 1 for length in tensor.shape) >= 2
    is_kept = "_norm.weight" in tensor.name or "ffn_gate_inp" in tensor.name
    return is_matrix and tensor.name.endswith("weight") and not is_kept


def needs_imatrix(tensor_name: str, tensor_type_name: str, file_type_name: str) -> bool:
    """Whether llama.cpp refuses a tensor in this type, for its quality would be nonsense."""
    if tensor_name in _TABLES:
        return False
    is_coarse_k = tensor_type_name == "Q2_K" and file_type_name == "Q2_K_S"
    return tensor_type_name in _NEED_IMATRIX or is_coarse_k


def result_name(name: str, source_type: str, order: QuantizeOrder) -> str:
    """What the result is called where nobody says: the model's name with the new type in place of the old."""
    stem = (
        re.sub(rf"[-._ ]+(UD-)?{re.escape(source_type)}$", "", name, flags=re.IGNORECASE)
        if source_type
        else name
    )
    return f"{stem}-{order.type_name}{'-mixed' if order.tensor_types else ''}"
