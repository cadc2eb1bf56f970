"""What a hub says of a repository, made into values of ours: no type in it is taken on trust."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from model_manager.told import count, text
from model_manager.types import HubFacts

_MOE_ARCHITECTURES = frozenset(
    {
        "afmoe", "arctic", "bailingmoe", "bailingmoe2", "bailingmoe3", "cohere2moe", "dbrx", "deepseek",
        "deepseek2", "deepseek32", "deepseek4", "dots1", "dots3note", "ernie4_5-moe", "exaone-moe",
        "glm-dsa", "glm4moe", "glm5-next", "gpt-oss", "granitemoe", "grok", "grovemoe", "hunyuan-moe",
        "jamba", "kimi-k3", "kimi-linear", "laguna", "lfm2moe", "llada-moe", "llama4", "mellum", "mimo2",
        "minimax-01", "minimax-m2", "minimax-m3", "mistral4", "nemotron_h_moe", "nomic-bert-moe", "olmoe",
        "phimoe", "qwen2moe", "qwen35moe", "qwen3moe", "qwen3next", "qwen3vlmoe", "rnd1", "smallthinker",
        "step35",
    }
)  # fmt: skip
"""Names that only mixtures bear. `llama` (Mixtral) and `gemma4` may or may not be one.

Source: llama.cpp at 0c1e57098, src/llama-arch.cpp, and src/models for what has a router.
"""
_MOE_TAGS = frozenset({"moe", "mixture-of-experts", "mixture of experts"})
_MOE_NAME = re.compile(
    r"(?:^|[-_.])(?:\d+x\d+(?:\.\d+)?b|\d*a\d+(?:\.\d+)?[bm]|moe)(?:$|[-_.])", re.IGNORECASE
)
"""`8x7B`, `30B-A3B`, `1b-a400m`, `moe`."""
_REASONING_ARCHITECTURES = frozenset({"gpt-oss"})
_REASONING_TAGS = frozenset({"reasoning", "thinking", "chain-of-thought"})
_REASONING_NAME = re.compile(
    r"(?:^|[-_.])(?:think(?:er|ing)?|reason(?:er|ing)?|r1|qwq|magistral)(?:$|[-_.\d])", re.IGNORECASE
)
"""`Thinking`, `Reasoning`, `DeepSeek-R1`, `QwQ`, `Magistral`."""
_REASONING_TEMPLATE = re.compile(
    r"enable_thinking|(?:reasoning|thinking)_effort|<(?:\w+:)?think>|\[THINK\]|<\|channel\|?>"
)
"""A switch for thinking, or a mark that opens it. What only closes one cleans up what other models wrote.

Source: llama.cpp at 0c1e57098, models/templates.
"""


def facts_of(info: Any) -> HubFacts:
    """Of the client library's `ModelInfo`."""
    gguf = info.gguf if isinstance(info.gguf, dict) else {}
    tags = [tag for tag in info.tags if isinstance(tag, str)] if isinstance(info.tags, list) else []
    repo_id = text(info.id)
    architecture = text(gguf.get("architecture"))
    name = repo_id.rpartition("/")[2]
    return HubFacts(
        repo_id=repo_id,
        downloads=count(info.downloads),
        likes=count(info.likes),
        trending=float(count(info.trending_score)),
        modified_at=_moment(info.last_modified),
        license=_license(getattr(info.card_data, "license", None), tags),
        architecture=architecture,
        total_params=count(gguf.get("total")),
        n_ctx_train_tokens=count(gguf.get("context_length")),
        is_moe=says_moe(architecture, tags, name),
        is_gated=bool(info.gated),
        is_reasoning=says_reasoning(architecture, tags, name, text(gguf.get("chat_template"))),
    )


def says_moe(architecture: str, tags: list[str], name: str) -> bool:
    """Whether something about a repository says that it is a mixture of experts."""
    return (
        architecture in _MOE_ARCHITECTURES
        or not _MOE_TAGS.isdisjoint(tag.lower() for tag in tags)
        or _MOE_NAME.search(name) is not None
    )


def says_reasoning(architecture: str, tags: list[str], name: str, template: str = "") -> bool:
    """Whether something about a repository says that the model reasons before it answers."""
    return (
        architecture in _REASONING_ARCHITECTURES
        or not _REASONING_TAGS.isdisjoint(tag.lower() for tag in tags)
        or _REASONING_NAME.search(name) is not None
        or _REASONING_TEMPLATE.search(template) is not None
    )


def _license(of_card: Any, tags: list[str]) -> str:
    if isinstance(of_card, str) and of_card:
        return of_card
    return next((tag.partition(":")[2] for tag in tags if tag.startswith("license:")), "")


def _moment(value: Any) -> str:
    return value.astimezone(UTC).isoformat(timespec="seconds") if isinstance(value, datetime) else ""
