"""Headers of GGUF files: metadata and the tensor table, read without trusting a byte of them.

Our own reader and not the gguf library's: that one maps the whole file and makes an array of every value,
dies of damaged input in many ways, and cannot read a header over the network.

    "GGUF" | u32 version | u64 n_tensors | u64 n_values
    n_values  x  key string | u32 type | value
    n_tensors x  name string | u32 n_dims | u64 dims[n_dims] | u32 type | u64 offset
    padding to the alignment, then the tensors' data

Source: ggml, docs/gguf.md; where it leaves room, what llama.cpp at 0c1e57098 accepts (ggml/src/gguf.cpp).
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from model_manager.errors import NotGguf, TruncatedGguf, UnsupportedGguf
from model_manager.ggml_types import FILE_TYPES, TYPES, GgmlType
from model_manager.gguf_cursor import Cursor, ReadAt

DEFAULT_ALIGNMENT = 32
_MAX_VALUES = 1 << 16
_MAX_TENSORS = 1 << 16
_MAX_KEY_BYTES = (1 << 16) - 1
_MAX_TENSOR_NAME_BYTES = 63
_MAX_DIMS = 4
_MAX_ITEMS = 8 << 20
_MAX_NESTING = 4
_KEPT_ITEMS = 4096
"""Longest array (a number for each layer, say) that is kept; longer ones (vocabularies) are on demand."""

_PREAMBLE = struct.Struct("<IQQ")
_U32 = struct.Struct("<I")
_ARRAY_HEAD = struct.Struct("<IQ")
_STRING, _ARRAY = 8, 9
_SCALARS = {
    0: struct.Struct("<B"),
    1: struct.Struct("<b"),
    2: struct.Struct("<H"),
    3: struct.Struct("<h"),
    4: struct.Struct("<I"),
    5: struct.Struct("<i"),
    6: struct.Struct("<f"),
    7: struct.Struct("<?"),
    10: struct.Struct("<Q"),
    11: struct.Struct("<q"),
    12: struct.Struct("<d"),
}


@dataclass(frozen=True, slots=True)
class SkippedArray:
    """An array that was passed over.

    Attributes:
        item_type: GGUF's number of the items' type.
    """

    item_type: int
    length: int


GgufValue: TypeAlias = "int | float | bool | str | SkippedArray | tuple[GgufValue, ...]"


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One row of the tensor table.

    Attributes:
        shape: Fastest dimension first, as ggml counts: a matrix is (row length, rows).
        offset: Bytes from the header's `data_offset`.
    """

    name: str
    type: GgmlType
    shape: tuple[int, ...]
    offset: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """All that stands before the tensors' data.

    Attributes:
        data_offset: Where the data begins, in bytes from the beginning of the file.
        size_bytes: Of the whole file.
    """

    version: int
    metadata: Mapping[str, GgufValue]
    tensors: tuple[TensorInfo, ...]
    alignment: int
    data_offset: int
    size_bytes: int

    @property
    def architecture(self) -> str:
        """Such as "qwen3moe"; empty where the file does not say."""
        return self.text("general.architecture")

    @property
    def chat_template(self) -> str | None:
        """The default one; None where the file has none."""
        return self.text("tokenizer.chat_template") or None

    @property
    def n_layers(self) -> int:
        """Transformer blocks; 0 where the file does not say."""
        return self.hyperparameter("block_count")

    @property
    def n_experts(self) -> int:
        """Routed experts of a layer; 0 for a dense model."""
        return self.hyperparameter("expert_count")

    @property
    def n_experts_used(self) -> int:
        """Experts that answer for one token; 0 for a dense model."""
        return self.hyperparameter("expert_used_count")

    @property
    def n_ctx_train_tokens(self) -> int:
        """The context that the model was trained for; 0 where the file does not say."""
        return self.hyperparameter("context_length")

    @property
    def n_splits(self) -> int:
        """Files that the model is split into, this one included; 1 for a whole one."""
        return max(1, self.integer("split.count"))

    @property
    def quantization(self) -> str:
        """Such as "Q4_K_M"; from the tensors where the file does not say; empty where it has no tensors."""
        # Absent means 0 in llama.cpp, so 0 is believed only if it is there.
        label = FILE_TYPES.get(self.integer("general.file_type"), "")
        if label and "general.file_type" in self.metadata:
            return label
        sizes: Counter[str] = Counter()
        for tensor in self.tensors:
            sizes[tensor.type.name] += tensor.size_bytes
        return sizes.most_common(1)[0][0] if sizes else ""

    def text(self, key: str) -> str:
        """A string of the metadata; empty where it is absent or something else."""
        value = self.metadata.get(key)
        return value if isinstance(value, str) else ""

    def integer(self, key: str) -> int:
        """An integer of the metadata, the largest of an array; 0 where it is absent or something else."""
        value = self.metadata.get(key)
        items = value if isinstance(value, tuple) else (value,)
        return max((item for item in items if isinstance(item, int)), default=0)

    def hyperparameter(self, name: str) -> int:
        """An integer that stands under the architecture's prefix, such as `qwen3moe.expert_count`."""
        return self.integer(f"{self.architecture}.{name}")


