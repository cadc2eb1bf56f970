"""A hub that speaks the Hugging Face API: what it has, and where the bytes are.

Metadata comes through the real client library, which gets its connections from `http`; `transfer` moves
bytes. The library is imported when first used: it is large, and reads its settings from the environment while
it loads.
"""

from __future__ import annotations

import logging
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from model_manager.errors import (
    AccessDenied,
    HubError,
    HubUnavailable,
    InvalidReference,
    NotOnHub,
    Offline,
    RateLimited,
)
from model_manager.filenames import safe_relative_path
from model_manager.http import Http, TransportError
from model_manager.partial import without_query
from model_manager.references import UrlReference, choose, parse
from model_manager.shards import model_stem
from model_manager.types import DownloadFile, DownloadItem, HubFile, HubModel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from huggingface_hub import HfApi

DEFAULT_ENDPOINT = "https://huggingface.co"
TIMEOUT_S = 30.0


class Hub:
    """One hub. Thread-safe; nothing is asked before it is needed.

    Attributes:
        endpoint: Its address, without a slash at the end.
        token: Sent to this endpoint alone; None asks without.
    """

    def __init__(self, http: Http, endpoint: str | None = None, token: str | None = None) -> None:
        """Prepare.

        Args:
            http: The door; the endpoint is allowed there.
            endpoint: None takes `HF_ENDPOINT`, else the public hub.
            token: None takes `HF_TOKEN`, if the endpoint is the one that this token is for: a token of the
                environment never goes to a mirror that only our settings name.
        """
        home = os.environ.get("HF_ENDPOINT", "") or DEFAULT_ENDPOINT
        self.endpoint = (endpoint or home).rstrip("/")
        is_home = urlsplit(self.endpoint).netloc == urlsplit(home).netloc
        self.token = token or (os.environ.get("HF_TOKEN") if is_home else None) or None
        self._http = http
        self._lock = threading.Lock()
        self._client: HfApi | None = None
        http.allow(self.endpoint, may_carry_token=True)

    def model_info(self, repo_id: str, revision: str = "main") -> HubModel:
        """What a repository holds at one commit.

        Args:
            repo_id: `owner/repo`.
            revision: A branch, tag or commit; the answer names the commit.

        Raises:
            AccessDenied, NotOnHub, RateLimited, HubUnavailable, HubError, Offline, HostRefused: As named.
            InvalidReference: No repository can have this name.
        """
        with self._translated(f"{self.endpoint}/{repo_id}", repo_id), self._http.purpose("model info"):
            info = self._api().model_info(
                repo_id, revision=revision, files_metadata=True, timeout=TIMEOUT_S, token=self.token or False
            )
        files = tuple(
            HubFile(
                path=sibling.rfilename,
                size_bytes=(sibling.lfs.size if sibling.lfs else sibling.size) or 0,
                sha256=sibling.lfs.sha256 if sibling.lfs else None,
            )
            for sibling in info.siblings or ()
        )
        return HubModel(repo_id, info.sha or revision, files, is_gated=bool(info.gated))

    def resolve(self, ref: str) -> DownloadItem:
        """The files that a reference means, pinned to a commit, with sizes and hashes as the hub states them.

        Raises:
            InvalidReference: It means nothing or several things; `choices` has what there is.
            UnsafeFilename: The hub's names would leave our folder.
            HubError and others: As `model_info`.
        """
        reference = parse(ref, self.endpoint)
        if isinstance(reference, UrlReference):
            return self._direct(reference)
        model = self.model_info(reference.repo_id, reference.revision)
        folder = safe_relative_path(model.repo_id)
        files = tuple(
            DownloadFile(
                url=self.file_url(model.repo_id, file.path, model.revision),
                path=str(folder / safe_relative_path(file.path)),
                size_bytes=file.size_bytes or None,
                sha256=file.sha256,
            )
            for file in choose(reference, model.files)
        )
        return DownloadItem(model_stem(files[0].path.rpartition("/")[2]), files)

    def file_url(self, repo_id: str, path: str, revision: str = "main") -> str:
        """Where the bytes of a file can be asked for."""
        return f"{self.endpoint}/{quote(repo_id)}/resolve/{quote(revision, safe='')}/{quote(path)}"

    def token_for(self, url: str) -> str | None:
        """The token, if a URL is of this hub."""
        hub, other = urlsplit(self.endpoint), urlsplit(url)
        return self.token if (hub.scheme, hub.netloc) == (other.scheme, other.netloc) else None

    def _direct(self, reference: UrlReference) -> DownloadItem:
        self._http.allow(reference.url)
        host = (urlsplit(reference.url).hostname or "").replace(":", "_")
        path = safe_relative_path(f"{host}/{reference.filename}")
        return DownloadItem(model_stem(path.name), (DownloadFile(reference.url, str(path), None, None),))

    def close(self) -> None:
        """End the library's idle connections."""
        with self._lock:
            if self._client is not None:
                from huggingface_hub import close_session

                close_session()
                self._client = None

    def _api(self) -> HfApi:
        with self._lock:
            if self._client is None:
                self._client = self._load()
            return self._client

    def _load(self) -> HfApi:
        # Read while the library loads: no telemetry, no token files, no other transfer protocol.
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        os.environ.setdefault("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
        os.environ.setdefault("HF_HUB_DISABLE_XET", "1")
        from huggingface_hub import HfApi, set_client_factory

        # It would print to the terminal by itself; the program's own handlers suffice.
        logging.getLogger("huggingface_hub").handlers.clear()
        set_client_factory(self._http.new_client)
        return HfApi(endpoint=self.endpoint, token=self.token or False)

    @contextmanager
    def _translated(self, url: str, repo_id: str) -> Iterator[None]:
        """Turn the library's errors into ours."""
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

        host = urlsplit(self.endpoint).hostname or ""
        try:
            yield
        except HFValidationError as error:
            raise InvalidReference(repo_id) from error
        except OfflineModeIsEnabled as error:
            raise Offline(host) from error
        except HfHubHTTPError as error:
            # A hub tells strangers 401 for what does not exist, so that they cannot learn what does.
            if error.response.headers.get("X-Error-Code") == "RepoNotFound":
                raise NotOnHub(error.response.status_code, without_query(url)) from error
            raise _translate(error.response.status_code, without_query(url), host) from error
        except TransportError as error:
            raise HubUnavailable(host, str(error) or type(error).__name__) from error
        except ValueError as error:
            raise HubUnavailable(host, "an answer that is no JSON") from error


def _translate(status: int, url: str, host: str) -> HubError | HubUnavailable:
    if status in (401, 403):
        return AccessDenied(status, url)
    if status in (404, 410):
        return NotOnHub(status, url)
    if status == 429:
        return RateLimited(status, url)
    if status >= 500:
        return HubUnavailable(host, f"status {status}")
    return HubError(status, url)
