from __future__ import annotations

import json
from pathlib import Path

import pytest

from model_manager import remote_devices
from model_manager.errors import Offline
from model_manager.http import Http


def test_devices_elsewhere_are_noted_in_the_network_log(tmp_path: Path) -> None:
    http = Http(log_path=tmp_path / "network.jsonl")
    remote_devices.admit("10.1.2.3:50052", http)
    http.close()
    (line,) = (tmp_path / "network.jsonl").read_text().splitlines()
    noted = json.loads(line)
    assert (noted["method"], noted["host"], noted["path"]) == ("RPC", "10.1.2.3", "10.1.2.3:50052")


def test_devices_elsewhere_are_refused_offline_and_that_is_noted() -> None:
    http = Http(offline=lambda: True)
    with pytest.raises(Offline):
        remote_devices.admit("gpu.example:50052", http)
    assert [record.error for record in http.log.records()] == ["offline"]
    http.close()


@pytest.mark.parametrize("endpoint", ["127.0.0.1:50052", "localhost:1"])
def test_devices_here_need_no_network(endpoint: str) -> None:
    http = Http(offline=lambda: True)
    remote_devices.admit(endpoint, http)
    assert not http.log.records()
    assert not remote_devices.is_elsewhere(endpoint)
    http.close()
