"""What a model consists of, from its headers alone: parameters, bytes by role, bytes that a token reads."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

from model_manager.gguf import TensorInfo
from model_manager.kv_cache import MAX_LAYERS
from model_manager.shards import GgufModel

_EXPERTS: Final = re.compile(r"_(ch)?exps\.")
_INPUT: Final = ("token_embd.", "per_layer_token_embd.", "position_embd.", "token_types.")
_LAYER: Final = re.compile(r"blk\.(\d+)\.")


@dataclass(frozen=True, slots=True)
class LayerBytes:
    """Weights of one layer."""

    shared_bytes: int = 0
    experts_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Anatomy:
    """The parts of a model.

    Attributes:
        active_params: Those that work on one token: everything but the experts that rest, and of the table
            of tokens one row.
        experts_bytes: Of the routed experts; of these a token reads the share `used_share`.
        input_bytes: Of the table of tokens, of which a token reads one row.
        output_bytes: Of the matrix that makes logits; the table of tokens again where the file has no other.
        shared_bytes: All the rest: attention, shared experts, routers, norms.
        used_share: Of the experts, for one token; 1.0 for a dense model.
        is_tied: The table of tokens also makes the logits.
        layers: The first one first; those for guessing ahead are empty.
    """

    total_params: int
    active_params: int
    experts_bytes: int
    input_bytes: int
    output_bytes: int
    shared_bytes: int
    used_share: float
    is_tied: bool
    layers: tuple[LayerBytes, ...]

    @property
    def size_bytes(self) -> int:
        """Of all weights, each counted once."""
        tied = self.output_bytes if self.is_tied else 0
        return self.experts_bytes + self.input_bytes + self.output_bytes + self.shared_bytes - tied

    @property
    def token_bytes(self) -> int:
        """Weights that are read to compute one token."""
        return int(self.shared_bytes + self.output_bytes + self.experts_bytes * self.used_share)


def anatomy_of(model: GgufModel) -> Anatomy:
    """The parts of a model, from its tensor tables."""
    header = model.header
    used_share = header.n_experts_used / header.n_experts if header.n_experts else 1.0
    total = active = 0.0
    sizes = {"experts": 0, "input": 0, "output": 0, "shared": 0}
    layers = [LayerBytes()] * min(header.n_layers, MAX_LAYERS)
    n_input = 0
    n_loaded = header.n_layers - header.hyperparameter("nextn_predict_layers")
    for tensor in model.tensors():
        layer, role = _layer_of(tensor), _role_of(tensor)
        if layer >= n_loaded > 0:
            continue  # the last layers are for guessing ahead, and not loaded as a rule
        n_params = math.prod(tensor.shape)
        sizes[role] += tensor.size_bytes
        total += n_params
        if 0 <= layer < len(layers):
            layers[layer] = _with(layers[layer], tensor, role)
        if role == "input":
            n_input += n_params
        else:
            active += n_params * (used_share if role == "experts" else 1)
    is_tied = not sizes["output"]
    if is_tied:
        sizes["output"] = sizes["input"]
        active += n_input
    return Anatomy(
        total_params=int(total),
        active_params=int(active),
        experts_bytes=sizes["experts"],
        input_bytes=sizes["input"],
        output_bytes=sizes["output"],
        shared_bytes=sizes["shared"],
        used_share=used_share,
        is_tied=is_tied,
        layers=tuple(layers),
    )


def _layer_of(tensor: TensorInfo) -> int:
    match = _LAYER.match(tensor.name)
    return int(match[1]) if match else -1


def _with(layer: LayerBytes, tensor: TensorInfo, role: str) -> LayerBytes:
    if role == "experts":
        return LayerBytes(layer.shared_bytes, layer.experts_bytes + tensor.size_bytes)
    return LayerBytes(layer.shared_bytes + tensor.size_bytes, layer.experts_bytes)


def _role_of(tensor: TensorInfo) -> str:
    if _EXPERTS.search(tensor.name):
        return "experts"
    if tensor.name.startswith(_INPUT):
        return "input"
    return "output" if tensor.name.startswith("output.") else "shared"
