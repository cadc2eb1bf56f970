"""A hub that speaks the Hugging Face API: what it has, and where the bytes are.

Metadata comes through the real client library, which gets its connections from `http`; `transfer` moves
bytes. The library is imported when first used: it is large, and reads its settings from the environment while
it loads.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping
from contextlib import contextmanager
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import quote, unquote, urlsplit

from model_manager import told
from model_manager.direct import item_at
from model_manager.errors import (
    HubUnavailable,
    InvalidReference,
    NotOnHub,
    Offline,
)
from model_manager.http import Http, TransportError
from model_manager.hub_answers import card_path, get_card
from model_manager.hub_facts import facts_of
from model_manager.items import item_of
from model_manager.network import unavailable
from model_manager.partial import without_query
from model_manager.references import UrlReference, choose, parse
from model_manager.refusals import refusal_of
from model_manager.tokens import HUB_ENDPOINT, Tokens, tokens_of
from model_manager.types import DownloadItem, HubFacts, HubFile, HubModel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from huggingface_hub import HfApi

log = logging.getLogger(__name__)

TIMEOUT_S = 30.0

SearchOrder = Literal["downloads", "likes", "trending", "modified"]

_SORTS: Final[Mapping[SearchOrder, str]] = MappingProxyType(
    {
        "downloads": "downloads",
        "likes": "likes",
        "trending": "trendingScore",
        "modified": "lastModified",
    }
)
_EXPANDED: Final = ("downloads", "gated", "gguf", "lastModified", "likes", "tags", "trendingScore")
_SIFT_FACTOR = 10
_PAGE_SIZE = 100


class Hub:
    """One hub. Thread-safe; nothing is asked before it is needed.

    Attributes:
        endpoint: Its address, without a slash at the end.
        on_seen: Gets every repository that `model_info` was told of, on the thread that asked; None at first.
    """

    def __init__(self, http: Http, endpoint: str | None = None, tokens: Tokens | None = None) -> None:
        """Prepare.

        Args:
            http: The door; the endpoint is allowed there.
            endpoint: None takes `HF_ENDPOINT`, else the public hub.
            tokens: Those that may be sent; None takes what the environment names, each for its own host. So
                a token of the environment never goes to a mirror that only our settings name.
        """
        self.endpoint = (endpoint or os.environ.get("HF_ENDPOINT", "") or HUB_ENDPOINT).rstrip("/")
        self._tokens = Tokens(tokens_of(os.environ.get)) if tokens is None else tokens
        self.on_seen: Callable[[HubModel], None] | None = None
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
                repo_id,
                revision=revision,
                files_metadata=True,
                timeout=TIMEOUT_S,
                token=self._token(repo_id) or False,
            )
        files = tuple(
            found
            for sibling in info.siblings or ()
            if (found := _file_of(sibling.rfilename, sibling.size, sibling.lfs)) is not None
        )
        model = HubModel(repo_id, told.text(info.sha) or revision, files, bool(info.gated), facts_of(info))
        if self.on_seen is not None:
            self.on_seen(model)
        return model

    def search(
        self,
        text: str = "",
        *,
        author: str | None = None,
        sort: SearchOrder = "downloads",
        license_name: str | None = None,
        moe_only: bool = False,
        reasoning_only: bool = False,
        limit: int = 20,
    ) -> tuple[HubFacts, ...]:
        """Repositories with GGUF files, the first by `sort` first.

        Args:
            text: A part of the name; "" for all.
            author: A person or an organization; one that there is not has nothing.
            sort: What comes first: the most of it, or the latest.
            license_name: As cards write it, for example "apache-2.0".
            moe_only: Mixtures of experts alone. Hubs cannot be asked for that, so ten times as many
                repositories are looked at, and there may be more.
            reasoning_only: Models that reason alone; as with `moe_only`.
            limit: At most so many.

        Raises:
            RateLimited, HubUnavailable, HubError, Offline, HostRefused: As named.
        """
        tags = ["gguf", *([f"license:{license_name.lower()}"] if license_name else [])]
        n_left = limit * _SIFT_FACTOR if moe_only or reasoning_only else limit
        params: dict[str, Any] = {
            "search": text.strip(),
            "author": author or "",
            "filter": tags,
            "sort": _SORTS[sort],
            "expand": list(_EXPANDED),
            "limit": min(n_left, _PAGE_SIZE),
        }
        found: list[HubFacts] = []
        with self._translated(f"{self.endpoint}/api/models", text), self._http.purpose("model search"):
            for value in islice(self._pages("/api/models", params), n_left):
                facts = _facts_of_entry(value)
                if facts is None or (moe_only and not facts.is_moe):
                    continue
                if facts.is_reasoning or not reasoning_only:
                    found.append(facts)
                if len(found) == limit:
                    break
        return tuple(found)

    def card(self, model: HubModel) -> str:
        """The text of a repository's card, at most 256 KiB of it; "" where it has none.

        Raises:
            AccessDenied, RateLimited, HubUnavailable, HubError, Offline, HostRefused: As named.
        """
        path = card_path(model)
        if path is None:
            return ""
        url = self.file_url(model.repo_id, path, model.revision)
        return get_card(self._http, url, self._token(model.repo_id))

    def resolve(self, ref: str) -> DownloadItem:
        """The files that a reference means, pinned to a commit, with sizes and hashes as the hub states them.

        Raises:
            InvalidReference: It means nothing or several things; `choices` has what there is.
            UnsafeFilename: The hub's names would leave our folder.
            HubError and others: As `model_info`.
        """
        reference = parse(ref, self.endpoint)
        if isinstance(reference, UrlReference):
            return item_at(self._http, reference)
        model = self.model_info(reference.repo_id, reference.revision)
        return self.item_of(model, choose(reference, model.files))

    def item_of(self, model: HubModel, chosen: Sequence[HubFile]) -> DownloadItem:
        """What to download for the files of one model of a repository, as `items.item_of` says it.

        Raises:
            UnsafeFilename: The hub's names would leave our folder.
        """
        return item_of(model, chosen, model.repo_id, self.file_url)

    def file_url(self, repo_id: str, path: str, revision: str = "main") -> str:
        """Where the bytes of a file can be asked for."""
        return f"{self.endpoint}/{quote(repo_id)}/resolve/{quote(revision, safe='')}/{quote(path)}"

    def holds(self, url: str) -> bool:
        """Whether a file's address is at this hub."""
        return url.startswith(f"{self.endpoint}/")

    def token_for(self, url: str) -> str | None:
        """The token for a repository's file, if a URL is of this hub."""
        hub, other = urlsplit(self.endpoint), urlsplit(url)
        if (hub.scheme, hub.netloc) != (other.scheme, other.netloc):
            return None
        path = unquote(other.path).removeprefix(hub.path.rstrip("/")).strip("/")
        return self._token("/".join(path.split("/")[:2]))

    def _pages(self, path: str, params: Mapping[str, Any]) -> Iterator[Any]:
        """The entries of a listing, page by page.

        Not by the library's `list_models`: that one tries for half a minute while a person waits.
        """
        self._api()
        from huggingface_hub import get_session

        token = self._token()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url: str | None = f"{self.endpoint}{path}"
        given: Mapping[str, Any] | None = {name: value for name, value in params.items() if value}
        while url is not None:
            response = get_session().get(url, params=given, headers=headers, timeout=TIMEOUT_S)
            if response.status_code != 200:
                raise refusal_of(response.status_code, without_query(url), urlsplit(url).hostname or "")
            entries = response.json()
            if not isinstance(entries, list):
                raise TypeError(f"a listing that is a {type(entries).__name__}")
            yield from entries
            url, given = response.links.get("next", {}).get("url"), None

    @property
    def has_token(self) -> bool:
        """Whether it is asked with a token."""
        return self._token() is not None

    def _token(self, repo_id: str = "") -> str | None:
        return self._tokens.for_url(self.endpoint, repo_id)

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
        return HfApi(endpoint=self.endpoint, token=False)

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
            raise refusal_of(error.response.status_code, without_query(url), host) from error
        except TransportError as error:
            raise unavailable(host, error) from error
        except ValueError as error:
            raise HubUnavailable(host, "an answer that is no JSON") from error
        except (TypeError, KeyError, AttributeError) as error:
            # The library takes JSON of another form for what it expects.
            raise HubUnavailable(host, "an answer that makes no sense") from error


def _file_of(name: Any, size_bytes: Any, lfs: Any) -> HubFile | None:
    """Of what the library has made of an entry: its large files have facts of their own."""
    return told.file(name, lfs.size if lfs else size_bytes, lfs.sha256 if lfs else None)


def _facts_of_entry(entry: Any) -> HubFacts | None:
    """Of one entry of a listing; None for what is none, so that the others are still shown."""
    from huggingface_hub import ModelInfo

    try:
        return facts_of(ModelInfo(**entry))  # type: ignore[no-untyped-call]  # the library has no types there
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        log.info("an entry of the hub's listing makes no sense: %s", error)
        return None
