from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.vetting import Vetting
from model_manager.engine.probe import WORKER_BYTES, Prober
from model_manager.entries import entry_of, read_files, record_of
from model_manager.errors import NotEnoughMemory, Offline
from model_manager.http import Http
from model_manager.types import DeviceMemory, Forecast, LoadPlan, ModelEntry
from tests.helpers.ggufs import write_model

MIB = 2**20
FORECAST = Forecast(
    n_ctx_tokens=4096,
    n_ctx_train_tokens=8192,
    memory=(DeviceMemory("CPU", weights_bytes=300 * MIB, mapped_bytes=200 * MIB, kv_bytes=100 * MIB),),
    free_bytes=(0,),
    n_layers_offloaded=0,
    is_repacked=True,
)


@pytest.fixture
def entry(tmp_path: Path) -> ModelEntry:
    return entry_of(record_of("m", read_files(write_model(tmp_path / "m.gguf"))))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[LoadPlan]:
    """Plans that were probed; every probe answers the same."""
    plans: list[LoadPlan] = []

    def forecast(_prober: Prober, plan: LoadPlan) -> Forecast:
        plans.append(plan)
        return FORECAST

    monkeypatch.setattr(Prober, "forecast", forecast)
    monkeypatch.setattr(Prober, "_fitting_ctx_tokens", lambda *_: 1024)
    return plans


def set_free(monkeypatch: pytest.MonkeyPatch, free_bytes: int) -> None:
    for module in ("app.vetting", "model_manager.engine.probe"):
        monkeypatch.setattr(f"{module}.free_main_memory_bytes", lambda: free_bytes)


def vetting(*, offline: bool = False) -> Vetting:
    return Vetting(Prober(("false",)), Http(offline=lambda: offline))


def plan_of(entry: ModelEntry) -> LoadPlan:
    return LoadPlan(entry.paths[0], name=entry.name)


def test_a_starter_that_clearly_fits_is_not_probed(
    entry: ModelEntry, asked: list[LoadPlan], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_free(monkeypatch, 4000 * MIB)
    starter = replace(entry, is_starter=True)
    assert vetting().before_load(starter, plan_of(entry), 500 * MIB, 0) == 500 * MIB
    assert not asked


def test_any_other_file_is(entry: ModelEntry, asked: list[LoadPlan], monkeypatch: pytest.MonkeyPatch) -> None:
    set_free(monkeypatch, 4000 * MIB)
    assert vetting().before_load(entry, plan_of(entry), 500 * MIB, 0) == 400 * MIB + WORKER_BYTES
    assert asked == [plan_of(entry)]


@pytest.mark.usefixtures("asked")
def test_pages_of_the_file_need_not_be_free_and_the_rest_must(
    entry: ModelEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_free(monkeypatch, 320 * MIB)
    vetting().before_load(entry, plan_of(entry), 500 * MIB, 0)
    set_free(monkeypatch, 250 * MIB)
    with pytest.raises(NotEnoughMemory) as caught:
        vetting().before_load(entry, plan_of(entry), 500 * MIB, 0)
    assert caught.value.needed_bytes == 200 * MIB + WORKER_BYTES
    assert caught.value.available_bytes < 250 * MIB
    assert caught.value.fits_ctx_tokens == 1024
    vetting().before_load(entry, plan_of(entry), 500 * MIB, 100 * MIB)


def test_devices_elsewhere_are_refused_offline(entry: ModelEntry, asked: list[LoadPlan]) -> None:
    plan = replace(plan_of(entry), rpc_devices=("192.0.2.1:50052",))
    with pytest.raises(Offline):
        vetting(offline=True).before_load(entry, plan, MIB, 0)
    with pytest.raises(Offline):
        vetting(offline=True).forecast(plan)
    assert not asked


def test_devices_that_another_model_uses_are_not_probed(entry: ModelEntry, asked: list[LoadPlan]) -> None:
    plan = replace(plan_of(entry), rpc_devices=("127.0.0.1:50052",))
    assert vetting().before_load(entry, plan, 7 * MIB, 0, are_devices_free=False) == 7 * MIB
    assert not asked
