from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from model_manager.engine import prompt_cache, state_file
from model_manager.engine.prompt_cache import SUFFIX, Found, PromptCache
from model_manager.engine.state_file import PIECE_BYTES, Snapshot

EVERYTHING = 10**9


def snapshot(tokens: list[int], n_bytes: int = 1000, checkpoints: tuple[int, ...] = ()) -> Snapshot:
    random = np.random.default_rng(tokens[-1])
    return Snapshot(
        np.asarray(tokens, np.int32),
        random.integers(0, 256, n_bytes, np.uint8),
        tuple((n, np.full(50, n, np.uint8)) for n in checkpoints),
    )


def cache_in(
    folder: Path, *, key: str = "a", limit_bytes: int = EVERYTHING, can_cut: bool = True
) -> PromptCache:
    return PromptCache(folder, {"model": key}, "tiny", limit_bytes, can_cut=can_cut)


def find(cache: PromptCache, prompt: list[int]) -> Found | None:
    return cache.find(np.asarray(prompt, np.int32), most_tokens=10**6)


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{SUFFIX}"))


@pytest.mark.parametrize("n_bytes", [1, 1000, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES - 50])
def test_what_was_written_comes_back(tmp_path: Path, n_bytes: int) -> None:
    kept = snapshot([1, 2, 3, 4], n_bytes, checkpoints=(2, 3))
    cache_in(tmp_path).write(kept)
    other = cache_in(tmp_path)
    found = find(other, [1, 2, 3, 4, 5])
    assert found is not None
    assert found.n_tokens == 4
    back = other.read(found)
    assert back is not None
    assert back.tokens.tolist() == [1, 2, 3, 4]
    assert (back.state == kept.state).all()
    assert [(n, state.tolist()) for n, state in back.checkpoints] == [(2, [2] * 50), (3, [3] * 50)]


def test_file_is_private(tmp_path: Path) -> None:
    path = cache_in(tmp_path / "new" / "folder").write(snapshot([1, 2]))
    assert path is not None
    if sys.platform != "win32":
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700


def test_longest_common_prefix_wins(tmp_path: Path) -> None:
    cache = cache_in(tmp_path)
    cache.write(snapshot([1, 2, 3, 9]))
    cache.write(snapshot([1, 2, 3, 4, 8]))
    found = find(cache, [1, 2, 3, 4, 5])
    assert found is not None
    assert found.n_tokens == 4
    assert find(cache, [7, 7]) is None


def test_memory_that_cannot_be_cut_is_served_at_its_checkpoints_only(tmp_path: Path) -> None:
    cache = cache_in(tmp_path, can_cut=False)
    cache.write(snapshot([1, 2, 3, 4, 5], checkpoints=(2,)))
    assert [
        found.n_tokens if (found := find(cache, prompt)) else 0
        for prompt in ([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 9], [1, 9])
    ] == [5, 2, 0]


def test_file_of_another_identity_is_never_found(tmp_path: Path) -> None:
    cache_in(tmp_path, key="other").write(snapshot([1, 2, 3]))
    assert find(cache_in(tmp_path), [1, 2, 3]) is None


def test_file_that_begins_the_new_one_is_replaced_and_a_branch_is_not(tmp_path: Path) -> None:
    cache = cache_in(tmp_path)
    cache.write(snapshot([1, 2, 3]))
    branch = cache.write(snapshot([1, 2, 9]))
    longer = cache.write(snapshot([1, 2, 3, 4]))
    assert files(tmp_path) == sorted(path for path in (branch, longer) if path)


def test_least_recently_used_files_go_beyond_the_limit(tmp_path: Path) -> None:
    cache = cache_in(tmp_path)
    paths = [cache.write(snapshot([n, n], 10_000)) for n in (1, 2, 3)]
    for at_s, path in enumerate(paths):
        assert path is not None
        os.utime(path, (at_s, at_s))
    found = find(cache, [1, 1, 1])
    assert found is not None
    cache.read(found)  # now it is the second that was not used for longest
    fourth = cache_in(tmp_path, limit_bytes=35_000).write(snapshot([4, 4], 10_000))
    assert set(files(tmp_path)) == {paths[0], paths[2], fourth}


def test_state_above_the_limit_is_not_written(tmp_path: Path) -> None:
    assert cache_in(tmp_path, limit_bytes=100).write(snapshot([1, 2])) is None
    assert not files(tmp_path)


def test_full_disk_leaves_nothing_and_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert cache_in(tmp_path).write(snapshot([1, 2])) is None
    assert not list(tmp_path.iterdir())


def test_last_room_on_a_disk_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage._replace(free=1000**3))
    assert cache_in(tmp_path).write(snapshot([1, 2])) is None
    assert not list(tmp_path.iterdir())


