"""Why a file's content gives no document; the readers raise it, `reading` adds the path."""

from __future__ import annotations

from typing import Literal

Why = Literal["broken", "encrypted", "too_large"]


class Unreadable(Exception):
    """The file is no document that can be read.

    Attributes:
        why: As in `storage.errors.DocumentRefused`.
    """

    def __init__(self, why: Why, detail: str) -> None:
        super().__init__(detail)
        self.why = why
