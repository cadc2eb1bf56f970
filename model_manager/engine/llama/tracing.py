"""Watching where the tokens of a mixture go, while llama.cpp computes them.

An evaluation callback is asked before every node of the graph whether it wants to see it. It wants one a
layer: the multiplication by the chosen experts' down matrices, found by its operation and its matrices. Its
third source are the ids, whatever the architecture did to choose them; the weights are the last tensor of
their name before it. The ids are a view of the whole order of experts, so both are read by their strides.

Being asked costs a fraction of a microsecond for each of a thousand nodes, being shown one costs a
synchronisation of the threads; `benchmarks/tracing.py` measures both. Source: notes A1, A2; of
llama.cpp@0c1e57098 src/llama-graph.cpp:2007 (`build_moe_ffn`), ggml/src/ggml-backend.cpp:1814 and
tools/imatrix/imatrix.cpp:236
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ctypes import c_int32, c_int64
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

import numpy as np
from llama_cpp import llama_cpp as native
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from model_manager.engine.llama.tensors import (
    F32,
    I32,
    NAME_OFFSET,
    OP_OFFSET,
    GgmlTensor,
    check_layout,
    read_data,
)
from model_manager.errors import TracingUnavailable

Number = TypeVar("Number", np.int32, np.float32)

# The matrices carry the file's own names. A copy on another device has more around it; those of an adapter
# end otherwise; `ffn_down_chexps` are the second, smaller experts of one architecture.
_DOWN: Final = b"ffn_down_exps"
_DOWN_MATRICES: Final = re.compile(rb"blk\.(\d+)\.ffn_down_exps\.weight(?!\.lora)")
_WEIGHTS: Final = b"ffn_moe_weights"
_WEIGHTS_SUM: Final = b"ffn_moe_weights_sum"
# Seven letters of it as a number, which is compared in no time where a name must be made first.
_WEIGHTS_OFFSET: Final = NAME_OFFSET + 8
_WEIGHTS_MASK: Final = (1 << 56) - 1
_WEIGHTS_LETTERS: Final = int.from_bytes(_WEIGHTS[8:], "little")
_WEIGHTED: Final = b"ffn_moe_weighted"
_tensor_at = GgmlTensor.from_address


@dataclass(frozen=True, slots=True)
class Choices:
    """Where one layer sent the tokens of one call.

    Attributes:
        layer: Its number in the file.
        experts: int32, (n_tokens, n_used); the strongest first.
        weights: float32, (n_tokens, n_used); what the experts' outputs are multiplied by.
    """

    layer: int
    experts: NDArray[np.int32]
    weights: NDArray[np.float32]


class _Table(NamedTuple):
    """A number for each token and rank, as the bytes lay.

    Attributes:
        column: Bytes from token to token.
        rank: Bytes from rank to rank.
    """

    data: bytes
    column: int
    rank: int

    @classmethod
    def read(cls, tensor: GgmlTensor, column: int, rank: int, n_columns: int, n_used: int) -> _Table:
        n_bytes = (n_columns - 1) * column + (n_used - 1) * rank + 4 if n_columns else 0
        return cls(read_data(tensor, n_bytes), column, rank)

    def row(self, column: int, n_used: int) -> bytes:
        """The numbers of one token, which lie side by side."""
        start = column * self.column
        return self.data[start : start + self.rank * n_used]

    def array(self, kind: type[Number], n_columns: int, n_used: int) -> NDArray[Number]:
        flat = np.frombuffer(self.data, kind) if n_columns else np.empty(1, kind)
        return as_strided(flat, (n_columns, n_used), (self.column, self.rank)).copy()


class Seen(NamedTuple):
    """What was read of one layer; made into `Choices` when somebody wants them."""

    layer: int
    n_columns: int
    n_used: int
    experts: _Table
    weights: _Table

    def choices(self) -> Choices:
        """As arrays of their own."""
        shape = self.n_columns, self.n_used
        return Choices(
            self.layer, self.experts.array(np.int32, *shape), self.weights.array(np.float32, *shape)
        )


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was seen during one call, layer by layer."""

    seen: tuple[Seen, ...] = ()

    @property
    def choices(self) -> list[Choices]:
        """Of each layer with experts, in the order of computing."""
        return [seen.choices() for seen in self.seen]


