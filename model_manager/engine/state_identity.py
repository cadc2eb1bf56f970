"""What must be equal for a stored state to mean the same in another process."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from model_manager.shards import shard_filenames
from model_manager.types import LoadPlan

_SAMPLE_BYTES: Final = 1024 * 1024

# Fields of a plan that change nothing of what is computed, or are told in another way.
_IRRELEVANT: Final = frozenset(
    {
        "model_path",
        "model_sha256",
        "chat_template",
        "name",
        "n_ctx_tokens",
        "n_batch_tokens",
        "n_ubatch_tokens",
        "n_threads",
        "n_threads_batch",
        "n_parallel",
        "load_mode",
        "prompt_cache_dir",
        "prompt_cache_limit_bytes",
        "speculation",
        "draft_path",
        "n_draft_max",
        "is_draft_adaptive",
    }
)


def identity_of(
    plan: LoadPlan, template: str | None, engine: str, memory: Mapping[str, object]
) -> dict[str, str]:
    """Names and values, all of which must be equal.

    Every field of the plan counts unless it is known not to matter, so that one that is added later makes
    states invalid rather than wrong.

    Args:
        plan: How the model is loaded.
        template: The chat template in use.
        engine: llama.cpp's build.
        memory: What is known of the context's memory, such as its window.
    """
    fields = {name: getattr(plan, name) for name in plan.__slots__ if name not in _IRRELEVANT}
    return {
        "model": _digest("\n".join(_file_facts(plan))),
        "adapters": _digest("\n".join(_look(adapter.path) for adapter in plan.adapters)),
        "template": _digest(template or ""),
        "engine": engine,
        "plan": json.dumps(fields, sort_keys=True, default=str),
        "memory": json.dumps(memory, sort_keys=True, default=str),
    }


def key_of(identity: Mapping[str, str]) -> str:
    """One name for all of it."""
    return _digest(json.dumps(identity, sort_keys=True))


def _file_facts(plan: LoadPlan) -> list[str]:
    """What tells the model's files from others without reading them whole, which takes a minute for 20 GB.

    The digests that the library knows come on top; the look at the file itself is taken in any case, since it
    may have been replaced after they were computed.
    """
    facts = [f"sha256 {digest}" for digest in plan.model_sha256]
    for filename in shard_filenames(plan.model_path.name):
        path = plan.model_path.with_name(filename)
        with path.open("rb") as file:
            size_bytes = file.seek(0, 2)
            file.seek(0)
            head = file.read(_SAMPLE_BYTES)
            file.seek(max(0, size_bytes - _SAMPLE_BYTES))
            tail = file.read(_SAMPLE_BYTES)
        facts.append(f"{size_bytes} {hashlib.sha256(head).hexdigest()} {hashlib.sha256(tail).hexdigest()}")
        if not plan.model_sha256:
            facts.append(f"mtime {path.stat().st_mtime_ns}")
    return facts


def _look(path: Path) -> str:
    facts = path.stat()
    return f"{path} {facts.st_size} {facts.st_mtime_ns}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
