"""A real `coterie serve` beside a test."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import openai

from model_manager.http import Client, engine_client
from tests.helpers.cli import start

KEY = "a-key-for-tests"


@dataclass(frozen=True)
class Serving:
    """A running server.

    Attributes:
        url: With `/v1`, as clients want it.
    """

    process: subprocess.Popen[str]
    url: str

    def openai(self, key: str = KEY) -> openai.OpenAI:
        """The official client; to be closed."""
        return openai.OpenAI(base_url=self.url, api_key=key, max_retries=0, timeout=240)

    def http(self) -> Client:
        """A plain client of its root."""
        return engine_client(base_url=self.url.removesuffix("/v1"), token=KEY)


@contextlib.contextmanager
def serve(data_dir: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Iterator[Serving]:
    """`coterie serve` on a free port, ended by Ctrl+C unless the test has ended it."""
    environment = {"COTERIE_API_KEY": KEY} | dict(env or {})
    with start(data_dir, "serve", "--port", "0", "--json", *arguments, env=environment) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()
        try:
            yield Serving(process, json.loads(line)["url"])
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.communicate(timeout=30)
