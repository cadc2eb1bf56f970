from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from model_manager.engine.host import Host
from model_manager.engine.server import build_app
from model_manager.types import LoadPlan


@pytest.fixture
def client() -> TestClient:
    return TestClient(build_app(Host(LoadPlan(Path("none.gguf")))))


@pytest.mark.parametrize(
    "adapters",
    [
        None,
        "a",
        ["a"],
        [{}],
        [{"path": "relative.gguf"}],
        [{"path": "/a", "scale": "much"}],
        [{"path": "/a", "scale": True}],
        [{"path": "/a"}, {"path": "/a"}],
    ],
)
def test_bodies_that_make_no_sense_are_refused(client: TestClient, adapters: Any) -> None:
    response = client.post("/coterie/v1/adapters", json={"adapters": adapters})
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "RequestRefused"
    assert "adapters" in response.json()["error"]["message"]


def test_a_scale_that_is_no_number_is_refused(client: TestClient) -> None:
    body = json.dumps({"adapters": [{"path": "/a", "scale": float("inf")}]})
    response = client.post("/coterie/v1/adapters", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 400


def test_before_the_model_is_there_nothing_can_be_changed(client: TestClient) -> None:
    assert client.post("/coterie/v1/adapters", json={"adapters": []}).status_code == 503
    assert client.get("/coterie/v1/adapters").status_code == 503