class Tracer:
    """Sees what one context computes. Belongs to the thread that decodes with it.

    Attributes:
        callback: For the context's parameters; native code keeps its address, so it lives as long as this.
        is_on: Whether to look; while it is not, being asked costs little and being shown nothing.
        n_columns: How many of the first tokens of a call to keep; None keeps all.
        last_layer: Computing may end after this layer, for somebody who wants nothing but its choices; what
            a call computes behind it is garbage then. None computes everything.
    """

    def __init__(self, *, weighs_first: bool = False) -> None:
        """Prepare.

        Args:
            weighs_first: The architecture (llama4) multiplies the inputs of its experts and not their
                outputs, so the weights may be overwritten by the time that the experts are computed; they
                are read beside that product instead.

        Raises:
            TracingUnavailable: This build of llama.cpp lays its tensors out otherwise.
        """
        self._op = check_layout()
        self._weighs_first = weighs_first
        self.is_on = False
        self.n_columns: int | None = None
        self.last_layer: int | None = None
        self._asked: list[int] = []
        self._wanted_layer: int | None = None
        self._weights: _Table | None = None
        self._seen: list[Seen] = []
        self._problem: TracingUnavailable | None = None
        self.callback = native.ggml_backend_sched_eval_callback(self._node_callback())

    @classmethod
    def of(cls, architecture: str) -> Tracer:
        """For models of an architecture, as llama.cpp names it.

        Raises:
            TracingUnavailable: See `__init__`.
        """
        return cls(weighs_first=architecture == "llama4")

    def take(self) -> Evaluation:
        """What was seen since the last time.

        Raises:
            TracingUnavailable: Something was not as expected; tracing is off from now on.
        """
        seen, self._seen = self._seen, []
        self._asked.clear()
        if self._problem is not None:
            self.is_on = False
            raise self._problem
        return Evaluation(tuple(seen))

    # --- called by llama.cpp, between two nodes ----------------------------------------------------------

    def _node_callback(self) -> Callable[[int, bool, object], bool]:
        """A function of local names: it is called a thousand times a token, mostly to say no."""
        op, weighs_first = self._op, self._weighs_first
        number_at, note = c_int32.from_address, self._asked.append

        def on_node(address: int, is_question: bool, _user_data: object) -> bool:
            # An exception that left here would count as False, and end the computing.
            try:
                if not is_question:
                    return not self.is_on or self._look(address)
                if not self.is_on:
                    return False
                note(address)
                if number_at(address + OP_OFFSET).value == op:
                    return self._wants(address)
                return weighs_first and _tensor_at(address).name.startswith(_WEIGHTED)
            except Exception as error:  # noqa: BLE001 - must not cross native frames
                self._problem = (
                    error if isinstance(error, TracingUnavailable) else TracingUnavailable(repr(error))
                )
                self.is_on = False
                return not is_question

        return on_node

    def _wants(self, address: int) -> bool:
        """Whether a product with chosen matrices is the one of the layer that ends it."""
        name: bytes = _tensor_at(_tensor_at(address).src[0]).name
        match = _DOWN_MATRICES.search(name) if _DOWN in name else None
        self._wanted_layer = int(match[1]) if match else None
        return match is not None

    def _look(self, address: int) -> bool:
        """A wanted node is computed; what it was computed from is still there. False ends the computing."""
        node, layer = _tensor_at(address), self._wanted_layer
        if layer is None:
            self._weights = self._read_weights(node.src[1])
            return True
        ids = _tensor_at(node.src[2])
        if ids.type != I32:
            raise TracingUnavailable(f"ids of type {ids.type}")
        n_used, n_columns = ids.ne[0], self._n_columns(ids.ne[1])
        experts = _Table.read(ids, ids.nb[1], ids.nb[0], n_columns, n_used)
        weights = self._weights or self._read_weights(self._find_weights())
        self._seen.append(Seen(layer, n_columns, n_used, experts, weights))
        self._weights = self._wanted_layer = None
        self._asked.clear()
        return layer != self.last_layer

    def _n_columns(self, n_tokens: int) -> int:
        return n_tokens if self.n_columns is None else min(n_tokens, self.n_columns)

    def _find_weights(self) -> int:
        """The last of their name: each step of weighing that an architecture has comes after the others."""
        for address in reversed(self._asked):
            if c_int64.from_address(address + _WEIGHTS_OFFSET).value & _WEIGHTS_MASK == _WEIGHTS_LETTERS:
                name: bytes = _tensor_at(address).name
                if name.startswith(_WEIGHTS) and not name.startswith(_WEIGHTS_SUM):
                    return address
        raise TracingUnavailable("no weights before the experts")

    def _read_weights(self, address: int) -> _Table:
        """They are [1, n_used, n_tokens], always: `ggml_get_rows` of single numbers, and reshaped after."""
        weights = _tensor_at(address)
        if weights.type != F32 or weights.ne[0] != 1:
            raise TracingUnavailable(f"weights of type {weights.type} and shape {weights.ne[:]}")
        n_columns = self._n_columns(weights.ne[2])
        return _Table.read(weights, weights.nb[2], weights.nb[1], n_columns, weights.ne[1])
