"""What a model's files say of themselves: experts, number formats by role, licence, chat template."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from model_manager import catalogue, known_templates
from model_manager.anatomy import Anatomy, anatomy_of
from model_manager.catalogue import CatalogueEntry
from model_manager.gguf import TensorInfo
from model_manager.known_templates import TemplateCheck
from model_manager.shards import GgufModel, model_stem

TensorClass = Literal[
    "attention", "shared", "experts", "feed_forward", "state", "embeddings", "output", "other"
]
"""shared: experts for every token; state: of layers that keep one in place of keys and values."""

CLASSES: Final[tuple[TensorClass, ...]] = (
    "attention",
    "state",
    "feed_forward",
    "shared",
    "experts",
    "embeddings",
    "output",
    "other",
)
_PATTERNS: Final[tuple[tuple[TensorClass, re.Pattern[str]], ...]] = (
    # A norm is a vector of a few kilobytes in 32 bits, and would make every class look mixed.
    ("other", re.compile(r"_norm\.|\.bias$|ffn_gate_inp|exp_probs_b|\.nextn\.|rope_freqs")),
    ("experts", re.compile(r"_(ch)?exps\.")),
    ("shared", re.compile(r"_shexp\.")),
    ("embeddings", re.compile(r"^(token_embd|per_layer_token_embd|position_embd|token_types)\.")),
    ("output", re.compile(r"^output\.")),
    ("attention", re.compile(r"\.(attn|indexer)[._]")),
    ("state", re.compile(r"\.(ssm_|shortconv\.|time_mix_|kda_)")),
    ("feed_forward", re.compile(r"\.ffn_")),
)


@dataclass(slots=True)
class TypeShare:
    """Of the tensors of one class that have one number format."""

    n_tensors: int = 0
    size_bytes: int = 0


@dataclass(slots=True)
class ClassFacts:
    """The tensors of one class.

    Attributes:
        types: By number format.
    """

    n_tensors: int = 0
    n_params: int = 0
    size_bytes: int = 0
    types: dict[str, TypeShare] = field(default_factory=dict)

    @property
    def bits_per_weight(self) -> float:
        """On the mean; 0 where there are no weights."""
        return 8 * self.size_bytes / self.n_params if self.n_params else 0.0


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What there is to say.

    Attributes:
        title: Its own name; "" where it has none.
        license: As the file has it, else as the catalogue has it; "" where neither knows.
        license_from: "file", "catalogue" or "".
        entry: Of the catalogue, if it is one of its models.
    """

    title: str
    architecture: str
    n_layers: int
    n_experts: int
    n_experts_used: int
    n_ctx_train_tokens: int
    quantization: str
    anatomy: Anatomy
    classes: dict[TensorClass, ClassFacts]
    license: str
    license_from: str
    template: TemplateCheck
    entry: CatalogueEntry | None


def class_of(tensor_name: str) -> TensorClass:
    """What a tensor is for."""
    return next((kind for kind, pattern in _PATTERNS if pattern.search(tensor_name)), "other")


def facts_of(model: GgufModel, *, source: str = "", chat_template: str | None = None) -> FileFacts:
    """Read them off the headers.

    Args:
        model: The files.
        source: Where they came from, as the library keeps it: "hub:owner/repo".
        chat_template: One that is used in place of the file's.
    """
    header = model.header
    entry = _entry_of(model, source)
    own_license = header.text("general.license") or header.text("general.license.name")
    license_from = "file" if own_license else "catalogue" if entry is not None and entry.license else ""
    return FileFacts(
        title=header.text("general.name"),
        architecture=header.architecture,
        n_layers=header.n_layers,
        n_experts=header.n_experts,
        n_experts_used=header.n_experts_used,
        n_ctx_train_tokens=header.n_ctx_train_tokens,
        quantization=model.quantization,
        anatomy=anatomy_of(model),
        classes=classes_of(list(model.tensors())),
        license=own_license or (entry.license if entry is not None else ""),
        license_from=license_from,
        template=known_templates.check(
            header.chat_template if chat_template is None else chat_template,
            entry.template if entry is not None else "",
        ),
        entry=entry,
    )


def classes_of(tensors: Sequence[TensorInfo]) -> dict[TensorClass, ClassFacts]:
    """The tensors by class, in the order of `CLASSES`; only those that there are."""
    found: dict[TensorClass, ClassFacts] = {kind: ClassFacts() for kind in CLASSES}
    for tensor in tensors:
        facts = found[class_of(tensor.name)]
        share = facts.types.setdefault(tensor.type.name, TypeShare())
        for part in (facts, share):
            part.n_tensors += 1
            part.size_bytes += tensor.size_bytes
        facts.n_params += math.prod(tensor.shape)
    for facts in found.values():
        facts.types = dict(sorted(facts.types.items(), key=lambda item: -item[1].size_bytes))
    return {kind: facts for kind, facts in found.items() if facts.n_tensors}


def _entry_of(model: GgufModel, source: str) -> CatalogueEntry | None:
    repo_id = re.split(r"[:@]", source.removeprefix("hub:"))[0] if source.startswith("hub:") else ""
    header = model.header
    if repo_id and (entry := catalogue.find("/".join(repo_id.split("/")[:2]))) is not None:
        return entry
    names = [header.text("general.name"), model_stem(model.paths[0].name), repo_id]
    return catalogue.find_like(header.architecture, names)
