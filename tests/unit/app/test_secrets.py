"""Keys of engines: in a keyring, or for the run."""

from __future__ import annotations

from collections.abc import Iterator

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail, null

from app.secrets import Secrets, from_environment


class Drawer(KeyringBackend):
    """A keyring that keeps things for a test."""

    priority = 1  # type: ignore[assignment]  # a class attribute, as its documentation has it

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


@pytest.fixture(autouse=True)
def keyring_in_use() -> Iterator[None]:
    before = keyring.get_keyring()
    yield
    keyring.set_keyring(before)


def test_a_keyring_keeps_a_key() -> None:
    drawer = Drawer()
    keyring.set_keyring(drawer)
    secrets = Secrets()
    assert secrets.get("far") is None
    assert secrets.set("far", "a-key")
    assert drawer.kept == {("coterie", "engine:far"): "a-key"}
    assert Secrets().get("far") == "a-key"
    secrets.delete("far")
    secrets.delete("far")
    assert not drawer.kept


@pytest.mark.parametrize("backend", [fail.Keyring, null.Keyring])
def test_without_one_a_key_is_kept_for_the_run(backend: type[KeyringBackend]) -> None:
    keyring.set_keyring(backend())
    secrets = Secrets()
    assert not secrets.set("far", "a-key")
    assert secrets.get("far") == "a-key"
    assert Secrets().get("far") is None
    secrets.delete("far")
    assert secrets.get("far") is None


def test_a_keyring_that_comes_back_takes_the_key_over() -> None:
    keyring.set_keyring(fail.Keyring())
    secrets = Secrets()
    secrets.set("far", "old")
    drawer = Drawer()
    keyring.set_keyring(drawer)
    assert secrets.set("far", "new")
    assert secrets.get("far") == "new"
    assert list(drawer.kept.values()) == ["new"]


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert from_environment() is None
    monkeypatch.setenv("COTERIE_ENGINE_KEY", "a-key")
    assert from_environment() == "a-key"
