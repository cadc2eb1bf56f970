from __future__ import annotations

from pathlib import Path

from app.energy import EnergyMeter


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
