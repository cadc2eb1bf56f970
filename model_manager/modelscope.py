"""ModelScope: what it has, and where the bytes are. The same questions as to `hub`, in its own API.

Source: what ModelScope's own client asks (modelscope_hub, `_openapi.py` and `_legacy_api.py`):

    GET /openapi/v1/models?search&owner&sort&page_number&page_size
    GET /openapi/v1/models/{owner}/{name}
    GET /api/v1/models/{owner}/{name}/repo/files?Revision&Recursive
    GET /api/v1/models/{owner}/{name}/repo?Revision&FilePath
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote, urlencode, urlsplit

from model_manager import told
from model_manager.errors import HubUnavailable
from model_manager.hosts import is_same_origin
from model_manager.http import Http
from model_manager.hub import SearchOrder
from model_manager.hub_answers import card_path, get_body, get_card
from model_manager.items import item_of
from model_manager.modelscope_facts import facts_of
from model_manager.tokens import MODELSCOPE_ENDPOINT, Tokens, tokens_of
from model_manager.types import DownloadItem, HubFacts, HubFile, HubModel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MAIN_BRANCH: Final = "master"
FOLDER: Final = "modelscope.cn"
"""Below the models folder, whatever the endpoint: the other hub may have a repository of the same name."""

_SORTS: Final[dict[SearchOrder, str]] = {
    "downloads": "downloads",
    "likes": "likes",
    "trending": "downloads",  # it has no such order
    "modified": "last_modified",
}
_REPO_PATH: Final = re.compile(r"/v1/models/([^/]+/[^/]+)")
_PAGE_SIZE = 50
_MOST_LOOKED_AT = 3000
"""It refuses what lies behind that."""
_MOST_ANSWER_BYTES = 32 << 20


class ModelScope:
    """One service with ModelScope's API. Thread-safe; nothing is asked before it is needed.

    Attributes:
        endpoint: Its address, without a slash at the end.
    """

    def __init__(self, http: Http, endpoint: str | None = None, tokens: Tokens | None = None) -> None:
        """Prepare.

        Args:
            http: The door; the endpoint is allowed there.
            endpoint: None takes `MODELSCOPE_ENDPOINT`, else the public one.
            tokens: As of a hub.
        """
        home = os.environ.get("MODELSCOPE_ENDPOINT", "") or MODELSCOPE_ENDPOINT
        self.endpoint = (endpoint or home).rstrip("/")
        self._tokens = Tokens(tokens_of(os.environ.get)) if tokens is None else tokens
        self._http = http
        http.allow(self.endpoint, may_carry_token=True)

    def model_info(self, repo_id: str, revision: str = "main") -> HubModel:
        """What a repository holds. Its API names no commit, so the answer has the branch.

        Raises:
            AccessDenied, NotOnHub, RateLimited, HubUnavailable, HubError, Offline, HostRefused: As named.
        """
        branch = MAIN_BRANCH if revision == "main" else revision
        query = urlencode({"Revision": branch, "Recursive": "true"})
        with self._http.purpose("model info"):
            listing = self._data(f"/api/v1/models/{quote(repo_id)}/repo/files?{query}", "Data")
            facts = facts_of(self._data(f"/openapi/v1/models/{quote(repo_id)}", "data"), repo_id)
        entries = listing.get("Files")
        if not isinstance(entries, list):
            raise HubUnavailable(self._host, "a listing without files")
        files = tuple(file for entry in entries if (file := _file_of(entry)) is not None)
        return HubModel(repo_id, branch, files, facts.is_gated, facts, "modelscope")

    def search(
        self,
        words: str = "",
        *,
        author: str | None = None,
        sort: SearchOrder = "downloads",
        license_name: str | None = None,
        moe_only: bool = False,
        reasoning_only: bool = False,
        limit: int = 20,
    ) -> tuple[HubFacts, ...]:
        """Repositories whose name or tags say GGUF, the first by `sort` first.

        It cannot be asked for a format, so the word joins the others, and what does not say GGUF is left out.

        Args:
            words: A part of the name; "" for all.
            author: A person or an organization.
            sort: As of a hub; "trending" is "downloads" here.
            license_name: As cards write it, for example "apache-2.0".
            moe_only: Mixtures of experts alone.
            reasoning_only: Models that reason alone.
            limit: At most so many.

        Raises:
            RateLimited, HubUnavailable, HubError, Offline, HostRefused: As named.
        """
        query = {
            "search": f"{words.strip()} GGUF".strip(),
            "owner": author or "",
            "sort": _SORTS[sort],
            "filter.license": license_name or "",
        }
        found: list[HubFacts] = []
        with self._http.purpose("model search"):
            for entry in self._entries({name: value for name, value in query.items() if value}):
                facts = facts_of(entry, "")
                is_wanted = (facts.is_moe or not moe_only) and (facts.is_reasoning or not reasoning_only)
                if facts.repo_id and is_wanted and _says_gguf(entry, facts):
                    found.append(facts)
                if len(found) == limit:
                    break
        return tuple(found)

    def card(self, model: HubModel) -> str:
        """The text of a repository's card, at most 256 KiB of it; "" where it has none.

        Raises:
            HubError, HubUnavailable, Offline, HostRefused: As named.
        """
        path = card_path(model)
        if path is None:
            return ""
        url = self.file_url(model.repo_id, path, model.revision)
        return get_card(self._http, url, self.token_for(url))

    def item_of(self, model: HubModel, chosen: Sequence[HubFile]) -> DownloadItem:
        """What to download for the files of one model of a repository, as `Hub.item_of`.

        Raises:
            UnsafeFilename: The names would leave our folder.
        """
        folder = f"{FOLDER}/{model.repo_id}"
        return item_of(model, chosen, folder, self.file_url)

    def file_url(self, repo_id: str, path: str, revision: str = MAIN_BRANCH) -> str:
        """Where the bytes of a file can be asked for."""
        query = urlencode({"Revision": revision, "FilePath": path})
        return f"{self.endpoint}/api/v1/models/{quote(repo_id)}/repo?{query}"

    def holds(self, url: str) -> bool:
        """Whether a file's address is there."""
        return url.startswith(f"{self.endpoint}/")

    def token_for(self, url: str) -> str | None:
        """The token for one of its addresses."""
        if not is_same_origin(url, self.endpoint):
            return None
        match = _REPO_PATH.search(urlsplit(url).path)
        return self._tokens.for_url(url, unquote(match[1]) if match else "")

    @property
    def _host(self) -> str:
        return urlsplit(self.endpoint).hostname or ""

    def _entries(self, query: Mapping[str, str]) -> Iterator[Any]:
        for page in range(1, _MOST_LOOKED_AT // _PAGE_SIZE + 1):
            paged = urlencode({**query, "page_number": page, "page_size": _PAGE_SIZE})
            entries = self._data(f"/openapi/v1/models?{paged}", "data").get("models")
            if not isinstance(entries, list):
                raise HubUnavailable(self._host, "a listing without models")
            yield from entries
            if len(entries) < _PAGE_SIZE:
                return

    def _data(self, path: str, key: str) -> dict[str, Any]:
        """What an answer's envelope holds."""
        url = f"{self.endpoint}{path}"
        try:
            answer = json.loads(get_body(self._http, url, self.token_for(url), _MOST_ANSWER_BYTES))
        except ValueError as error:
            raise HubUnavailable(self._host, "an answer that is no JSON") from error
        data = answer.get(key) if isinstance(answer, dict) else None
        if not isinstance(data, dict):
            raise HubUnavailable(self._host, "an answer that makes no sense")
        return data


def _file_of(entry: Any) -> HubFile | None:
    """None for folders, and for what makes no sense, so that the rest is still shown."""
    if not isinstance(entry, dict) or entry.get("Type") == "tree":
        return None
    return told.file(entry.get("Path"), entry.get("Size"), entry.get("Sha256"))


def _says_gguf(entry: Any, facts: HubFacts) -> bool:
    tags = entry.get("tags") if isinstance(entry.get("tags"), list) else []
    return "gguf" in facts.repo_id.lower() or any("gguf" in told.text(tag).lower() for tag in tags)
