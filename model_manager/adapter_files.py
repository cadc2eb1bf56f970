"""Files of LoRA adapters, checked against the model they are meant for before llama.cpp sees them.

Source: llama.cpp@0c1e57098 src/llama-adapter.cpp, which checks the same and less.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from model_manager.errors import AdapterMismatch, AdapterRefused, ModelFileError
from model_manager.gguf import GgufHeader, TensorInfo, read_header
from model_manager.shards import GgufModel
from model_manager.types import Adapter

_A: Final = ".lora_a"
_B: Final = ".lora_b"
_FLIPPED: Final = "token_embd.weight"


def check_adapters(adapters: Sequence[Adapter], model: GgufModel, name: str) -> None:
    """See that adapters are whole and fit a model.

    Args:
        adapters: What is to be used.
        model: The headers of the model's files.
        name: The model's, for errors.

    Raises:
        AdapterRefused: A file is no LoRA adapter.
        AdapterMismatch: One is, of another model.
    """
    tensors = {tensor.name: tensor for tensor in model.tensors()} if adapters else {}
    for adapter in adapters:
        header = _read(adapter.path)
        if header.architecture != model.header.architecture:
            reason = f"made for {header.architecture or 'nothing'}, not {model.header.architecture}"
            raise AdapterMismatch(adapter.path, name, reason)
        _check_tensors(adapter.path, header, tensors, name)


def adapter_bytes(adapters: Sequence[Adapter]) -> int:
    """What adapters take in memory: their tensors.

    Raises:
        AdapterRefused: A file is no LoRA adapter.
    """
    return sum(tensor.size_bytes for adapter in adapters for tensor in _read(adapter.path).tensors)


def _read(path: Path) -> GgufHeader:
    try:
        header = read_header(path)
    except ModelFileError as error:
        raise AdapterRefused(path, error.reason or type(error).__name__) from error
    except OSError as error:
        raise AdapterRefused(path, error.strerror or str(error)) from error
    if header.text("general.type") != "adapter" or header.text("adapter.type") != "lora":
        raise AdapterRefused(path, "not an adapter, or not of the LoRA kind")
    return header


def _check_tensors(path: Path, header: GgufHeader, model: Mapping[str, TensorInfo], name: str) -> None:
    found = {tensor.name: tensor for tensor in header.tensors}
    if not any(tensor.endswith(_A) for tensor in found):
        raise AdapterRefused(path, "it has no tensors")
    for tensor in found:
        if not tensor.endswith((_A, _B, "_norm.weight")):
            raise AdapterRefused(path, f"what is {tensor}?")
    for base_name in {tensor.removesuffix(_A).removesuffix(_B) for tensor in found if "lora_" in tensor}:
        a, b, base = found.get(base_name + _A), found.get(base_name + _B), model.get(base_name)
        if a is None or b is None:
            raise AdapterRefused(path, f"half of {base_name} is missing")
        if base is None:
            raise AdapterMismatch(path, name, f"the model has no {base_name}")
        if not _fits(base, a, b):
            shapes = f"{base.shape}, {a.shape}, {b.shape}"
            raise AdapterMismatch(path, name, f"{base_name} has other sizes: {shapes}")


def _fits(base: TensorInfo, a: TensorInfo, b: TensorInfo) -> bool:
    """Whether a x b has the base's shape; the fastest dimension stands first."""
    base_rows, a_rows, b_rows = (_dims(tensor) for tensor in (base, a, b))
    if base.name == _FLIPPED:
        return base_rows[0] == b_rows[1] and base_rows[1] == a_rows[1]
    return (
        base_rows[0] == a_rows[0]
        and base_rows[1] == b_rows[1]
        and a_rows[1] == b_rows[0]
        and base_rows[2:] == a_rows[2:] == b_rows[2:]
    )


def _dims(tensor: TensorInfo) -> tuple[int, ...]:
    return (*tensor.shape, 1, 1, 1)[:4]
