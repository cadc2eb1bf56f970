from __future__ import annotations

from pathlib import Path

import pytest

from app.doctor import build_features, processor_features


def test_features_of_a_build() -> None:
    line = "CPU : SSE3 = 1 | AVX = 1 | AVX512 = 0 | FMA = 1 | REPACK = 1 | "
    assert build_features(line) == {"SSE3", "AVX", "FMA", "REPACK"}
    assert build_features("") == set()


@pytest.mark.parametrize(
    ("line", "features"),
    [
        ("flags\t\t: fpu avx avx2 avx512f f16c fma", {"AVX", "AVX2", "AVX512", "F16C", "FMA"}),
        ("Features\t: fp asimd asimddp i8mm sve", {"NEON", "DOTPROD", "MATMUL_INT8", "SVE"}),
        ("model name : something", set()),
    ],
)
def test_features_of_a_processor(tmp_path: Path, line: str, features: set[str]) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor\t: 0\n{line}\nbugs\t\t:\n", "utf-8")
    assert processor_features(cpuinfo) == features


def test_system_that_does_not_tell(tmp_path: Path) -> None:
    assert processor_features(tmp_path / "none") == set()
