"""`coterie settings`: what would keep the data folder from opening is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from model_manager import starter
from tests.helpers.cli import coterie, refuse, succeed


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def value_of(data_dir: Path, key: str) -> object:
    return json.loads(succeed(coterie(data_dir, "settings", "get", key)).stdout)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("models_dir", "5"),
        ("hub_endpoint", "7"),
        ("hub_endpoint", "ftp://hub.example"),
        ("n_ctx_tokens", "many"),
        ("n_ctx_tokens", "true"),
        ("offline", "no"),
        ("sampling_defaults", "3"),
        ("window_state", "x"),
    ],
)
def test_value_of_the_wrong_kind_is_refused(data_dir: Path, key: str, value: str) -> None:
    before = value_of(data_dir, key)
    done = coterie(data_dir, "settings", "set", key, value)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert key in line
    assert value_of(data_dir, key) == before


def test_setting_that_does_not_exist(data_dir: Path) -> None:
    refuse(coterie(data_dir, "settings", "set", "nonsense", "1"), "nonsense")
    refuse(coterie(data_dir, "settings", "get", "nonsense"), "nonsense")


def test_null_gives_the_default_back(data_dir: Path) -> None:
    done = succeed(coterie(data_dir, "settings", "set", "n_ctx_tokens", "1024", "--json"))
    assert json.loads(done.stdout) == {"n_ctx_tokens": 1024}
    succeed(coterie(data_dir, "settings", "set", "n_ctx_tokens", "null"))
    assert value_of(data_dir, "n_ctx_tokens") == 0


def test_default_model_must_be_there(data_dir: Path) -> None:
    refuse(coterie(data_dir, "settings", "set", "default_model", "nobody"), "nobody")
    succeed(coterie(data_dir, "settings", "set", "default_model", starter.STARTER_DENSE))
    assert value_of(data_dir, "default_model") == starter.STARTER_DENSE
