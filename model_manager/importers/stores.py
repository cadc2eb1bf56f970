"""The stores that are known, by the keys that `coterie models import --from` takes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from model_manager.importers import folder, gpt4all, hub_cache, jan, lmstudio, ollama
from model_manager.importers.found import Findings, Variables
from model_manager.types import StoreInfo


@dataclass(frozen=True, slots=True)
class Store:
    """A kind of store.

    Attributes:
        title: As its maker writes it.
        folders: Where it may lie, whether it is there or not, as somebody's environment says.
        scan: Looks through one such folder.
    """

    title: str
    folders: Callable[[Variables], Sequence[Path]]
    scan: Callable[[Path], Findings]


STORES: Final[Mapping[str, Store]] = {
    "hub": Store("Hugging Face", hub_cache.folders, hub_cache.scan),
    "lmstudio": Store("LM Studio", lmstudio.folders, lmstudio.scan),
    "ollama": Store("Ollama", ollama.folders, ollama.scan),
    "jan": Store("Jan", jan.folders, jan.scan),
    "gpt4all": Store("GPT4All", gpt4all.folders, gpt4all.scan),
}

FOLDER: Final = Store("", lambda _variables: (), folder.scan)
"""Any other folder; which, a person says."""

VARIABLES: Final = (
    *hub_cache.VARIABLES,
    *ollama.VARIABLES,
    *jan.VARIABLES,
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "APPDATA",
    "LOCALAPPDATA",
)
"""Of the environment: what says where stores are."""


def present_folders(store: Store, variables: Variables = os.environ.get) -> tuple[Path, ...]:
    """Those of a store's folders that are on this machine, each once."""
    found: dict[Path, Path] = {}
    for path in store.folders(variables):
        try:
            if path.is_dir():
                found.setdefault(path.resolve(), path)
        except OSError:  # not for this person to see
            continue
    return tuple(found.values())


def all_stores() -> tuple[StoreInfo, ...]:
    """Every store, with its folders on this machine."""
    return tuple(StoreInfo(key, store.title, present_folders(store)) for key, store in STORES.items())
