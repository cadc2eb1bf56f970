from __future__ import annotations

import ctypes.util
import shutil
import subprocess
from pathlib import Path

import pytest

from app.energy import EnergyMeter
from app.nvml import Nvml


def zone(folder: Path, name: str, energy_uj: int, max_uj: int = 10_000_000) -> Path:
    path = folder / name
    path.mkdir(exist_ok=True)
    (path / "energy_uj").write_text(f"{energy_uj}\n")
    (path / "max_energy_range_uj").write_text(f"{max_uj}\n")
    return path


def test_packages_are_summed_and_their_parts_are_not(tmp_path: Path) -> None:
    for name in ("intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0"):
        zone(tmp_path, name, 1_000_000)
    meter = EnergyMeter(tmp_path)
    for name in ("intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0"):
        zone(tmp_path, name, 2_500_000)
    assert meter.joules() == 3.0


def test_counter_that_began_anew(tmp_path: Path) -> None:
    zone(tmp_path, "intel-rapl:0", 9_000_000)
    meter = EnergyMeter(tmp_path)
    zone(tmp_path, "intel-rapl:0", 500_000)
    assert meter.joules() == 1.5


def test_what_cannot_be_read_is_not_told(tmp_path: Path) -> None:
    assert EnergyMeter(tmp_path / "nowhere").joules() is None
    path = zone(tmp_path, "intel-rapl:0", 1)
    meter = EnergyMeter(tmp_path)
    (path / "energy_uj").unlink()
    assert meter.joules() is None


CARDS = """
static unsigned long long counts[2] = {1000, 500};
int nvmlInit_v2(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned int *n) { *n = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned int i, void **card) { *card = &counts[i]; return i > 1; }
int nvmlDeviceGetTotalEnergyConsumption(void *card, unsigned long long *mj) {
    *mj = *(unsigned long long *)card; *(unsigned long long *)card += 250; return 0;
}
"""


def test_cards_are_read_through_their_drivers_library(tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no compiler")
    source, library = tmp_path / "cards.c", tmp_path / "libcards.so"
    source.write_text(CARDS)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    cards = Nvml(str(library))
    meter = EnergyMeter(tmp_path / "nowhere", cards)
    assert meter.joules() == 0.5
    zone(tmp_path, "intel-rapl:0", 1_000_000)
    both = EnergyMeter(tmp_path, cards)
    zone(tmp_path, "intel-rapl:0", 2_000_000)
    assert both.joules() == 1.5


def test_no_library_and_one_without_the_counter(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"none\.so"):
        Nvml(str(tmp_path / "none.so"))
    with pytest.raises(OSError, match="nvmlInit"):
        Nvml(ctypes.util.find_library("c") or "libc.so.6")
