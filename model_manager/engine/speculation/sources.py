"""Which source of guesses a loaded model gets."""

from __future__ import annotations

import logging

from model_manager.engine.llama.context import LlamaContext
from model_manager.engine.speculation.lookup import PromptLookup
from model_manager.engine.speculation.speculator import Speculator
from model_manager.types import LoadPlan, Speculation

log = logging.getLogger(__name__)


def new_speculator(plan: LoadPlan, context: LlamaContext) -> tuple[Speculation, Speculator | None]:
    """The source that the plan asks for, or for "auto" the best there is.

    Wrong guesses are dropped from the context afterwards, so a memory that cannot be cut (recurrent and
    hybrid models) goes without, whatever was asked for.
    """
    if plan.speculation == "off" or plan.n_draft_max <= 0:
        return "off", None
    if not context.can_cut:
        log.info("the model's memory cannot be cut, so nothing is guessed")
        return "off", None
    return "lookup", Speculator(PromptLookup, plan.n_draft_max, is_adaptive=plan.is_draft_adaptive)
