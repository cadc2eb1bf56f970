"""Reading ggml's tensors, whose layout the binding does not know.

The offsets are those of a 64-bit build of llama.cpp@0c1e57098, `ggml/include/ggml.h:685`. `check_layout`
makes tensors and compares what the offsets show of them with what ggml itself says, so that a build with
another layout is refused before anything is misread.
"""

from __future__ import annotations

import ctypes
import functools
import struct
from ctypes import string_at
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import llama_cpp

from model_manager.engine import backends
from model_manager.errors import TracingUnavailable

OP_OFFSET: Final = 80
SOURCES_OFFSET: Final = 152
DATA_OFFSET: Final = 248
NAME_OFFSET: Final = 256
F32, I32 = 0, 26
_NAME_BYTES: Final = 64
_POINTER_BYTES: Final = 8
_HEAD: Final = struct.Struct("<i4xQ4q4Q")
_N_OPS_AT_LEAST: Final = 64  # `ggml_op_name` reads beyond its table for a number that is too large


@dataclass(frozen=True, slots=True)
class Tensor:
    """Where the numbers of a tensor are, and how they lie.

    Attributes:
        address: Of its struct.
        type: `F32`, `I32` or another of ggml's.
        ne: Lengths, the fastest dimension first.
        nb: Bytes from one number to the next along each dimension.
        data: Address of the first number, in the memory of its device.
    """

    address: int
    type: int
    buffer: int
    ne: tuple[int, int, int, int]
    nb: tuple[int, int, int, int]
    data: int


def read_tensor(address: int) -> Tensor:
    """The tensor whose struct lies at an address."""
    type_, buffer, *dimensions = _HEAD.unpack(string_at(address, _HEAD.size))
    data = int.from_bytes(string_at(address + DATA_OFFSET, _POINTER_BYTES), "little")
    return Tensor(address, type_, buffer, tuple(dimensions[:4]), tuple(dimensions[4:]), data)


def name_of(address: int) -> bytes:
    """Its name."""
    return string_at(address + NAME_OFFSET, _NAME_BYTES).partition(b"\0")[0]


def source_of(address: int, index: int) -> int:
    """Address of one of the tensors that it is computed from; 0 where it has fewer."""
    return int.from_bytes(
        string_at(address + SOURCES_OFFSET + _POINTER_BYTES * index, _POINTER_BYTES), "little"
    )


def op_of(address: int) -> bytes:
    """The number of the operation that computes it, as its bytes lie in the struct."""
    return string_at(address + OP_OFFSET, 4)


def read_data(tensor: Tensor, n_bytes: int) -> bytes:
    """The first bytes of a tensor's numbers, from whichever memory they are in."""
    if _is_host(tensor.buffer):
        return string_at(tensor.data, n_bytes)
    copied = ctypes.create_string_buffer(n_bytes)
    _base().ggml_backend_tensor_get(
        ctypes.c_void_p(tensor.address), copied, ctypes.c_size_t(0), ctypes.c_size_t(n_bytes)
    )
    return copied.raw


def _is_host(buffer: int) -> bool:
    # Asked anew each time: the address of a buffer that was freed may come again as one on another device.
    return not buffer or bool(_base().ggml_backend_buffer_is_host(ctypes.c_void_p(buffer)))


@functools.cache
def _base() -> ctypes.CDLL:
    base = backends.library(Path(llama_cpp.__file__).parent, "ggml-base")
    for name in _POINTERS:
        getattr(base, name).restype = ctypes.c_void_p
    base.ggml_get_name.restype = base.ggml_op_name.restype = ctypes.c_char_p
    base.ggml_backend_buffer_is_host.restype = ctypes.c_bool
    return base


# --- the guard -------------------------------------------------------------------------------------------

_POINTERS: Final = (
    "ggml_init",
    "ggml_get_data",
    "ggml_new_tensor_2d",
    "ggml_new_tensor_3d",
    "ggml_argsort_top_k",
    "ggml_mul_mat_id",
)


class _InitParams(ctypes.Structure):
    _fields_ = (
        ("mem_size", ctypes.c_size_t),
        ("mem_buffer", ctypes.c_void_p),
        ("no_alloc", ctypes.c_bool),
    )


@functools.cache
def check_layout() -> bytes:
    """Compare the offsets with what ggml says of tensors that are made for it.

    Returns:
        The operation of a multiplication by chosen experts, as `op_of` gives it.

    Raises:
        TracingUnavailable: This build lays tensors out otherwise.
    """
    base = _base()
    if ctypes.sizeof(ctypes.c_void_p) != _POINTER_BYTES:
        raise TracingUnavailable("not a 64-bit build")
    context = ctypes.c_void_p(base.ggml_init(_InitParams(1 << 16, None, False)))
    if not context:
        raise TracingUnavailable("no memory")
    try:
        return _check_made(base, context)
    finally:
        base.ggml_free(context)


def _check_made(base: ctypes.CDLL, context: ctypes.c_void_p) -> bytes:
    """As a layer of a mixture does it: scores, the best two of five, a product with their matrices."""

    def made(function: str, *arguments: object) -> int:
        return int(getattr(base, function)(context, *arguments))

    def lengths(*ne: int) -> tuple[ctypes.c_int64, ...]:
        return tuple(ctypes.c_int64(n) for n in ne)

    def pointer(address: int) -> ctypes.c_void_p:
        return ctypes.c_void_p(address)

    matrices = made("ggml_new_tensor_3d", F32, *lengths(6, 8, 5))
    rows = made("ggml_new_tensor_3d", F32, *lengths(6, 1, 3))
    scores = made("ggml_new_tensor_2d", F32, *lengths(5, 3))
    ids = made("ggml_argsort_top_k", pointer(scores), 2)
    product = made("ggml_mul_mat_id", pointer(matrices), pointer(rows), pointer(ids))
    base.ggml_set_name(pointer(product), b"ffn_moe_down-3")

    _expect("name", name_of(product), base.ggml_get_name(pointer(product)))
    _expect("sources", tuple(source_of(product, i) for i in range(4)), (matrices, rows, ids, 0))
    op = int.from_bytes(op_of(product), "little")
    _expect("operation", op in range(_N_OPS_AT_LEAST) and base.ggml_op_name(op), b"MUL_MAT_ID")
    for address, expected in (
        (matrices, (F32, (6, 8, 5, 1), (4, 24, 192, 960))),
        # A view of the whole order: its rows are as far apart as those are long.
        (ids, (I32, (2, 3, 1, 1), (4, 20, 60, 60))),
    ):
        tensor = read_tensor(address)
        _expect("shape", (tensor.type, tensor.ne, tensor.nb), expected)
        _expect("data", tensor.data, base.ggml_get_data(pointer(address)))
        _expect("buffer", tensor.buffer, 0)
    return op_of(product)


def _expect(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise TracingUnavailable(f"the {what} of a tensor is read as {found!r} instead of {expected!r}")
