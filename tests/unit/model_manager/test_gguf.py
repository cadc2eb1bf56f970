import struct
from pathlib import Path

import pytest
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter, LlamaFileType

from model_manager.errors import DamagedGguf, ModelFileError, NotGguf, TruncatedGguf, UnsupportedGguf
from model_manager.ggml_types import FILE_TYPES, TYPES
from model_manager.gguf import GgufHeader, SkippedArray, read_header, read_header_from
from tests.helpers.ggufs import DEEPSEEK2, GPT_OSS, LLAMA, QWEN3MOE, Recipe, vocabulary, write_model

U32, STRING, ARRAY = 4, 8, 9


def text(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(raw)) + raw


def value(key: str | bytes, kind: int, payload: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + payload


def tensor(name: str, shape: tuple[int, ...], kind: int = 0, offset: int = 0) -> bytes:
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


def gguf(
    *, values: tuple[bytes, ...] = (), tensors: tuple[bytes, ...] = (), data: int = 0, version: int = 3
) -> bytes:
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(values)) + b"".join(values + tensors)
    return head + bytes(-len(head) % 32 + data)


def parse(content: bytes) -> GgufHeader:
    return read_header_from(
        lambda offset, n_bytes: content[offset : offset + n_bytes], len(content), path="x"
    )


@pytest.mark.parametrize(
    ("recipe", "n_experts"), [(LLAMA, 0), (LLAMA, 8), (QWEN3MOE, 8), (DEEPSEEK2, 8), (GPT_OSS, 8)]
)
def test_it_reads_what_the_gguf_library_reads(tmp_path: Path, recipe: Recipe, n_experts: int) -> None:
    path = write_model(
        tmp_path / "m.gguf", recipe, n_experts=n_experts, quantization=GGMLQuantizationType.Q8_0
    )
    header = read_header(path, keep=("tokenizer.ggml.tokens",))
    theirs = GGUFReader(path)
    assert header.architecture == recipe.architecture
    assert (header.n_experts, header.n_experts_used) == (n_experts, 2 if n_experts else 0)
    assert header.data_offset == theirs.data_offset
    for key, field in theirs.fields.items():
        if not key.startswith("GGUF."):
            expected = field.contents()
            assert header.metadata[key] == (tuple(expected) if isinstance(expected, list) else expected)
    assert [
        (row.name, row.shape, row.type.name, row.size_bytes, header.data_offset + row.offset)
        for row in header.tensors
    ] == [
        (row.name, tuple(row.shape.tolist()), row.tensor_type.name, row.n_bytes, row.data_offset)
        for row in theirs.tensors
    ]


