"""The models that one repository offers: its files grouped, what each costs, and which serves best here."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from model_manager.fit_types import TIGHT_SHARE, Machine, Verdict
from model_manager.quantizations import Grade, Quality, quality_of
from model_manager.references import label, runnable_models
from model_manager.types import HubFile, HubModel
from model_manager.vision_files import is_vision_name, vision_rank

Basis = Literal["size", "headers", "unreadable"]
"""What a verdict rests on. Where headers could not be read, it is the size again."""

_OVERHEAD_SHARE = 0.1
_LEAST_OVERHEAD_BYTES = 512 << 20
"""Context, computing and the process, as long as no header says it better."""
_BEST_FIRST: tuple[Grade, ...] = ("near", "good", "same", "fair", "exact", "rough", "unknown", "broken")
"""What serves best: beyond "near" little is gained, while every byte of a token's weights costs speed."""
_VERDICTS: tuple[Verdict, ...] = ("fits", "tight", "pages")


@dataclass(frozen=True, slots=True)
class Offer:
    """One model of a repository, in one quantization.

    Attributes:
        label: Its quantization, else its name.
        ref: What to type to download it.
        files: All shards, the first one first.
        verdict: For this machine.
    """

    label: str
    ref: str
    files: tuple[HubFile, ...]
    quality: Quality
    verdict: Verdict
    basis: Basis = "size"
    is_recommended: bool = False

    @property
    def size_bytes(self) -> int:
        """Of all shards together."""
        return sum(file.size_bytes for file in self.files)


@dataclass(frozen=True, slots=True)
class Shelf:
    """All that a repository holds.

    Attributes:
        offers: The largest first.
        projectors: Vision towers, for any of the offers; the one that is taken along comes first.
        incomplete: Shards of models that lack other shards; they cannot be downloaded.
    """

    offers: tuple[Offer, ...]
    projectors: tuple[HubFile, ...]
    incomplete: tuple[HubFile, ...]


def shelf_of(model: HubModel, machine: Machine) -> Shelf:
    """Group the files of a repository, and judge each model by its size alone."""
    groups = runnable_models(model.files)
    times = Counter(label(files[0].path) for files in groups)
    offers = [_offer(model.ref, files, times, machine) for files in groups]
    offers.sort(key=lambda offer: (-offer.size_bytes, offer.ref))
    used = {file.path for files in groups for file in files}
    others = [file for file in model.files if file.path.lower().endswith(".gguf") and file.path not in used]
    return Shelf(
        tuple(offers),
        tuple(
            sorted(
                (file for file in others if is_vision_name(_name(file))),
                key=lambda file: vision_rank(_name(file)),
            )
        ),
        tuple(file for file in others if not is_vision_name(_name(file)) and "imatrix" not in _name(file)),
    )


def verdict_by_size(size_bytes: int, machine: Machine) -> Verdict:
    """A first guess: whether a file, and a tenth on top of it, finds room."""
    needed = size_bytes + max(_LEAST_OVERHEAD_BYTES, int(size_bytes * _OVERHEAD_SHARE))
    room = machine.ram_bytes + machine.vram_bytes
    if needed > room:
        return "does_not_fit"
    return "tight" if needed > room * TIGHT_SHARE else "fits"


def by_preference(offers: Sequence[Offer]) -> list[Offer]:
    """Those that can run here, what serves best first."""
    can_run = [offer for offer in offers if offer.verdict in _VERDICTS]
    return sorted(can_run, key=_preference)


def recommended(offers: Sequence[Offer]) -> tuple[Offer, ...]:
    """The same offers, with at most one marked as the one to take."""
    best = next(iter(by_preference(offers)), None)
    return tuple(replace(offer, is_recommended=offer is best) for offer in offers)


def _offer(repo_ref: str, files: tuple[HubFile, ...], times: Counter[str], machine: Machine) -> Offer:
    name = label(files[0].path)
    is_short = times[name] == 1 and re.fullmatch(r"[\w.-]+", name, re.ASCII)
    ref = f"{repo_ref}:{name}" if is_short else f"{repo_ref}/{files[0].path}"
    size_bytes = sum(file.size_bytes for file in files)
    return Offer(name, ref, files, quality_of(name), verdict_by_size(size_bytes, machine))


def _preference(offer: Offer) -> tuple[bool, int, int, float, int]:
    """What pages from the disk is slow at any quality, so the verdict counts before the grade."""
    cost = offer.quality.perplexity_increase
    return (
        offer.basis == "unreadable",
        _VERDICTS.index(offer.verdict),
        _BEST_FIRST.index(offer.quality.grade),
        math.inf if cost is None else cost,
        offer.size_bytes,
    )


def _name(file: HubFile) -> str:
    return file.path.rpartition("/")[2].lower()
