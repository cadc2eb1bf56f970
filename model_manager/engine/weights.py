"""How many bytes of a model's tensors go to which device, and which of them stay pages of the file.

Layers go where llama.cpp says they do; the tensor table says how large they are.
Source: llama.cpp@0c1e57098 src/llama-model.cpp (the input stays with the processor), llama-model-loader.cpp
(overrides; a tied output is a second copy wherever its buffer is another), ggml/src/ggml-cpu/repack.cpp.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from model_manager.engine.memory import LoadReport, device_of
from model_manager.gguf import TensorInfo
from model_manager.tensor_patterns import MAIN_MEMORY

_LAYER = re.compile(r"blk\.(\d+)\.")
_INPUT: Final = ("token_embd.", "per_layer_token_embd.", "position_embd.", "token_types.")
_X86: Final = frozenset({"Q4_0", "Q4_K", "IQ4_NL", "MXFP4"})
_ARM: Final = _X86 | {"Q5_K", "Q6_K", "Q8_0", "Q1_0"}
# Matrices that are not multiplied with as a whole, so that the processor leaves them as they are.
_NEVER_REPACKED = re.compile(r"(^token_embd|norm|ssm_conv|shortconv\.conv|attn_[kv]_b|_embd|rope_)")


@dataclass(frozen=True, slots=True)
class Weights:
    """Bytes of weights on one device.

    Attributes:
        repacked_bytes: Those of `size_bytes` that the processor rearranges.
        span_bytes: From the first to the last of those that it leaves alone, in each file: where a file is
            mapped, this much of it stays mapped, with what lies between and is used elsewhere.
    """

    size_bytes: int = 0
    repacked_bytes: int = 0
    span_bytes: int = 0

    def __add__(self, other: Weights) -> Weights:
        return Weights(
            self.size_bytes + other.size_bytes,
            self.repacked_bytes + other.repacked_bytes,
            self.span_bytes + other.span_bytes,
        )


def weights_by_device(
    files: Iterable[Sequence[TensorInfo]],
    report: LoadReport,
    overrides: Sequence[tuple[str, str]],
    buffer_names: Mapping[str, str],
    system_info: str,
) -> dict[str, Weights]:
    """Where the weights of a model go.

    Args:
        files: The tensors of each of its files.
        report: Of a load without weights, for the layers' devices.
        overrides: Pattern and device, as the load had them.
        buffer_names: As in `memory.device_memory`.
        system_info: llama.cpp's line about the processor.
    """
    compiled = [(re.compile(pattern), device_of(device, buffer_names)) for pattern, device in overrides]
    kinds = repackable(system_info) if report.is_repacked else frozenset()
    output_device = device_of(report.layers.get(max(report.layers, default=0), MAIN_MEMORY), buffer_names)
    found: dict[str, Weights] = {MAIN_MEMORY: Weights()}
    names: set[str] = set()

    def place(tensor: TensorInfo, device: str, *, is_input: bool) -> bool:
        """Whether it stays in the pages of its file."""
        repacked = device == MAIN_MEMORY and not is_input and _is_repacked(tensor, kinds)
        added = Weights(tensor.size_bytes, tensor.size_bytes if repacked else 0)
        found[device] = found.get(device, Weights()) + added
        return device == MAIN_MEMORY and not repacked

    tied: TensorInfo | None = None
    for tensors in files:
        staying: list[TensorInfo] = []
        for tensor in tensors:
            if tensor.name in report.unused:
                continue
            names.add(tensor.name)
            tied = tensor if tensor.name == "token_embd.weight" else tied
            device = MAIN_MEMORY
            layer = _LAYER.match(tensor.name)
            is_input = tensor.name.startswith(_INPUT)
            if layer is not None:
                device = device_of(report.layers.get(int(layer[1]), MAIN_MEMORY), buffer_names)
            elif not is_input:
                device = output_device
            device = next((wanted for pattern, wanted in compiled if pattern.search(tensor.name)), device)
            if place(tensor, device, is_input=is_input):
                staying.append(tensor)
        if staying:
            first, last = staying[0], staying[-1]  # a table is in the order of the data
            found[MAIN_MEMORY] += Weights(span_bytes=last.offset + last.size_bytes - first.offset)
    if tied is None or "output.weight" in names:
        return found
    if output_device != MAIN_MEMORY or _is_repacked(tied, kinds, as_output=True):
        repacked = tied.size_bytes if output_device == MAIN_MEMORY else 0
        found[output_device] = found.get(output_device, Weights()) + Weights(tied.size_bytes, repacked)
    return found


def repackable(system_info: str) -> frozenset[str]:
    """Number formats that this processor's kernels want in an order of their own."""
    words = system_info.replace("|", " ")
    has = {name for name, value in re.findall(r"(\w+) = (\d)", words) if value == "1"}
    if "AVX2" in has:
        return _X86 | ({"Q2_K"} if "AVX512" in has else set())
    return _ARM if "NEON" in has and "DOTPROD" in has else frozenset()


def _is_repacked(tensor: TensorInfo, kinds: frozenset[str], *, as_output: bool = False) -> bool:
    n_dims = len([length for length in tensor.shape if length > 1])
    is_product = n_dims == 2 or (n_dims == 3 and "exps" in tensor.name)
    is_left_alone = not as_output and _NEVER_REPACKED.search(tensor.name) is not None
    return tensor.type.name in kinds and is_product and tensor.shape[1] % 8 == 0 and not is_left_alone