def read_header(path: Path, keep: Collection[str] = ()) -> GgufHeader:
    """The header of a file on this machine.

    Args:
        path: The file; of a split model, this one shard is read.
        keep: Keys whose arrays are wanted whole, however long.

    Raises:
        NotGguf: It does not begin like a GGUF file.
        TruncatedGguf: It ends too early, in the header or in the tensors' data.
        DamagedGguf: It contradicts itself, or is larger than any header is.
        UnsupportedGguf: A version, byte order or number format that we do not know.
        OSError: It cannot be read at all.
    """
    with path.open("rb") as file:
        size_bytes = file.seek(0, 2)

        def read_at(offset: int, n_bytes: int) -> bytes:
            file.seek(offset)
            return file.read(n_bytes)

        return read_header_from(read_at, size_bytes, path=path, keep=keep)


def read_header_from(
    read_at: ReadAt,
    size_bytes: int,
    *,
    path: Path | str = "",
    keep: Collection[str] = (),
    chunk_bytes: int = 256 << 10,
) -> GgufHeader:
    """The header of a file that is read piece by piece, over the network for instance.

    Args:
        read_at: See `gguf_cursor.ReadAt`; what it raises passes through.
        size_bytes: Of the whole file.
        path: For errors: the file's name or address.
        keep: As in `read_header`.
        chunk_bytes: What is asked for at once, if more is not needed.

    Raises:
        NotGguf, TruncatedGguf, DamagedGguf, UnsupportedGguf: As in `read_header`.
    """
    cursor = Cursor(read_at, size_bytes, path, chunk_bytes)
    if size_bytes < 4 or cursor.take(4) != b"GGUF":
        raise NotGguf(path, "no GGUF magic")
    version, n_tensors, n_values = cursor.unpack(_PREAMBLE)
    if not version & 0xFFFF:
        raise UnsupportedGguf(path, "big-endian")
    if version not in (2, 3):
        raise UnsupportedGguf(path, f"version {version}")
    if n_values > _MAX_VALUES or n_tensors > _MAX_TENSORS:
        raise cursor.damaged(f"{n_values} values and {n_tensors} tensors")
    metadata = _metadata(cursor, n_values, keep)
    alignment = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
    if not isinstance(alignment, int) or alignment < 1 or alignment & (alignment - 1):
        raise cursor.damaged(f"an alignment of {alignment!r}")
    tensors = tuple(_tensor(cursor, path) for _ in range(n_tensors))
    data_offset = _padded(cursor.position, alignment)
    _check_layout(cursor, path, tensors, alignment, data_offset)
    return GgufHeader(version, metadata, tensors, alignment, data_offset, size_bytes)


