from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.paths import Paths
from app.services import Services
from tests.helpers.ggufs import write_model


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    opened = Services(Paths(tmp_path / "data"), tmp_path / "run")
    yield opened
    opened.close()


def test_more_context_is_set_where_the_model_has_its_own(services: Services, tmp_path: Path) -> None:
    services.library.import_path(write_model(tmp_path / "m.gguf"))
    services.set_context("m", 512)
    assert services.setting("n_ctx_tokens") == 512
    assert services.library.get("m").plan == {}
    services.library.set_plan("m", {"n_ctx_tokens": 128})
    services.set_context("m", 256)
    assert services.setting("n_ctx_tokens") == 512
    entry = services.library.get("m")
    assert entry.plan == {"n_ctx_tokens": 256}
    assert services.engines.plan_for(entry).n_ctx_tokens == 256
