"""A bad file cannot take the program down: thousands of damaged headers, typed errors, bounded memory."""

import os
import random
import struct
import tracemalloc
from pathlib import Path

import pytest

from model_manager.errors import ModelFileError
from model_manager.file_facts import facts_of
from model_manager.fit import fit
from model_manager.fit_types import Machine
from model_manager.gguf import GgufHeader, read_header_from
from model_manager.kv_cache import ContextSize
from model_manager.shards import GgufModel
from tests.helpers.mutants import mutate, originals

N_MUTANTS = int(os.environ.get("COTERIE_MUTANTS", "3000"))
JUDGED_EACH = 4
MAX_PEAK_BYTES = 4 << 20


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    return originals(tmp_path_factory.mktemp("models"))


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
                header = _read(mutant)
                if number % JUDGED_EACH == 0:
                    _judge(header)
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
    header = _read(content)
    _judge(header)
    return header


def _read(content: bytes) -> GgufHeader:
    def read_at(offset: int, n_bytes: int) -> bytes:
        assert 0 <= offset <= len(content)
        assert n_bytes <= len(content) - offset
        return content[offset : offset + n_bytes]

    header = read_header_from(read_at, len(content), path=Path("mutant.gguf"))
    # What callers ask of a header must not fail either.
    str((header.architecture, header.n_experts, header.n_splits, header.quantization, header.chat_template))
    return header


def _judge(header: GgufHeader) -> None:
    model = GgufModel((Path("mutant.gguf"),), (header,))
    fit(model, Machine(8 << 30, 8 << 30), ContextSize(8192))
    facts_of(model)


@pytest.mark.parametrize("key", ["block_count", "embedding_length", "attention.head_count", "context_length"])
@pytest.mark.parametrize("number", [0, 1, 2**31, 2**32 - 1])
def test_absurd_numbers_of_a_sound_header_neither_hang_nor_swell(
    models: list[bytes], key: str, number: int
) -> None:
    content = models[0]
    at = content.index(f"llama.{key}".encode()) + len(f"llama.{key}") + 4
    tracemalloc.start()
    try:
        _parse(content[:at] + struct.pack("<I", number) + content[at + 4 :])
        assert tracemalloc.get_traced_memory()[1] < MAX_PEAK_BYTES
    finally:
        tracemalloc.stop()
