"""Models to begin with, by the memory of a machine: a list made by hand, which the hub confirms or not.

Source: engine-facts G of this project's notes; what no page said there is marked in `catalogue.toml`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal, get_args

from model_manager.references import runnable_models
from model_manager.types import HubModel

Mark = Literal["seen", "computed", "recalled", "unknown"]
RepoMark = Literal["named", "guessed"]
Reasoning = Literal["none", "think", "harmony", "channel", "effort"]

TIERS_GIB: Final = (4, 8, 12, 16, 24, 32, 64, 96, 128)
_BILLION = 1_000_000_000


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One model.

    Attributes:
        repo_mark: "guessed" where the repository may have another name.
        size_bytes: In about four bits.
        license: "" where nobody has read it.
        tier_gib: Memory of the smallest machine that it suits; one of `TIERS_GIB`.
        template: Name of a known-good chat template (`known_templates`); "" where nobody has compared.
        character: One line, by the code of a language.
    """

    repo_id: str
    repo_mark: RepoMark
    revision: str
    architecture: str
    total_params: int
    active_params: int
    size_bytes: int
    size_mark: Mark
    license: str
    license_mark: Mark
    reasoning: Reasoning
    tier_gib: int
    template: str
    character: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that the hub tells otherwise.

    Attributes:
        what: "files" (there is no model), "architecture" or "parameters".
    """

    what: Literal["files", "architecture", "parameters"]
    expected: str
    found: str


@cache
def entries() -> tuple[CatalogueEntry, ...]:
    """All of them, small machines first."""
    text = files("model_manager").joinpath("catalogue.toml").read_text("utf-8")
    found = [_entry(values) for values in tomllib.loads(text)["model"]]
    return tuple(sorted(found, key=lambda entry: (entry.tier_gib, entry.size_bytes)))


def tier_of(ram_gib: float) -> int | None:
    """The largest tier that a machine reaches; None for one that is too small for any.

    A machine tells a little less than what is printed on its box, so 15.5 GiB count as 16.
    """
    return max((tier for tier in TIERS_GIB if tier <= ram_gib * 1.05), default=None)


def find(repo_id: str) -> CatalogueEntry | None:
    """The entry of a repository, if it has one; hubs do not tell upper from lower case."""
    return next((entry for entry in entries() if entry.repo_id.lower() == repo_id.lower()), None)


def find_like(architecture: str, names: Sequence[str]) -> CatalogueEntry | None:
    """The entry that a file is one of, if any, by what it is called and how it is built.

    Args:
        architecture: As its header has it.
        names: Its own name, its file's, the repository's that it came from.
    """
    plain = [_plain(name) for name in names]
    found = [
        entry
        for entry in entries()
        if entry.architecture == architecture
        and any(_plain(entry.repo_id.rpartition("/")[2].removesuffix("-GGUF")) in name for name in plain)
    ]
    return max(found, key=lambda entry: len(entry.repo_id), default=None)


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name.lower()))


def differences(entry: CatalogueEntry, model: HubModel) -> tuple[Difference, ...]:
    """What a hub's answer contradicts; what it does not tell contradicts nothing."""
    found: list[Difference] = []
    if not runnable_models(model.files):
        found.append(Difference("files", "GGUF", ""))
    facts = model.facts
    if facts is None:
        return tuple(found)
    if facts.architecture and facts.architecture != entry.architecture:
        found.append(Difference("architecture", entry.architecture, facts.architecture))
    if facts.total_params and not 0.8 < facts.total_params / entry.total_params < 1.25:
        found.append(Difference("parameters", _billions(entry.total_params), _billions(facts.total_params)))
    return tuple(found)


def _billions(n_params: int) -> str:
    return f"{n_params / _BILLION:.3g}B"


def _entry(values: Mapping[str, Any]) -> CatalogueEntry:
    return CatalogueEntry(
        repo_id=values["repo"],
        repo_mark=_one_of(values["repo_mark"], get_args(RepoMark)),
        revision=values["revision"],
        architecture=values["architecture"],
        total_params=round(values["total_params"] * _BILLION),
        active_params=round(values["active_params"] * _BILLION),
        size_bytes=round(values["size_gb"] * _BILLION),
        size_mark=_one_of(values["size_mark"], get_args(Mark)),
        license=values["license"],
        license_mark=_one_of(values["license_mark"], get_args(Mark)),
        reasoning=_one_of(values["reasoning"], get_args(Reasoning)),
        tier_gib=_one_of(values["tier_gib"], TIERS_GIB),
        template=values.get("template", ""),
        character=values["character"],
    )


def _one_of(value: Any, allowed: tuple[Any, ...]) -> Any:
    if value not in allowed:
        raise ValueError(f"{value!r} is none of {allowed}")
    return value
