"""Wherever models come from: a hub or a mirror of it, ModelScope, any address. One reference, one answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from model_manager.hosts import is_same_origin
from model_manager.hub import Hub, SearchOrder
from model_manager.modelscope import ModelScope
from model_manager.references import HubReference, UrlReference, choose, parse
from model_manager.tokens import Tokens
from model_manager.types import DownloadItem, HubFacts, HubFile, HubModel, Source


class FileSource(Protocol):
    """What a download needs of `Sources`; a `Hub` alone is one, too."""

    @property
    def endpoint(self) -> str:
        """The address that references without a service's name mean."""

    def resolve(self, ref: str) -> DownloadItem:
        """The files that a reference means."""

    def holds(self, url: str) -> bool:
        """Whether a file's address is where it would be asked for now."""

    def token_for(self, url: str) -> str | None:
        """The token for the bytes of a file."""


class Sources:
    """All of them together. Thread-safe; nothing is asked before it is needed.

    Attributes:
        hub: With the API of Hugging Face.
        modelscope: With ModelScope's.
    """

    def __init__(self, hub: Hub, modelscope: ModelScope, tokens: Tokens) -> None:
        self.hub = hub
        self.modelscope = modelscope
        self._tokens = tokens

    @property
    def endpoint(self) -> str:
        """The hub's address: what stands in a reference without a service's name is there."""
        return self.hub.endpoint

    def parse(self, ref: str) -> HubReference | UrlReference:
        """Read a reference.

        Raises:
            InvalidReference: It is none.
        """
        return parse(ref, self.hub.endpoint)

    def model_info(self, reference: HubReference) -> HubModel:
        """What the repository of a reference holds.

        Raises:
            AccessDenied, NotOnHub, RateLimited, HubUnavailable, HubError, Offline, HostRefused: As named.
            InvalidReference: No repository can have this name.
        """
        return self.of(reference.source).model_info(reference.repo_id, reference.revision)

    def search(
        self,
        text: str = "",
        *,
        source: Source = "hub",
        author: str | None = None,
        sort: SearchOrder = "downloads",
        license_name: str | None = None,
        moe_only: bool = False,
        reasoning_only: bool = False,
        limit: int = 20,
    ) -> tuple[HubFacts, ...]:
        """Repositories with GGUF files, as the source's own `search` gives them."""
        return self.of(source).search(
            text,
            author=author,
            sort=sort,
            license_name=license_name,
            moe_only=moe_only,
            reasoning_only=reasoning_only,
            limit=limit,
        )

    def card(self, model: HubModel) -> str:
        """The text of a repository's card, as the source's own `card` gives it."""
        return self.of(model.source).card(model)

    def resolve(self, ref: str) -> DownloadItem:
        """The files that a reference means, with sizes and hashes as the source states them.

        Raises:
            InvalidReference: It means nothing or several things; `choices` has what there is.
            UnsafeFilename: The names would leave our folder.
            HubError and others: As `model_info`.
        """
        reference = self.parse(ref)
        if isinstance(reference, UrlReference) or reference.source == "hub":
            return self.hub.resolve(ref)
        model = self.model_info(reference)
        return self.item_of(model, choose(reference, model.files))

    def item_of(self, model: HubModel, chosen: Sequence[HubFile]) -> DownloadItem:
        """What to download for the files of one model of a repository, the first shard first.

        Raises:
            UnsafeFilename: The names would leave our folder.
        """
        return self.of(model.source).item_of(model, chosen)

    def holds(self, url: str) -> bool:
        """Whether a file's address is at one of them as they are set now."""
        return self.hub.holds(url) or self.modelscope.holds(url)

    def token_for(self, url: str) -> str | None:
        """The token for the bytes of a file, if its host is one that a token may go to."""
        if is_same_origin(url, self.hub.endpoint):
            return self.hub.token_for(url)
        return self.modelscope.token_for(url)

    def lend_token(self, ref: str) -> None:
        """Let the download of a reference use the token of who asks for it now, as `Tokens.lend`.

        Raises:
            InvalidReference: It is none.
        """
        reference = self.parse(ref)
        if isinstance(reference, HubReference):
            self._tokens.lend(self.of(reference.source).endpoint, reference.repo_id)

    def of(self, source: Source) -> Hub | ModelScope:
        """One of them."""
        return self.modelscope if source == "modelscope" else self.hub
