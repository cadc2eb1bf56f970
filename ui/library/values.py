"""What the pages of models show and what is asked of them: plain values, made by the roof."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from model_manager.types import HubFacts, HubFile, KvType, ModelEntry, Source, StoreInfo

SortOrder = Literal["downloads", "likes", "trending", "modified"]
PartKind = Literal["attention", "experts", "kv", "compute", "other"]
MemoryKind = Literal["device", "main", "disk"]


@dataclass(frozen=True, slots=True)
class SearchWish:
    """What is looked for on the hub.

    Attributes:
        author: A person or an organization; "" for any.
        source: Where: the hub, or ModelScope.
        license_name: As cards write it; "" for any.
        limit: At most so many.
    """

    text: str = ""
    sort: SortOrder = "downloads"
    moe_only: bool = False
    reasoning_only: bool = False
    fits_only: bool = False
    license_name: str = ""
    author: str = ""
    source: Source = "hub"
    limit: int = 30


@dataclass(frozen=True, slots=True)
class FoundModel:
    """One repository that the hub has.

    Attributes:
        verdict: For this machine, as `model_manager.fit` names it; "" where nobody can tell yet.
        offer: What in it fits best, in words such as "Q4_K_M"; "" where that was not looked up.
        offer_bytes: How large that is.
    """

    facts: HubFacts
    verdict: str = ""
    offer: str = ""
    offer_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One model of the catalogue.

    Attributes:
        tier_gib: Memory of the smallest machine that it suits.
        character: One line in the language in use.
        is_verified: The hub has confirmed it.
        is_guessed: The repository may have another name.
    """

    repo_id: str
    tier_gib: int
    total_params: int
    active_params: int
    size_bytes: int
    license: str
    reasoning: str
    character: str
    is_verified: bool
    is_guessed: bool
    verdict: str


@dataclass(frozen=True, slots=True)
class Suggestions:
    """The catalogue.

    Attributes:
        tier_gib: What this machine reaches; 0 for less than the smallest.
        ram_bytes: Of this machine.
    """

    entries: tuple[Suggestion, ...]
    tier_gib: int
    ram_bytes: int


@dataclass(frozen=True, slots=True)
class OfferLine:
    """One model of a repository in one quantization.

    Attributes:
        ref: What is asked for to download it.
        grade: As `model_manager.quantizations` has it.
        verdict: For this machine.
        is_measured: The verdict rests on the file's header, not on its size alone.
    """

    label: str
    ref: str
    size_bytes: int
    n_files: int
    grade: str
    perplexity_increase: float | None
    verdict: str
    is_measured: bool = False
    is_recommended: bool = False


@dataclass(frozen=True, slots=True)
class HubPage:
    """A repository before anything of it is downloaded.

    Attributes:
        card: As its author wrote it; nobody has checked it.
        differences: What the hub tells otherwise than the catalogue: what, expected, found.
        is_in_catalogue: The catalogue has it.
    """

    facts: HubFacts
    is_gated: bool
    offers: tuple[OfferLine, ...]
    projectors: tuple[HubFile, ...]
    incomplete: tuple[HubFile, ...]
    card: str = ""
    is_in_catalogue: bool = False
    differences: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """One kind of memory and what a model would put there.

    Attributes:
        taken_bytes: By other programs and loaded models; cannot be had.
        capacity_bytes: All there is; 0 for the disk.
        parts: In the order they are drawn.
    """

    kind: MemoryKind
    capacity_bytes: int
    taken_bytes: int
    parts: tuple[tuple[PartKind, int], ...]

    @property
    def model_bytes(self) -> int:
        """What the model puts there."""
        return sum(n_bytes for _, n_bytes in self.parts)


