"""Transfers of a file from the hub on this machine, as a download would make them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from model_manager.http import Http
from model_manager.transfer import Transfer, TransferOptions
from tests.helpers.hub_server import HubFileContent, HubServer


@contextmanager
def door_to(server: HubServer) -> Iterator[Http]:
    """A door that the hub may be asked through, with a token."""
    door = Http()
    door.allow(server.endpoint, may_carry_token=True)
    yield door
    door.close()


def transfers_of(
    server: HubServer, http: Http, repo: str, file: HubFileContent, path: Path, usual: TransferOptions
) -> Callable[..., Transfer]:
    """Makes transfers as the hub plans them, or of a bare address, without size and hash, if `is_direct`."""

    def make(*, is_direct: bool = False, options: TransferOptions = usual, **facts: Any) -> Transfer:
        if is_direct:
            return Transfer(http, f"{server.endpoint}/direct/{repo}/{file.path}", path, options=options)
        url = f"{server.endpoint}/{repo}/resolve/main/{file.path}"
        planned = {"size_bytes": len(file.content), "sha256": file.sha256}
        return Transfer(http, url, path, options=options, **planned | facts)

    return make


def never() -> bool:
    return False


def assert_right(path: Path, content: bytes) -> None:
    """The file is there, and nothing beside it."""
    assert path.read_bytes() == content
    assert [other.name for other in path.parent.iterdir()] == [path.name]
