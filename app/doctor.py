"""What this machine has, what the program uses of it, and whether its own things are in order."""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from app.services import Services, self_command
from model_manager import starter
from storage.database import SQLITE_VERSION
from ui import formats
from ui.i18n import tr

_REPORT_TIMEOUT_S = 60
_LOW_DISK_BYTES = 2 << 30

# What llama.cpp prints -> the flag's name in /proc/cpuinfo. What is not listed here makes no difference to
# speed worth a word.
_FEATURES = {
    "AVX": "avx",
    "AVX2": "avx2",
    "F16C": "f16c",
    "FMA": "fma",
    "BMI2": "bmi2",
    "AVX_VNNI": "avx_vnni",
    "AVX512": "avx512f",
    "AVX512_VBMI": "avx512vbmi",
    "AVX512_VNNI": "avx512_vnni",
    "AVX512_BF16": "avx512_bf16",
    "NEON": "asimd",
    "DOTPROD": "asimddp",
    "MATMUL_INT8": "i8mm",
    "SVE": "sve",
}


@dataclass(slots=True)
class Report:
    """Everything that was found.

    Attributes:
        warnings: Sentences with a next step; none of them keeps the program from working.
        failures: Sentences about what does keep it.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def examine(services: Services) -> Report:
    """Look at everything; takes about a second."""
    report = Report()
    report.facts["versions"] = _versions()
    report.facts["paths"] = _paths(services)
    for part in (_engine, _memory, _disk, _starter, _database, _network):
        part(services, report)
    return report


def build_features(system_info: str) -> set[str]:
    """Features that a build uses, from llama.cpp's own line (`... | AVX2 = 1 | FMA = 1 | ...`)."""
    return {name for name, value in re.findall(r"(\w+) = (\d+)", system_info) if value != "0"}


def processor_features(cpuinfo: Path = Path("/proc/cpuinfo")) -> set[str]:
    """Features of this processor by llama.cpp's names; empty where the system does not tell."""
    try:
        text = cpuinfo.read_text("utf-8")
    except OSError:
        return set()
    match = re.search(r"^(?:flags|Features)\s*:\s*(.*)$", text, re.MULTILINE)
    flags = set(match.group(1).split()) if match else set()
    return {name for name, flag in _FEATURES.items() if flag in flags}


def _engine(_services: Services, report: Report) -> None:
    try:
        done = subprocess.run(
            [*self_command(), "system-report"],
            capture_output=True,
            text=True,
            timeout=_REPORT_TIMEOUT_S,
            check=True,
        )
        found = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        report.failures.append(
            tr(
                "llama.cpp does not start here ({reason}). Run `make setup` again.",
                reason=type(error).__name__,
            )
        )
        return
    used = build_features(found["system_info"])
    has = processor_features()
    unused = sorted(has - used)
    report.facts["processor"] = {
        "name": _processor_name(),
        "cores": psutil.cpu_count(logical=False),
        "threads": psutil.cpu_count(),
        "features": sorted(has),
        "build_features": sorted(used),
        "unused_features": unused,
        "system_info": found["system_info"],
    }
    report.facts["devices"] = found["devices"]
    if unused:
        report.warnings.append(
            tr(
                "The engine was built without {features}, which this processor has; answers are slower than"
                " they could be. Build it on this machine: remove .venv and run `make setup`.",
                features=", ".join(unused),
            )
        )


def _memory(_services: Services, report: Report) -> None:
    memory = psutil.virtual_memory()
    report.facts["memory"] = {"total_bytes": memory.total, "available_bytes": memory.available}


def _disk(services: Services, report: Report) -> None:
    models_dir = services.library.models_dir
    existing = next(folder for folder in (models_dir, *models_dir.parents) if folder.exists())
    usage = shutil.disk_usage(existing)
    report.facts["disk"] = {
        "models_dir": str(models_dir),
        "free_bytes": usage.free,
        "total_bytes": usage.total,
    }
    if usage.free < _LOW_DISK_BYTES:
        report.warnings.append(
            tr(
                "Only {free} are free where models are kept. Make room, or choose another models folder.",
                free=formats.size(usage.free),
            )
        )


def _starter(_services: Services, report: Report) -> None:
    is_there = starter.dense_is_intact()
    report.facts["starter"] = {"is_available": is_there, "path": str(starter.dense_path())}
    if not is_there:
        report.warnings.append(tr("The starter model is not there. Run `make setup`, or download a model."))


def _database(services: Services, report: Report) -> None:
    problems = services.storage.call(lambda store: store.conversations.verify())
    path = services.paths.database
    report.facts["database"] = {"size_bytes": path.stat().st_size, "problems": problems}
    report.failures.extend(
        tr("The database has a problem: {problem}", problem=problem) for problem in problems
    )


def _network(services: Services, report: Report) -> None:
    report.facts["network"] = {
        "hub_endpoint": services.sources.endpoint,
        "is_offline": bool(services.setting("offline")),
        "has_token": services.sources.hub.has_token,
    }


def _versions() -> dict[str, str]:
    return {
        "coterie": version("coterie"),
        "python": platform.python_version(),
        "llama-cpp-python": version("llama-cpp-python"),
        "qt": version("PySide6-Essentials"),
        "sqlite": SQLITE_VERSION,
        "system": platform.platform(),
    }


def _paths(services: Services) -> dict[str, str]:
    paths = services.paths
    return {
        "data": str(paths.data_dir),
        "database": str(paths.database),
        "models": str(services.library.models_dir),
        "log": str(paths.log_file),
        "cache": str(starter.cache_dir()),
    }


def _processor_name() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return platform.processor()
    match = re.search(r"^model name\s*:\s*(.*)$", text, re.MULTILINE)
    return match.group(1) if match else platform.processor()
