"""What a person should know of a smaller file, before it is made and after."""

from __future__ import annotations

from app.quantizing import Job
from model_manager.types import ModelEntry
from ui import formats
from ui.i18n import tr


def made(job: Job, entry: ModelEntry) -> str:
    """What has become of it."""
    return tr(
        "{name}: {new} instead of {old} ({path})",
        name=entry.name,
        new=formats.size(entry.size_bytes),
        old=formats.size(job.model.size_bytes),
        path=entry.paths[0],
    )


def warnings(job: Job) -> list[str]:
    """What may be a surprise."""
    found = []
    if job.plan.is_requantized:
        found.append(
            tr(
                "“{name}” is already quantized ({type}), and rounding twice costs quality: "
                "where you can, start from a file of 16 bits.",
                name=job.entry.name,
                type=job.model.quantization,
            )
        )
    if job.plan.n_fallbacks:
        found.append(
            tr(
                "The rows of {n} tensors do not divide into blocks of their type; they get a similar one.",
                n=formats.number(job.plan.n_fallbacks),
            )
        )
    if job.left_behind is not None:
        found.append(
            tr(
                "“{name}” sees images with {file}; put a copy of that beside the new file ({folder}).",
                name=job.entry.name,
                file=job.left_behind,
                folder=job.target.parent,
            )
        )
    return found
