"""An answer that is being made for the window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from app.controllers.progress import Progress
from app.orders import Ask, Order
from model_manager.engine.client import Cancel
from storage.knowledge.records import Citation

FindPassages = Callable[[Cancel], tuple[Citation, ...]]
"""Looks for passages for a question; may take as long as a model needs to load."""


@dataclass(slots=True)
class Running:
    """What was ordered, and how far it has come.

    Attributes:
        conversation_id: None until a new conversation is stored.
        find_passages: None where a question is answered without documents.
        progress: None until its row exists.
    """

    order: Order
    cancel: Cancel
    conversation_id: int | None
    find_passages: FindPassages | None = None
    progress: Progress | None = None

    def whole_order(self) -> Order:
        """The order with its passages, which are looked for now; on a thread that may wait."""
        if isinstance(self.order, Ask) and self.find_passages is not None:
            return replace(self.order, citations=self.find_passages(self.cancel))
        return self.order
