"""A bad file cannot take the program down: thousands of damaged headers, typed errors, bounded memory."""

import random
import struct
import tracemalloc
from pathlib import Path

import pytest
from gguf import GGMLQuantizationType

from model_manager.errors import ModelFileError
from model_manager.gguf import GgufHeader, read_header_from
from tests.helpers.ggufs import DEEPSEEK2, LLAMA, QWEN3MOE, write_model

N_MUTANTS = 3000
MAX_PEAK_BYTES = 4 << 20
NASTY_LENGTHS = (0, 1, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**62, 2**63 - 1, 2**63, 2**64 - 1)
NASTY_BYTES = (b"\x00", b"\x01", b"\x08", b"\x09", b"\x7f", b"\x80", b"\xff")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("models")
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


def test_mutants_give_a_header_or_a_typed_error(models: list[bytes]) -> None:
    headers = [_parse(content) for content in models]
    dice = random.Random(8)
    outcomes: dict[str, int] = {}
    tracemalloc.start()
    try:
        for number in range(N_MUTANTS):
            which = number % len(models)
            mutant = mutate(models[which], headers[which].data_offset, dice)
            tracemalloc.reset_peak()
            before_bytes, _ = tracemalloc.get_traced_memory()
            try:
                _parse(mutant)
                outcome = "read"
            except ModelFileError as error:
                outcome = type(error).__name__
            _, peak_bytes = tracemalloc.get_traced_memory()
            assert peak_bytes - before_bytes < MAX_PEAK_BYTES, number
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
    finally:
        tracemalloc.stop()
    # The mutations must reach deep enough to be worth their name.
    assert outcomes.keys() >= {"read", "TruncatedGguf", "DamagedGguf", "UnsupportedGguf"}
    assert "ModelFileError" not in outcomes


def _parse(content: bytes) -> GgufHeader:
    def read_at(offset: int, n_bytes: int) -> bytes:
        assert 0 <= offset <= len(content)
        assert n_bytes <= len(content) - offset
        return content[offset : offset + n_bytes]

    header = read_header_from(read_at, len(content), path=Path("mutant.gguf"))
    # What callers ask of a header must not fail either.
    str((header.architecture, header.n_experts, header.n_splits, header.quantization, header.chat_template))
    return header
