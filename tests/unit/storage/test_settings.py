from __future__ import annotations

from pathlib import Path

import pytest

from storage.errors import NoSuchSetting
from storage.settings import DEFAULTS
from storage.store import Store
from tests.helpers.databases import run_sql


def test_unset_key_has_its_default(store: Store) -> None:
    assert store.settings.all() == dict(DEFAULTS)
    for key, value in DEFAULTS.items():
        assert store.settings.get(key) == value


def test_default_cannot_be_changed_from_outside(store: Store) -> None:
    store.settings.get("sampling_defaults")["temperature"] = 3
    store.settings.all()["sampling_defaults"]["temperature"] = 3
    assert store.settings.get("sampling_defaults") == {}


@pytest.mark.parametrize("value", [None, True, 0, 7, 0.25, "专家", [300, 900], {"temperature": 0.2}])
def test_value_comes_back_after_the_file_was_closed(path: Path, store: Store, value: object) -> None:
    store.settings.set("splitter_sizes", "old")
    store.settings.set("splitter_sizes", value)
    store.close()
    again = Store(path)
    try:
        assert again.settings.get("splitter_sizes") == value
        assert again.settings.all() == {**DEFAULTS, "splitter_sizes": value}
    finally:
        again.close()


def test_undeclared_key_is_refused(store: Store) -> None:
    with pytest.raises(NoSuchSetting) as refusal:
        store.settings.get("thmee")
    assert refusal.value.key == "thmee"
    with pytest.raises(NoSuchSetting):
        store.settings.set("thmee", 1)


def test_key_of_a_later_version_is_left_alone(path: Path, store: Store) -> None:
    store.close()
    run_sql(path, "INSERT INTO settings VALUES ('from_tomorrow', '1')")
    again = Store(path)
    try:
        assert "from_tomorrow" not in again.settings.all()
    finally:
        again.close()