def test_every_value_type_and_nesting_is_read(tmp_path: Path) -> None:
    writer = GGUFWriter(tmp_path / "v.gguf", "llama")
    values = {
        GGUFValueType.UINT8: 255,
        GGUFValueType.INT8: -128,
        GGUFValueType.UINT16: 65535,
        GGUFValueType.INT16: -32768,
        GGUFValueType.UINT32: 2**32 - 1,
        GGUFValueType.INT32: -(2**31),
        GGUFValueType.FLOAT32: 0.5,
        GGUFValueType.BOOL: True,
        GGUFValueType.STRING: "群贤",
        GGUFValueType.UINT64: 2**64 - 1,
        GGUFValueType.INT64: -(2**63),
        GGUFValueType.FLOAT64: 0.1,
    }
    for kind, item in values.items():
        writer.add_key_value(kind.name, item, kind)
        writer.add_key_value(f"{kind.name}s", [item, item], GGUFValueType.ARRAY, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    header = read_header(tmp_path / "v.gguf")
    for kind, item in values.items():
        assert header.metadata[kind.name] == item
        assert header.metadata[f"{kind.name}s"] == (item, item)
    inner = struct.pack("<IQ2H", 2, 2, 7, 8)
    nested = parse(gguf(values=(value("n", ARRAY, struct.pack("<IQ", ARRAY, 2) + inner + inner),)))
    assert nested.metadata["n"] == ((7, 8), (7, 8))


def test_long_arrays_are_passed_over_unless_asked_for() -> None:
    numbers = value("numbers", ARRAY, struct.pack("<IQ", U32, 5000) + bytes(20_000))
    words = value("words", ARRAY, struct.pack("<IQ", STRING, 5000) + text("ab") * 5000)
    content = gguf(values=(numbers, words, value("after", U32, struct.pack("<I", 7))))
    header = parse(content)
    assert header.metadata == {
        "numbers": SkippedArray(U32, 5000),
        "words": SkippedArray(STRING, 5000),
        "after": 7,
    }
    wanted = read_header_from(
        lambda offset, n_bytes: content[offset : offset + n_bytes], len(content), keep=("words",)
    )
    assert wanted.metadata["words"] == ("ab",) * 5000


@pytest.mark.parametrize("chunk_bytes", [1, 24, 100, 1 << 20])
def test_ranged_reads_of_any_size_agree(tmp_path: Path, chunk_bytes: int) -> None:
    content = write_model(tmp_path / "m.gguf", n_experts=4).read_bytes()
    asked: list[tuple[int, int]] = []

    def read_at(offset: int, n_bytes: int) -> bytes:
        asked.append((offset, n_bytes))
        return content[offset : offset + n_bytes]

    header = read_header_from(read_at, len(content), chunk_bytes=chunk_bytes)
    assert header == parse(content)
    assert all(offset + n_bytes <= len(content) for offset, n_bytes in asked)
    ends = [offset + n_bytes for offset, n_bytes in asked]
    assert max(ends) <= header.data_offset + chunk_bytes


def test_the_block_table_agrees_with_the_gguf_library() -> None:
    for kind, sizes in GGML_QUANT_SIZES.items():
        if kind is not GGMLQuantizationType.Q8_1:  # The library still counts its former float32 sums.
            assert (TYPES[kind].name, TYPES[kind].block_elements, TYPES[kind].block_bytes) == (
                kind.name,
                *sizes,
            )
    for file_type in LlamaFileType:
        if file_type is not LlamaFileType.GUESSED:
            assert file_type.name.endswith(FILE_TYPES[file_type]) or file_type.name == "MOSTLY_MXFP4_MOE"


def test_the_quantization_is_the_files_word_or_what_most_bytes_have(tmp_path: Path) -> None:
    path = write_model(tmp_path / "a.gguf", quantization=GGMLQuantizationType.Q4_0)
    assert read_header(path).quantization == "Q4_0"
    path = write_model(tmp_path / "b.gguf", metadata={"general.file_type": 15})
    assert read_header(path).quantization == "Q4_K_M"
    assert parse(gguf()).quantization == ""


def test_version_2_is_read() -> None:
    assert parse(gguf(version=2)).version == 2


def test_facts_of_the_wrong_type_are_absent_facts() -> None:
    header = parse(
        gguf(
            values=(
                value("general.architecture", STRING, text("x")),
                value("x.expert_count", STRING, text("many")),
                value("x.block_count", ARRAY, struct.pack("<IQ3I", U32, 3, 1, 5, 2)),
                value("tokenizer.chat_template", U32, struct.pack("<I", 1)),
            )
        )
    )
    assert (header.n_experts, header.n_layers, header.chat_template) == (0, 5, None)


def test_wrong_utf8_in_a_value_is_replaced() -> None:
    assert parse(gguf(values=(value("k", STRING, text(b"a\xff")),))).metadata["k"] == "a\ufffd"


HUGE = 2**63

DAMAGED = {
    "empty": (b"", NotGguf),
    "text": (b"Once upon a time", NotGguf),
    "magic only": (b"GGUF", TruncatedGguf),
    "version 1": (gguf(version=1), UnsupportedGguf),
    "version 4": (gguf(version=4), UnsupportedGguf),
    "big-endian": (gguf(version=3 << 24), UnsupportedGguf),
    "huge value count": (b"GGUF" + struct.pack("<IQQ", 3, 0, HUGE), DamagedGguf),
    "huge tensor count": (b"GGUF" + struct.pack("<IQQ", 3, HUGE, 0), DamagedGguf),
    "more values than bytes": (b"GGUF" + struct.pack("<IQQ", 3, 0, 60_000), TruncatedGguf),
    "huge key": (gguf(values=(struct.pack("<Q", HUGE),)), TruncatedGguf),
    "empty key": (gguf(values=(value("", U32, bytes(4)),)), DamagedGguf),
    "key that is not UTF-8": (gguf(values=(value(b"\xff", U32, bytes(4)),)), DamagedGguf),
    "key twice": (gguf(values=(value("k", U32, bytes(4)),) * 2), DamagedGguf),
    "unknown value type": (gguf(values=(value("k", 13, bytes(8)),)), DamagedGguf),
    "huge string": (gguf(values=(value("k", STRING, struct.pack("<Q", HUGE)),)), TruncatedGguf),
    "huge array": (gguf(values=(value("k", ARRAY, struct.pack("<IQ", U32, HUGE)),)), TruncatedGguf),
    "huge array of strings": (
        gguf(values=(value("k", ARRAY, struct.pack("<IQ", STRING, HUGE)),)),
        TruncatedGguf,
    ),
    "unknown item type": (gguf(values=(value("k", ARRAY, struct.pack("<IQ", 99, 0)),)), DamagedGguf),
    "deep nesting": (
        gguf(values=(value("k", ARRAY, struct.pack("<IQ", ARRAY, 1) * 9),), data=999),
        DamagedGguf,
    ),
    "alignment 0": (gguf(values=(value("general.alignment", U32, bytes(4)),)), DamagedGguf),
    "alignment 24": (gguf(values=(value("general.alignment", U32, struct.pack("<I", 24)),)), DamagedGguf),
    "alignment text": (gguf(values=(value("general.alignment", STRING, text("32")),)), DamagedGguf),
    "five dimensions": (gguf(tensors=(tensor("t", (1,) * 5),), data=4), DamagedGguf),
    "long tensor name": (gguf(tensors=(tensor("t" * 64, (1,)),), data=4), DamagedGguf),
    "removed number format": (gguf(tensors=(tensor("t", (1,), kind=4),), data=4), UnsupportedGguf),
    "future number format": (gguf(tensors=(tensor("t", (1,), kind=43),), data=4), UnsupportedGguf),
    "part of a block": (gguf(tensors=(tensor("t", (31,), kind=2),), data=99), DamagedGguf),
    "overflowing shape": (gguf(tensors=(tensor("t", (2**32, 2**32)),), data=4), DamagedGguf),
    "offset beyond the end": (gguf(tensors=(tensor("t", (1,), offset=HUGE),), data=4), DamagedGguf),
    "overlapping tensors": (gguf(tensors=(tensor("a", (9,)), tensor("b", (9,))), data=99), DamagedGguf),
    "tensor twice": (gguf(tensors=(tensor("t", (8,)), tensor("t", (8,), offset=32)), data=64), DamagedGguf),
    "missing data": (gguf(tensors=(tensor("t", (8,)),), data=31), TruncatedGguf),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_a_typed_error(name: str) -> None:
    content, expected = DAMAGED[name]
    with pytest.raises(expected) as caught:
        parse(content)
    assert type(caught.value) is expected
    assert caught.value.path == "x"


def test_every_shorter_file_is_refused(tmp_path: Path) -> None:
    content = write_model(tmp_path / "m.gguf").read_bytes()
    header = parse(content)
    for length in [*range(0, header.data_offset, 7), header.data_offset, len(content) - 100]:
        with pytest.raises(ModelFileError):
            parse(content[:length])


def test_a_file_that_lies_about_its_size_is_truncated() -> None:
    content = gguf(values=(value("k", STRING, text("a" * 100)),))
    with pytest.raises(TruncatedGguf):
        read_header_from(
            lambda offset, n_bytes: content[offset : offset + n_bytes][:50], len(content), chunk_bytes=1
        )


def test_a_header_that_only_grows_comes_to_an_end() -> None:
    """A vocabulary of a billion empty strings: the file is real, the header is not."""
    head = b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + value("k", ARRAY, struct.pack("<IQ", STRING, 10**9))

    def read_at(offset: int, n_bytes: int) -> bytes:
        return (head[offset:] + bytes(n_bytes))[:n_bytes]

    with pytest.raises(DamagedGguf):
        read_header_from(read_at, 10**12)


def test_the_vocabulary_can_be_had(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf")
    assert read_header(path).metadata["tokenizer.ggml.tokens"] == tuple(vocabulary())
