"""How much main memory is free for a model: of the machine, and of the group of processes we belong to."""

from __future__ import annotations

import contextlib
from pathlib import Path

import psutil

_GROUPS = Path("/sys/fs/cgroup")


def free_main_memory_bytes() -> int:
    """What can be taken before others are pushed out; caches that the system can drop count as free."""
    available: int = psutil.virtual_memory().available
    limits = [free for folder in _group_folders() if (free := _free_of_group(folder)) is not None]
    return max(0, min([available, *limits]))


def total_main_memory_bytes() -> int:
    """All there is, free or not: of the machine, or of our group of processes where that may have less."""
    total: int = psutil.virtual_memory().total
    limits = []
    for folder in _group_folders():
        for name in ("memory.max", "memory.limit_in_bytes"):
            with contextlib.suppress(OSError, ValueError):
                limits.append(int((folder / name).read_text()))  # "max" is no number
    return min([total, *limits])


def anonymous_bytes(pid: int) -> int:
    """Memory that a process of ours would give back at its end; its pages of files are free already."""
    with contextlib.suppress(psutil.Error):
        used = psutil.Process(pid).memory_info()
        return int(used.rss - getattr(used, "shared", 0))
    return 0


def _group_folders() -> list[Path]:
    """Folders of our control groups: of version 2 and of version 1's memory controller."""
    folders: list[Path] = []
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _number, controllers, path = line.split(":", 2)
            if not controllers:
                folders += [_GROUPS / path.lstrip("/"), _GROUPS]
            elif "memory" in controllers.split(","):
                folders += [_GROUPS / "memory" / path.lstrip("/"), _GROUPS / "memory"]
    return folders


def _free_of_group(folder: Path) -> int | None:
    """None where the group has no limit, or is none."""
    for limit_name, used_name, cache_name in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        with contextlib.suppress(OSError, ValueError):
            limit = int((folder / limit_name).read_text())  # "max" is no number
            used = int((folder / used_name).read_text())
            stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            return limit - used + int(stat.get(cache_name, 0))
    return None