def _metadata(cursor: Cursor, n_values: int, keep: Collection[str]) -> dict[str, GgufValue]:
    cursor.require(n_values * 13)  # A key's length, a type and one byte each, so that a huge count ends here.
    metadata: dict[str, GgufValue] = {}
    for _ in range(n_values):
        key = _name(cursor, _MAX_KEY_BYTES)
        if key in metadata:
            raise cursor.damaged(f"the key {key!r} twice")
        (kind,) = cursor.unpack(_U32)
        cursor.keep(1)
        if kind == _STRING:
            # Values may hold what people wrote into them: a wrong byte there harms nobody.
            metadata[key] = cursor.text().decode("utf-8", "replace")
        elif kind == _ARRAY:
            metadata[key] = _array(cursor, key in keep, 1)
        elif layout := _SCALARS.get(kind):
            (metadata[key],) = cursor.unpack(layout)
        else:
            raise cursor.damaged(f"{key!r} has the type {kind}")
    return metadata


def _array(cursor: Cursor, is_wanted: bool, depth: int) -> GgufValue:
    cursor.keep(1)
    kind, length = cursor.unpack(_ARRAY_HEAD)
    is_kept = is_wanted or length <= _KEPT_ITEMS
    if layout := _SCALARS.get(kind):
        cursor.require(length * layout.size)
        if not is_kept:
            cursor.skip(length * layout.size)
            return SkippedArray(kind, length)
        cursor.keep(length)
        return struct.unpack(f"<{length}{layout.format[1:]}", cursor.take(length * layout.size))
    smallest_bytes = {_STRING: 8, _ARRAY: _ARRAY_HEAD.size}.get(kind)
    if smallest_bytes is None or depth > _MAX_NESTING:
        raise cursor.damaged(f"an array of the type {kind} at depth {depth}")
    cursor.require(length * smallest_bytes)
    if length > _MAX_ITEMS:
        raise cursor.damaged(f"an array of {length} items")
    if kind == _ARRAY:
        return tuple(_array(cursor, is_wanted, depth + 1) for _ in range(length))
    if not is_kept:
        cursor.skip_strings(length)
        return SkippedArray(kind, length)
    return tuple(cursor.text().decode("utf-8", "replace") for _ in range(length))


def _tensor(cursor: Cursor, path: Path | str) -> TensorInfo:
    name = _name(cursor, _MAX_TENSOR_NAME_BYTES)
    cursor.keep(8)
    (n_dims,) = cursor.unpack(_U32)
    if n_dims > _MAX_DIMS:
        raise cursor.damaged(f"{name!r} has {n_dims} dimensions")
    *shape, kind_id, offset = cursor.unpack(struct.Struct(f"<{n_dims}QIQ"))
    kind = TYPES.get(kind_id)
    if kind is None:
        raise UnsupportedGguf(path, f"{name!r} has the number format {kind_id}")
    n_elements = 1
    for length in shape:
        n_elements *= length
    if n_elements >= 1 << 63 or (shape[0] if shape else 1) % kind.block_elements:
        raise cursor.damaged(f"{name!r} has the shape {tuple(shape)} in {kind.name}")
    return TensorInfo(name, kind, tuple(shape), offset, kind.size_bytes(n_elements))


def _check_layout(
    cursor: Cursor, path: Path | str, tensors: tuple[TensorInfo, ...], alignment: int, data_offset: int
) -> None:
    """Each tensor begins where the one before it ended, as llama.cpp demands, and all lie in the file."""
    if len({tensor.name for tensor in tensors}) != len(tensors):
        raise cursor.damaged("two tensors of one name")
    expected_offset = end = 0
    for tensor in tensors:
        if tensor.offset != expected_offset:
            raise cursor.damaged(f"{tensor.name!r} begins at {tensor.offset} and not at {expected_offset}")
        end = tensor.offset + tensor.size_bytes
        expected_offset = _padded(end, alignment)
    if tensors and data_offset + end > cursor.size_bytes:
        missing_bytes = data_offset + end - cursor.size_bytes
        raise TruncatedGguf(path, f"{missing_bytes} bytes of the tensors are missing")


def _name(cursor: Cursor, max_bytes: int) -> str:
    raw = cursor.text()
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise cursor.damaged("a name that is not UTF-8") from error
    if not name or len(raw) > max_bytes:
        raise cursor.damaged(f"a name of {len(raw)} bytes")
    return name


def _padded(offset: int, alignment: int) -> int:
    return -(-offset // alignment) * alignment
