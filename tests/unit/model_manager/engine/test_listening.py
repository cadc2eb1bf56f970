"""A worker's socket between its making and its first connection."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path

from model_manager.engine.supervisor import is_listening


def test_a_socket_takes_connections_only_once_it_listens() -> None:
    # A folder of pytest is too long for a socket.
    with tempfile.TemporaryDirectory(prefix="coterie-") as folder, socket.socket(socket.AF_UNIX) as server:
        path = Path(folder) / "worker.sock"
        assert not is_listening(path)
        server.bind(str(path))
        assert path.exists()
        assert not is_listening(path)
        server.listen()
        assert is_listening(path)
