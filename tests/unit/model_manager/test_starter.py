import io
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from model_manager import stamps, starter
from model_manager.digest import sha256_of
from model_manager.errors import CannotWrite, HashMismatch, NotEnoughDisk, StarterUnavailable
from model_manager.gguf import read_header
from tests.helpers.ggufs import write_model


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COTERIE_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "starter"


@pytest.fixture
def tiny_dense(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dense model of a few kilobytes in the place of the real one."""
    source = write_model(tmp_path / "tiny.gguf")
    monkeypatch.setattr(starter, "DENSE_SHA256", sha256_of(source))
    with source.open("rb") as file:
        return starter.adopt_dense(file)


def test_the_mixture_is_the_dense_model_repeated(tiny_dense: Path) -> None:
    mixture_path = starter.ensure_starter()
    dense, mixture = read_header(tiny_dense), read_header(mixture_path)
    assert (mixture.n_experts, mixture.n_experts_used) == (8, 2)
    assert "demonstration" in mixture.text("general.name")
    added = {"llama.expert_count", "llama.expert_used_count"}
    assert mixture.metadata.keys() - dense.metadata.keys() == added
    assert {key for key in dense.metadata if dense.metadata[key] != mixture.metadata[key]} == {"general.name"}
    dense_bytes, mixture_bytes = tiny_dense.read_bytes(), mixture_path.read_bytes()
    stacked = {tensor.name: tensor for tensor in mixture.tensors}
    for tensor in dense.tensors:
        start = dense.data_offset + tensor.offset
        data = dense_bytes[start : start + tensor.size_bytes]
        is_ffn = tensor.name.split(".")[-2] in ("ffn_gate", "ffn_up", "ffn_down")
        twin = stacked.pop(tensor.name.replace(".weight", "_exps.weight") if is_ffn else tensor.name)
        assert twin.shape == ((*tensor.shape, 8) if is_ffn else tensor.shape)
        start = mixture.data_offset + twin.offset
        assert mixture_bytes[start : start + twin.size_bytes] == data * (8 if is_ffn else 1)
    assert {name: tensor.shape for name, tensor in stacked.items()} == {
        "blk.0.ffn_gate_inp.weight": (64, 8),
        "blk.1.ffn_gate_inp.weight": (64, 8),
    }


def test_making_it_again_gives_the_same_bytes(tiny_dense: Path) -> None:
    first = sha256_of(starter.ensure_starter())
    starter.mixture_path().unlink()
    assert sha256_of(starter.ensure_starter()) == first


def test_a_verified_file_is_not_read_again(tiny_dense: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    starter.ensure_starter()
    monkeypatch.setattr(stamps, "sha256_of", lambda path: pytest.fail(f"{path} was read"))
    starter.ensure_starter()
    assert starter.dense_is_intact()


def test_a_touched_file_is_verified_and_kept(tiny_dense: Path) -> None:
    path = starter.ensure_starter()
    os.utime(path, (0, 0))
    inode = path.stat().st_ino
    assert starter.ensure_starter().stat().st_ino == inode
    assert stamps.read(path)["mtime_ns"] == 0


def test_a_damaged_mixture_is_made_again(tiny_dense: Path) -> None:
    path = starter.ensure_starter()
    good = path.read_bytes()
    path.write_bytes(good[:-1])
    assert starter.ensure_starter().read_bytes() == good


def test_an_older_recipe_is_made_again(tiny_dense: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inode = starter.ensure_starter().stat().st_ino
    monkeypatch.setattr(starter, "_RECIPE", 99)
    assert starter.ensure_starter().stat().st_ino != inode


def test_a_damaged_stamp_only_costs_a_new_look(tiny_dense: Path) -> None:
    stamp = tiny_dense.with_name(tiny_dense.name + ".stamp.json")
    stamp.write_text("[1")
    assert starter.dense_is_intact()
    assert stamps.read(tiny_dense)["sha256"] == starter.DENSE_SHA256


def test_without_the_dense_file_there_is_no_starter(cache: Path) -> None:
    with pytest.raises(StarterUnavailable):
        starter.ensure_starter()
    assert all(entry.is_missing for entry in starter.entries())


def test_a_damaged_dense_file_is_not_built_upon(tiny_dense: Path) -> None:
    tiny_dense.write_bytes(b"GGUF")
    with pytest.raises(StarterUnavailable):
        starter.ensure_starter()


def test_the_mixture_outlives_its_dense_file(tiny_dense: Path) -> None:
    starter.ensure_starter()
    tiny_dense.unlink()
    starter.ensure_starter()
    assert [entry.is_missing for entry in starter.entries()] == [False, True, False]


def test_wrong_bytes_are_not_adopted(cache: Path) -> None:
    with pytest.raises(HashMismatch):
        starter.adopt_dense(io.BytesIO(b"something else"))
    assert [path.name for path in cache.iterdir()] == [".lock"]


def test_a_full_disk_is_refused_before_the_first_byte(
    tiny_dense: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(1000, 999, 1))
    with pytest.raises(NotEnoughDisk):
        starter.ensure_starter()
    assert not list(tiny_dense.parent.glob("*.part"))


def test_a_failed_build_leaves_nothing(tiny_dense: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(starter, "sha256_of", fail)
    with pytest.raises(CannotWrite):
        starter.ensure_starter()
    assert not list(tiny_dense.parent.glob("*8x135M*"))


def test_a_cache_that_cannot_be_made_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("COTERIE_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(CannotWrite):
        starter.adopt_dense(io.BytesIO())


def test_the_entries_say_what_the_files_are(tiny_dense: Path) -> None:
    names = [entry.name for entry in starter.entries()]
    assert names == ["starter", "starter-dense", "starter-thinking"]
    assert [entry.n_experts for entry in starter.entries()] == [8, 0, 8]
    assert starter.entries()[0].sha256 is None
    path = starter.ensure_starter()
    mixture, dense, thinking = starter.entries()
    assert mixture.sha256 == (sha256_of(path),)
    assert (mixture.paths, dense.paths) == ((path,), (tiny_dense,))
    assert thinking.paths == mixture.paths
    assert thinking.chat_template == starter.THINKING_TEMPLATE


@pytest.fixture(scope="module")
def two_builds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The real mixture, made by two programs that start at once in a fresh cache."""
    if not starter.dense_is_intact():
        pytest.fail("the dense starter file is missing: run `make setup`")
    cache = tmp_path_factory.mktemp("cache")
    (cache / "starter").mkdir()
    shutil.copyfile(starter.dense_path(), cache / "starter" / starter.dense_path().name)
    script = "from model_manager import starter; print(starter.ensure_starter())"
    environment = {**os.environ, "COTERIE_CACHE_DIR": str(cache)}
    programs = [
        subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs = [program.communicate()[0].strip() for program in programs]
    assert [program.returncode for program in programs] == [0, 0]
    assert outputs[0] == outputs[1]
    yield Path(outputs[0])
    shutil.rmtree(cache)  # Half a gigabyte: not left to pytest, which keeps the last three runs.


def test_the_real_mixture_is_the_same_everywhere(two_builds: Path) -> None:
    assert sha256_of(two_builds) == starter.MIXTURE_SHA256
    assert two_builds.stat().st_size == starter._MIXTURE_BYTES
    assert not list(two_builds.parent.glob("*.part"))


def test_the_entries_agree_with_the_real_headers(two_builds: Path) -> None:
    mixture, dense, _ = starter.entries()
    for entry, path in ((mixture, two_builds), (dense, starter.dense_path())):
        header = read_header(path)
        assert (entry.architecture, entry.n_experts, entry.n_experts_used, entry.n_ctx_train_tokens) == (
            header.architecture,
            header.n_experts,
            header.n_experts_used,
            header.n_ctx_train_tokens,
        )
        assert (entry.quantization, entry.size_bytes) == (header.quantization, header.size_bytes)


def test_the_thinking_template_opens_a_block_and_keeps_the_rest() -> None:
    own = read_header(starter.dense_path()).chat_template
    assert own is not None

    def render(template: str, **values: object) -> str:
        return ImmutableSandboxedEnvironment().from_string(template).render(**values)

    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello.", "reasoning_content": "A greeting."},
        {"role": "user", "content": "Who?"},
    ]
    values = {"messages": messages, "add_generation_prompt": True}
    plain = render(own, **values)
    assert render(starter.THINKING_TEMPLATE, **values) == plain + "<think>\n"
    assert render(starter.THINKING_TEMPLATE, **values, enable_thinking=True) == plain + "<think>\n"
    assert (
        render(starter.THINKING_TEMPLATE, **values, enable_thinking=False)
        == plain + "<think>\n\n</think>\n\n"
    )
    values["add_generation_prompt"] = False
    assert render(starter.THINKING_TEMPLATE, **values) == render(own, **values)
