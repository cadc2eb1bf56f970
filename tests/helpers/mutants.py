"""Damaged model files, the same ones each time: flipped bits, nasty lengths, cuts and doublings."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

from gguf import GGMLQuantizationType

from model_manager.errors import ModelFileError
from model_manager.gguf import read_header_from
from tests.helpers.ggufs import DEEPSEEK2, LLAMA, QWEN3MOE, write_model

NASTY_LENGTHS = (0, 1, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**62, 2**63 - 1, 2**63, 2**64 - 1)
NASTY_BYTES = (b"\x00", b"\x01", b"\x08", b"\x09", b"\x7f", b"\x80", b"\xff")
_HEADER_ONLY_SHARE = 8


def originals(folder: Path) -> list[bytes]:
    """A dense model, a mixture, and one with latent attention."""
    quantized = GGMLQuantizationType.Q8_0
    arrays = {"llama.rope.scaling": [1.0, 2.0], "general.tags": ["a", "群"], "general.sizes": [1, 2, 3]}
    paths = [
        write_model(folder / "dense.gguf", LLAMA, quantization=quantized, metadata=arrays),
        write_model(folder / "moe.gguf", QWEN3MOE, n_experts=4, quantization=quantized),
        write_model(folder / "mla.gguf", DEEPSEEK2, n_experts=4, quantization=quantized),
    ]
    return [path.read_bytes() for path in paths]


def mutate(content: bytes, header_bytes: int, dice: random.Random) -> bytes:
    """One to four of: a flipped bit, a nasty byte, length or type, cut, doubled or swapped stretch."""
    mutant = bytearray(content)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(4, max(5, min(header_bytes, len(mutant)) - 8))
        match dice.randrange(8):
            case 0:
                mutant[at] ^= 1 << dice.randrange(8)
            case 1:
                mutant[at : at + 1] = dice.choice(NASTY_BYTES)
            case 2:
                mutant[at : at + 8] = struct.pack("<Q", dice.choice(NASTY_LENGTHS))
            case 3:
                mutant[at : at + 4] = struct.pack("<I", dice.choice((*range(14), 2**31, 2**32 - 1)))
            case 4:
                del mutant[at : at + dice.randrange(1, 64)]
            case 5:
                mutant[at:at] = mutant[at : at + dice.randrange(1, 256)]
            case 6:
                other = dice.randrange(4, max(5, len(mutant) - 16))
                mutant[at : at + 16] = mutant[other : other + 16]
            case _:
                del mutant[dice.randrange(len(mutant)) :]
    return bytes(mutant)


def for_llama_cpp(contents: Sequence[bytes], seed: int) -> Iterator[bytes]:
    """Mutants without end that our own reader lets pass, for llama.cpp to see; a few others among them.

    Half of them are sound but for one number of the metadata, which is what llama.cpp computes with.
    """
    dice = random.Random(seed)
    sizes = [_data_offset(content) for content in contents]
    while True:
        which = dice.randrange(len(contents))
        content = contents[which]
        mutant = mutate(content, sizes[which], dice) if dice.random() < 0.5 else _renumbered(content, dice)
        try:
            _data_offset(mutant)
        except ModelFileError:
            if dice.randrange(_HEADER_ONLY_SHARE):
                continue
        yield mutant


def _renumbered(content: bytes, dice: random.Random) -> bytes:
    """With another number for one of its integers."""
    prefixes = (b"llama.", b"qwen3moe.", b"deepseek2.", b"tokenizer.ggml.", b"general.")
    places = [at for prefix in prefixes for at in _places(content, prefix)]
    at = dice.choice(places)
    end = at + struct.unpack_from("<Q", content, at - 8)[0]
    (kind,) = struct.unpack_from("<I", content, end)
    if kind not in (4, 5, 6):
        return content[: end + 4] + struct.pack("<Q", dice.choice(NASTY_LENGTHS)) + content[end + 12 :]
    number = dice.choice((0, 1, 2, 3, 7, 2**10, 2**16, 2**20, 2**31 - 1, 2**31, 2**32 - 1))
    return content[: end + 4] + struct.pack("<I", number) + content[end + 8 :]


def _places(content: bytes, prefix: bytes) -> Iterator[int]:
    at = content.find(prefix)
    while at != -1:
        if at >= 8 and struct.unpack_from("<Q", content, at - 8)[0] < 64:
            yield at
        at = content.find(prefix, at + 1)


def _data_offset(content: bytes) -> int:
    def read_at(offset: int, n_bytes: int) -> bytes:
        return content[offset : offset + n_bytes]

    return read_header_from(read_at, len(content), path="mutant.gguf").data_offset
