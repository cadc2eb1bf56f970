"""`coterie models show` of a model that is here: what its files say of themselves."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from app.cli.choices import model_name
from app.cli.output import print_json, print_table, printable
from app.console import Console
from app.services import Services
from model_manager import starter
from model_manager.entries import read_files
from model_manager.errors import ModelIsRemote
from model_manager.file_facts import FileFacts, class_of, facts_of
from model_manager.known_templates import TemplateCheck
from model_manager.shards import GgufModel
from model_manager.types import ModelEntry
from ui import file_words, formats
from ui.i18n import tr

_CHANGED_LINES = 24


def local_name(arguments: argparse.Namespace, services: Services, console: Console) -> str | None:
    """The name or path of a model that is here; None where a hub is meant."""
    name = model_name(arguments.ref, services, console)
    is_entry = any(entry.name == name for entry in services.library.list())
    return name if is_entry or Path(name).is_absolute() or name.startswith((".", "~")) else None


def show_file(arguments: argparse.Namespace, services: Services, console: Console, name: str) -> int:
    """Print it."""
    entry = services.library.get(name)
    if entry.address:
        raise ModelIsRemote(entry.name)
    if entry.is_starter and entry.name in (starter.STARTER, starter.STARTER_THINKING):
        starter.ensure_starter()
    model = read_files(entry.paths[0])
    facts = facts_of(model, source=entry.source, chat_template=entry.chat_template)
    if arguments.json:
        print_json(console, _as_json(entry, model, facts, with_tensors=arguments.tensors))
        return 0
    _print_facts(entry, model, facts, console)
    _print_classes(facts, console)
    if facts.template.verdict == "different":
        _print_changes(facts.template, console, limit=None if arguments.card else _CHANGED_LINES)
    if arguments.tensors:
        console.out("\n")
        rows = [
            [
                tensor.name,
                tensor.type.name,
                " × ".join(map(str, tensor.shape)),
                formats.size(tensor.size_bytes),
            ]
            for tensor in model.tensors()
        ]
        print_table(console, rows, right=[3])
    return 0


def _print_facts(entry: ModelEntry, model: GgufModel, facts: FileFacts, console: Console) -> None:
    anatomy, check = facts.anatomy, facts.template
    experts = tr("dense")
    if facts.n_experts:
        experts = tr("{used} of {n} experts", used=facts.n_experts_used, n=facts.n_experts)
    files = tr("{n} files", n=len(model.paths)) + ", " if len(model.paths) > 1 else ""
    rows = [
        [tr("name"), " – ".join(filter(None, [entry.name, facts.title]))],
        [tr("file"), f"{files}{model.paths[0]}"],
        [tr("size"), formats.size(model.size_bytes)],
        [tr("licence"), _license(facts)],
        [tr("architecture"), facts.architecture or tr("not told")],
        [tr("kind"), experts],
        [
            tr("parameters"),
            tr(
                "{total}, {active} of them for each token",
                total=formats.count(anatomy.total_params),
                active=formats.count(anatomy.active_params),
            ),
        ],
        [tr("layers"), formats.number(facts.n_layers)],
        [tr("context"), tr("{n} tokens", n=formats.number(facts.n_ctx_train_tokens))],
        [tr("quantization"), facts.quantization],
        [
            tr("template"),
            file_words.template(check.verdict, check.known_as, check.expected, len(check.changes)),
        ],
    ]
    if entry.sampling:
        told = ", ".join(f"{name} {value:g}" for name, value in entry.sampling.items())
        rows.append([tr("recommended sampling"), told])
    if entry.sha256:
        rows.append(["sha256", entry.sha256[0]])
    print_table(console, rows)


def _license(facts: FileFacts) -> str:
    if not facts.license:
        return tr("not told")
    if facts.license_from == "catalogue":
        return tr("{license} (says the catalogue)", license=facts.license)
    return facts.license


def _print_classes(facts: FileFacts, console: Console) -> None:
    console.out("\n")
    rows = [
        [
            file_words.tensor_class(kind),
            formats.size(found.size_bytes),
            tr("{n} bits", n=formats.decimal(found.bits_per_weight, 2)),
            ", ".join(f"{name} × {share.n_tensors}" for name, share in found.types.items()),
        ]
        for kind, found in facts.classes.items()
    ]
    print_table(console, rows, right=[1, 2])


def _print_changes(check: TemplateCheck, console: Console, limit: int | None) -> None:
    """What differs: lines of this file in full; of missing ones how many, for nobody has their text."""
    console.err(f"coterie: {file_words.template_advice()}\n")
    if not check.changes:
        return
    lines: list[str] = []
    for change in check.changes:
        if change.n_missing:
            lines.append("- " + tr("({n} lines of {name})", n=change.n_missing, name=check.expected))
        lines += [f"+ {change.at_line + i:<4} {line}" for i, line in enumerate(change.lines)]
    shown = lines[:limit]
    console.out("\n" + tr("How the template differs:") + "\n")
    console.out("".join(f"{printable(line)}\n" for line in shown))
    if len(shown) < len(lines):
        console.out(tr("({n} more lines: --card shows them.)", n=len(lines) - len(shown)) + "\n")


def _as_json(entry: ModelEntry, model: GgufModel, facts: FileFacts, *, with_tensors: bool) -> dict[str, Any]:
    anatomy, check = facts.anatomy, facts.template
    found: dict[str, Any] = {
        "name": entry.name,
        "title": facts.title or None,
        "paths": [str(path) for path in model.paths],
        "size_bytes": model.size_bytes,
        "sha256": list(entry.sha256) if entry.sha256 else None,
        "source": entry.source or None,
        "architecture": facts.architecture,
        "n_layers": facts.n_layers,
        "n_experts": facts.n_experts,
        "n_experts_used": facts.n_experts_used,
        "sampling": dict(entry.sampling),
        "n_ctx_train_tokens": facts.n_ctx_train_tokens,
        "total_params": anatomy.total_params,
        "active_params": anatomy.active_params,
        "quantization": facts.quantization,
        "license": facts.license or None,
        "license_from": facts.license_from or None,
        "catalogue": facts.entry.repo_id if facts.entry else None,
        "classes": {
            kind: {
                "n_tensors": part.n_tensors,
                "n_params": part.n_params,
                "size_bytes": part.size_bytes,
                "bits_per_weight": round(part.bits_per_weight, 3),
                "types": {
                    name: {"n_tensors": share.n_tensors, "size_bytes": share.size_bytes}
                    for name, share in part.types.items()
                },
            }
            for kind, part in facts.classes.items()
        },
        "template": {
            "verdict": check.verdict,
            "from": None if check.verdict == "none" else "library" if entry.chat_template else "file",
            "sha256": check.sha256 or None,
            "known_as": check.known_as or None,
            "expected": check.expected or None,
            "differences": [
                {"at_line": change.at_line, "n_missing": change.n_missing, "lines": list(change.lines)}
                for change in check.changes
            ],
        },
    }
    if with_tensors:
        found["tensors"] = [
            {
                "name": tensor.name,
                "class": class_of(tensor.name),
                "type": tensor.type.name,
                "shape": list(tensor.shape),
                "size_bytes": tensor.size_bytes,
            }
            for tensor in model.tensors()
        ]
    return found