def test_every_single_flipped_bit_of_a_file_is_noticed(tmp_path: Path) -> None:
    path = cache_in(tmp_path).write(snapshot([1, 2, 3], 300))
    assert path is not None
    whole = path.read_bytes()
    for position in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        with pytest.raises(state_file.StateFileDamaged):
            state_file.read(path)


@pytest.mark.parametrize("n_bytes", [0, 1, 43, 44, 100, -1])
def test_cut_file_is_removed(tmp_path: Path, n_bytes: int) -> None:
    cache = cache_in(tmp_path)
    path = cache.write(snapshot([1, 2, 3]))
    assert path is not None
    path.write_bytes(path.read_bytes()[:n_bytes])
    assert find(cache_in(tmp_path), [1, 2, 3]) is None
    assert not path.exists()


def test_file_that_vanished_after_it_was_found_is_a_miss(tmp_path: Path) -> None:
    cache = cache_in(tmp_path)
    path = cache.write(snapshot([1, 2, 3]))
    found = find(cache, [1, 2, 3])
    assert path is not None
    assert found is not None
    path.unlink()
    assert cache.read(found) is None


def test_writers_share_a_folder(tmp_path: Path) -> None:
    caches = [cache_in(tmp_path, limit_bytes=60_000) for _ in range(4)]

    def work(worker: int) -> None:
        for n in range(10):
            caches[worker].write(snapshot([n % 3, worker % 2, n], 10_000))
            found = find(caches[worker], [n % 3, worker % 2, n])
            back = caches[worker].read(found) if found else None
            if back is not None:
                assert (back.state == snapshot(back.tokens.tolist(), 10_000).state).all()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 60_000
    for path in files(tmp_path):
        state_file.read(path)


_WRITER = """
import sys; from pathlib import Path; import numpy as np
from model_manager.engine.prompt_cache import PromptCache
from model_manager.engine.state_file import Snapshot
cache = PromptCache(Path(sys.argv[1]), {"model": "a"}, "tiny", 10**9)
print("ready", flush=True)
n = 0
while True:
    n += 1
    cache.write(Snapshot(np.asarray([1, n], np.int32), np.full(3_000_000, n % 256, np.uint8)))
    print(n, flush=True)
"""


def test_killed_writers_leave_whole_files_only(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _WRITER, str(tmp_path)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE) as one,
        subprocess.Popen(command, stdout=subprocess.PIPE) as other,
    ):
        for writer in (one, other):
            assert writer.stdout is not None
            for _ in range(5):
                writer.stdout.readline()
            writer.kill()  # while it writes the next one, as a rule
    cache = cache_in(tmp_path)
    assert all(path.suffix == SUFFIX for path in tmp_path.iterdir())
    assert len(files(tmp_path)) >= 4
    for path in files(tmp_path):
        _header, back = state_file.read(path)
        assert (back.state == back.tokens[1] % 256).all()
    assert find(cache, [1, 1, 1]) is not None


_VICTIM = """
import os, sys; from pathlib import Path
from model_manager.engine import prompt_cache, state_file
path, = Path(sys.argv[1]).glob("*.seq")
_header, snapshot = state_file.read(path)
with prompt_cache.trying(snapshot):
    pass
assert path.exists()
with prompt_cache.trying(snapshot):
    os.abort()
"""


def test_state_that_ends_its_worker_is_not_tried_again(tmp_path: Path) -> None:
    cache_in(tmp_path).write(snapshot([1, 2, 3]))
    victim = subprocess.run([sys.executable, "-c", _VICTIM, str(tmp_path)], check=False)
    assert victim.returncode == -signal.SIGABRT
    assert find(cache_in(tmp_path), [1, 2, 3]) is None
    assert not list(tmp_path.iterdir())


def test_unfinished_file_of_a_living_writer_is_let_alone(tmp_path: Path) -> None:
    path = tmp_path / f"key-tokens.{os.getppid()}-00ff.part"
    path.write_bytes(b"half")
    prompt_cache.remove_unfinished(tmp_path)
    assert path.exists()


def test_listing_shows_damaged_files_too(tmp_path: Path) -> None:
    cache = cache_in(tmp_path)
    path = cache.write(snapshot([1, 2, 3]))
    (tmp_path / f"junk{SUFFIX}").write_bytes(b"junk")
    listed = {file.path: (file.model, file.n_tokens) for file in prompt_cache.list_files(tmp_path)}
    assert listed == {path: ("tiny", 3), tmp_path / f"junk{SUFFIX}": ("", 0)}
    assert prompt_cache.list_files(tmp_path / "nowhere") == []
