"""The headers of a model that lies on a server, read by ranges: some megabytes of many gigabytes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from model_manager.errors import HubError, HubUnavailable
from model_manager.gguf import GgufHeader, read_header_from
from model_manager.header_numbers import CONTENT_RANGE, count_of
from model_manager.http import URL, Client, Http, HTTPError
from model_manager.network import unavailable
from model_manager.shards import GgufModel
from model_manager.sources import FileSource
from model_manager.types import DownloadFile, DownloadItem
from model_manager.vision_files import is_vision_name

CHUNK_BYTES: Final = 2 * 2**20
"""What is asked for at once: few requests matter more than few bytes."""


def read_remote(item: DownloadItem, hub: FileSource, http: Http) -> GgufModel:
    """Read the headers of all files of a model; of its vision tower only the size counts.

    Raises:
        NotGguf, TruncatedGguf, DamagedGguf, UnsupportedGguf: They are no headers.
        HubError, HubUnavailable, Offline, HostRefused: The server does not give them.
    """
    towers = [file for file in item.files if is_vision_name(Path(file.path).name)]
    files = [file for file in item.files if file not in towers] or item.files
    with http.new_client() as client, http.purpose("read header"):
        headers = tuple(_header(file, hub.token_for(file.url), client) for file in files)
    vision_bytes = sum(file.size_bytes or 0 for file in towers if file not in files)
    return GgufModel(tuple(Path(file.path) for file in files), headers, vision_bytes)


def _header(file: DownloadFile, token: str | None, client: Client) -> GgufHeader:
    remote = _RemoteFile(file.url, token, client)
    first = remote.read_at(0, CHUNK_BYTES)
    assert remote.size_bytes is not None

    def read_at(offset: int, n_bytes: int) -> bytes:
        if offset + n_bytes <= len(first):
            return first[offset : offset + n_bytes]
        return remote.read_at(offset, n_bytes)

    return read_header_from(read_at, remote.size_bytes, path=file.path, chunk_bytes=CHUNK_BYTES)


class _RemoteFile:
    """A file behind a URL.

    Attributes:
        size_bytes: Known after the first read.
    """

    def __init__(self, url: str, token: str | None, client: Client) -> None:
        self.size_bytes: int | None = None
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = client

    def read_at(self, offset: int, n_bytes: int) -> bytes:
        last = offset + n_bytes - 1
        if self.size_bytes is not None:
            last = min(last, self.size_bytes - 1)
        if last < offset:
            return b""
        wanted = {"Range": f"bytes={offset}-{last}", "Accept-Encoding": "identity"}
        host = URL(self._url).host
        try:
            # A server that ignores the range would send gigabytes: nothing is read before that is known.
            with self._client.stream("GET", self._url, headers=self._headers | wanted) as response:
                if response.status_code >= 400:
                    raise HubError(response.status_code, self._url.partition("?")[0])
                match = CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
                total_bytes = count_of(match[3]) if match is not None else None
                if response.status_code != 206 or match is None or int(match[1]) != offset or not total_bytes:
                    raise HubUnavailable(host, "it does not answer requests for a part of a file")
                self.size_bytes = total_bytes
                body = bytearray()
                for piece in response.iter_bytes():
                    body += piece
                    if len(body) > n_bytes:
                        raise HubUnavailable(host, "it sent more than was asked for")
                return bytes(body)
        except HTTPError as error:
            raise unavailable(host, error) from error
