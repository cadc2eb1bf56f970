"""The models that are measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from model_manager import starter


@dataclass(frozen=True, slots=True)
class Subject:
    """One model of the table."""

    name: str
    path: Path


def subjects() -> tuple[Subject, Subject]:
    """The dense starter and the mixture made of it."""
    mixture = starter.ensure_starter()
    return Subject("dense", starter.dense_path()), Subject("mixture", mixture)
