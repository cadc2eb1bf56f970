from __future__ import annotations

from pathlib import Path

import pytest

from storage.exchange.filing import Filing
from storage.store import Store

SAMPLES = Path(__file__).parents[3] / "data" / "exchange"


@pytest.fixture
def samples() -> Path:
    return SAMPLES


@pytest.fixture
def filing(store: Store) -> Filing:
    return store.filing