@dataclass(frozen=True, slots=True)
class FitFigures:
    """Whether a model fits, and how it would run.

    Attributes:
        ref: What was asked about: a reference or a name.
        verdict: As `model_manager.fit` names it.
        over_bytes: By how much it is too large; 0 where it fits.
        formula_bytes: By the header alone, where `total_bytes` is by something better.
        fits_file_bytes: Size of a file like this one that would fit; 0 where nobody knows.
        context_reason: Why this context, as `model_manager.best_fit` names it.
        plan_reason, n_cpu_expert_layers, n_gpu_layers: As in its `FitPlan`.
        decode_tokens_per_s, prefill_tokens_per_s: None where nobody knows.
        basis: Where the speeds come from.
        ctx_choices: Contexts that the model can have.
    """

    ref: str
    n_ctx_tokens: int
    cache_type: KvType
    memory: tuple[MemoryUse, ...]
    total_bytes: int
    verdict: str
    over_bytes: int
    fits_ctx_tokens: int
    plan_reason: str
    n_cpu_expert_layers: int
    n_gpu_layers: int
    total_params: int
    active_params: int
    decode_tokens_per_s: float | None
    prefill_tokens_per_s: float | None
    basis: str
    ctx_choices: tuple[int, ...] = ()
    formula_bytes: int = 0
    context_reason: str = "asked"
    fits_file_bytes: int = 0


@dataclass(frozen=True, slots=True)
class TensorShare:
    """The tensors of a file that are for one thing.

    Attributes:
        kind: As `model_manager.file_facts` names it.
        types: Number formats with how many tensors have each, the largest first.
    """

    kind: str
    size_bytes: int
    bits_per_weight: float
    types: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class FileFigures:
    """What a model's files say of themselves.

    Attributes:
        license: "" where neither the file nor the catalogue tells.
        template_verdict, template_known_as, template_expected: As in `known_templates.TemplateCheck`.
        template_changes: Where it differs: its line, how many lines of the known-good one it lacks, its own.
    """

    license: str
    template_verdict: str
    template_known_as: str = ""
    template_expected: str = ""
    template_changes: tuple[tuple[int, int, tuple[str, ...]], ...] = ()
    shares: tuple[TensorShare, ...] = ()


@dataclass(frozen=True, slots=True)
class QuantizeWish:
    """What a smaller file of a model is to be like.

    Attributes:
        type_name: Of the whole.
        experts, attention: Another type for these; None for the same.
        tensors: Patterns of names, each with a type.
        output: Name of the new model; None makes one of the old name and the type.
    """

    type_name: str
    experts: str | None = None
    attention: str | None = None
    tensors: tuple[tuple[str, str], ...] = ()
    output: str | None = None


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """What is known of an entry of the library beyond its files.

    Attributes:
        fit: Whether it fits; None where the file cannot be read.
        file: What its files say; likewise.
        probed_bytes: What llama.cpp says it would take; None where that was not asked.
        probed_ctx_tokens: With so much context.
        probe_error: Why llama.cpp says nothing; an error for a sentence.
        loaded_bytes: What its last load took; None before one.
        loaded_ctx_tokens: With so much context.
        loaded_at: When that was, ISO 8601; "" for now: it is loaded.
        decode_tokens_per_s, prefill_tokens_per_s: Of its own newest answers; None where there are none.
        n_answers: So many.
        failure: Why the file cannot be judged; an error for a sentence.
    """

    fit: FitFigures | None = None
    file: FileFigures | None = None
    probed_bytes: int | None = None
    probed_ctx_tokens: int = 0
    probe_error: Exception | None = None
    loaded_bytes: int | None = None
    loaded_ctx_tokens: int = 0
    loaded_at: str = ""
    decode_tokens_per_s: float | None = None
    prefill_tokens_per_s: float | None = None
    n_answers: int = 0
    failure: Exception | None = None


@dataclass(frozen=True, slots=True)
class Shelf:
    """The library as its page shows it.

    Attributes:
        stores: Other programs that have models on this machine.
        models_dir: The folder whose files belong to the program; None while nobody has said.
        free_bytes: Room on its disk.
    """

    entries: tuple[ModelEntry, ...] = ()
    models_dir: Path | None = None
    free_bytes: int = 0
    stores: tuple[StoreInfo, ...] = ()
