import shutil
from pathlib import Path

import pytest

from model_manager.errors import DamagedGguf, MissingShard, TruncatedGguf
from model_manager.gguf import read_header
from model_manager.shards import ShardName, model_stem, parse_shard_name, read_model, shard_filenames
from tests.helpers.ggufs import write_model


@pytest.fixture
def split(tmp_path: Path) -> Path:
    return write_model(tmp_path / "m.gguf", n_experts=4, shard_tensors=10)


def test_names_of_shards() -> None:
    assert parse_shard_name("a-b-00002-of-00003.gguf") == ShardName("a-b", 2, 3)
    for name in (
        "m.gguf",
        "m-00000-of-00003.gguf",
        "m-00004-of-00003.gguf",
        "m-1-of-3.gguf",
        "-00001-of-00001.gguf",
    ):
        assert parse_shard_name(name) is None
    assert shard_filenames("m-00002-of-00002.gguf") == ("m-00001-of-00002.gguf", "m-00002-of-00002.gguf")
    assert shard_filenames("m.gguf") == ("m.gguf",)
    assert model_stem("m-00001-of-00002.gguf") == "m"
    assert model_stem("m.Q4_K_M.GGUF") == "m.Q4_K_M"
    assert model_stem("m") == "m"


def test_a_split_model_is_whole_from_any_of_its_shards(split: Path, tmp_path: Path) -> None:
    whole = read_header(write_model(tmp_path / "whole.gguf", n_experts=4))
    first = read_model(split)
    assert len(first.paths) == 3
    assert [tensor.name for tensor in first.tensors()] == [tensor.name for tensor in whole.tensors]
    assert first.header.n_experts == 4
    assert first.size_bytes == sum(path.stat().st_size for path in first.paths)
    assert read_model(first.paths[2]) == first


def test_a_missing_shard_is_named(split: Path) -> None:
    missing = split.with_name("m-00002-of-00003.gguf")
    missing.unlink()
    with pytest.raises(MissingShard) as caught:
        read_model(split)
    assert caught.value.path == missing


def test_a_shard_under_a_wrong_name_is_refused(split: Path) -> None:
    renamed = split.rename(split.with_name("renamed.gguf"))
    with pytest.raises(DamagedGguf):
        read_model(renamed)


def test_shards_in_the_wrong_places_are_refused(split: Path) -> None:
    shutil.copyfile(split.with_name("m-00003-of-00003.gguf"), split.with_name("m-00002-of-00003.gguf"))
    with pytest.raises(DamagedGguf):
        read_model(split)


def test_a_shard_of_another_split_is_refused(split: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = write_model(tmp_path / "other" / "m.gguf", n_experts=4, shard_tensors=11)
    assert other.name == split.name
    shutil.copyfile(other.with_name("m-00002-of-00003.gguf"), split.with_name("m-00002-of-00003.gguf"))
    with pytest.raises(DamagedGguf):
        read_model(split)


def test_a_truncated_shard_is_named(split: Path) -> None:
    last = split.with_name("m-00003-of-00003.gguf")
    last.write_bytes(last.read_bytes()[:-100])
    with pytest.raises(TruncatedGguf) as caught:
        read_model(split)
    assert caught.value.path == last
