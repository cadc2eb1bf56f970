"""ggml's tensors, whose layout the binding does not tell.

`GgmlTensor` is that of 64-bit builds of llama.cpp@0c1e57098, `ggml/include/ggml.h:685`. `check_layout` makes
tensors and compares what it shows of them with what ggml itself says, so that a build with another layout is
refused before anything is misread.
"""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path
from typing import Final

import llama_cpp

from model_manager.engine import backends
from model_manager.errors import TracingUnavailable

F32, I32 = 0, 26
_N_OPS_AT_LEAST: Final = 64  # `ggml_op_name` reads beyond its table for a number that is too large


class GgmlTensor(ctypes.Structure):
    """One tensor; `from_address` looks at the one that lies there.

    Attributes:
        type: `F32`, `I32` or another of ggml's.
        ne: Lengths, the fastest dimension first.
        nb: Bytes from one number to the next along each dimension.
        op: Number of the operation that computes it.
        src: Addresses of what it is computed from.
        data: Address of its first number, in the memory of its device.
    """

    _fields_ = (
        ("type", ctypes.c_int32),
        ("buffer", ctypes.c_void_p),
        ("ne", ctypes.c_int64 * 4),
        ("nb", ctypes.c_size_t * 4),
        ("op", ctypes.c_int32),
        ("op_params", ctypes.c_int32 * 16),
        ("flags", ctypes.c_int32),
        ("src", ctypes.c_void_p * 10),
        ("view_src", ctypes.c_void_p),
        ("view_offs", ctypes.c_size_t),
        ("data", ctypes.c_void_p),
        ("name", ctypes.c_char * 64),
    )


OP_OFFSET: Final[int] = GgmlTensor.op.offset
NAME_OFFSET: Final[int] = GgmlTensor.name.offset


def read_data(tensor: GgmlTensor, n_bytes: int) -> bytes:
    """The first bytes of a tensor's numbers, from whichever memory they are in."""
    if n_bytes == 0:
        return b""
    base = _base()
    # Asked each time: the address of a buffer that was freed may come again as one on another device.
    if tensor.buffer is None or base.ggml_backend_buffer_is_host(tensor.buffer):
        return ctypes.string_at(tensor.data, n_bytes)
    copied = ctypes.create_string_buffer(n_bytes)
    base.ggml_backend_tensor_get(ctypes.byref(tensor), copied, ctypes.c_size_t(0), ctypes.c_size_t(n_bytes))
    return copied.raw


@functools.cache
def _base() -> ctypes.CDLL:
    base = backends.library(Path(llama_cpp.__file__).parent, "ggml-base")
    for name in _POINTERS:
        getattr(base, name).restype = ctypes.c_void_p
    base.ggml_get_name.restype = base.ggml_op_name.restype = ctypes.c_char_p
    base.ggml_backend_buffer_is_host.restype = ctypes.c_bool
    base.ggml_backend_buffer_is_host.argtypes = (ctypes.c_void_p,)
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
def check_layout() -> int:
    """Compare `GgmlTensor` with what ggml says of tensors that are made for it.

    Returns:
        The number of the operation that multiplies by chosen experts.

    Raises:
        TracingUnavailable: This build lays tensors out otherwise.
    """
    base = _base()
    if ctypes.sizeof(ctypes.c_void_p) != ctypes.sizeof(ctypes.c_int64):
        raise TracingUnavailable("not a 64-bit build")
    context = ctypes.c_void_p(base.ggml_init(_InitParams(1 << 16, None, False)))
    if not context:
        raise TracingUnavailable("no memory")
    try:
        return _check_made(base, context)
    finally:
        base.ggml_free(context)


def _check_made(base: ctypes.CDLL, context: ctypes.c_void_p) -> int:
    """As a layer of a mixture does it: scores, the best two of five, a product with their matrices."""

    def made(function: str, *arguments: object) -> ctypes.c_void_p:
        return ctypes.c_void_p(getattr(base, function)(context, *arguments))

    def lengths(*ne: int) -> tuple[ctypes.c_int64, ...]:
        return tuple(ctypes.c_int64(n) for n in ne)

    matrices = made("ggml_new_tensor_3d", F32, *lengths(6, 8, 5))
    rows = made("ggml_new_tensor_3d", F32, *lengths(6, 1, 3))
    scores = made("ggml_new_tensor_2d", F32, *lengths(5, 3))
    ids = made("ggml_argsort_top_k", scores, 2)
    made_last = made("ggml_mul_mat_id", matrices, rows, ids)
    base.ggml_set_name(made_last, b"ffn_moe_down-3")

    product = _at(made_last)
    _expect("name", product.name, base.ggml_get_name(made_last))
    _expect("sources", tuple(product.src[:4]), (matrices.value, rows.value, ids.value, None))
    op = product.op
    _expect("operation", op in range(_N_OPS_AT_LEAST) and base.ggml_op_name(op), b"MUL_MAT_ID")
    for address, expected in (
        (matrices, (F32, [6, 8, 5, 1], [4, 24, 192, 960])),
        # A view of the whole order: its rows are as far apart as those are long.
        (ids, (I32, [2, 3, 1, 1], [4, 20, 60, 60])),
    ):
        tensor = _at(address)
        _expect("shape", (tensor.type, tensor.ne[:], tensor.nb[:]), expected)
        _expect("data", tensor.data, base.ggml_get_data(address))
        _expect("buffer", tensor.buffer, None)
    return int(op)


def _at(address: ctypes.c_void_p) -> GgmlTensor:
    return GgmlTensor.from_address(address.value or 0)


def _expect(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise TracingUnavailable(f"the {what} of a tensor is read as {found!r} instead of {expected!r}")
