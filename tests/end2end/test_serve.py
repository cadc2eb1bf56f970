"""`coterie serve` as a program: keys, addresses, and its life beside others."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.helpers.cli import coterie, refuse, start, succeed
from tests.helpers.serving import KEY, serve


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_a_key_is_made_and_shown_once(data_dir: Path) -> None:
    with start(data_dir, "serve", "--port", "0") as process:
        assert process.stdout is not None
        url, key = process.stdout.readline().split()[2], process.stdout.readline().split()[-1]
        assert url.startswith("http://127.0.0.1:")
        assert len(key) > 40
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    assert (process.returncode, output, errors) == (0, "", "")
    written = b"".join(path.read_bytes() for path in data_dir.rglob("*") if path.is_file())
    assert key.encode() not in written


def test_a_network_wants_a_key_of_ones_own(data_dir: Path) -> None:
    done = coterie(data_dir, "serve", "--host", "0.0.0.0", "--port", "0")
    assert done.returncode == 2
    assert "COTERIE_API_KEY" in done.stderr
    for key in ("two words", "schlüssel"):
        done = coterie(data_dir, "serve", "--port", "0", env={"COTERIE_API_KEY": key})
        assert (done.returncode, "key" in done.stderr) == (2, True)


def test_what_cannot_be_served_is_said(data_dir: Path) -> None:
    refuse(coterie(data_dir, "serve", "--port", "0", "-m", "nobody"), "nobody")
    refuse(coterie(data_dir, "serve", "--host", "192.0.2.1", "--api-key", "k"), "192.0.2.1", "--port")
    assert coterie(data_dir, "serve", "--port", "70000").returncode == 2
    with serve(data_dir) as serving:
        port = serving.url.removesuffix("/v1").rpartition(":")[2]
        refuse(coterie(data_dir, "serve", "--port", port), port)


def test_the_owner_serves_for_another_program(data_dir: Path) -> None:
    """The key of the one who typed it, not of the owner; and it ends with the one who typed it."""
    with serve(data_dir, env={"COTERIE_API_KEY": "the-owners"}) as owner:
        with serve(data_dir, "-m", "starter-dense") as relayed:
            assert relayed.url != owner.url
            with relayed.http() as http:
                body = {"prompt": "The capital of France is", "max_tokens": 2}
                assert http.post("/v1/completions", json=body).json()["model"] == "starter-dense"
            with owner.http() as http:
                assert http.get("/v1/models").status_code == 401
        assert relayed.process.returncode == 0
        with owner.openai("the-owners") as client:
            assert client.models.list()
        listed = json.loads(succeed(coterie(data_dir, "models", "list", "--json")).stdout)
        assert len(listed) == 3
    assert owner.process.returncode == 0
    assert KEY.encode() not in b"".join(p.read_bytes() for p in data_dir.rglob("*") if p.is_file())


def test_the_end_of_the_owner_ends_what_it_serves(data_dir: Path) -> None:
    with serve(data_dir) as owner, serve(data_dir) as relayed:
        owner.process.terminate()
        owner.process.communicate(timeout=30)
        relayed.process.communicate(timeout=30)
        assert relayed.process.returncode == 1
