"""Which source of guesses a loaded model gets."""

from __future__ import annotations

import logging

from model_manager.engine.llama.context import LlamaContext
from model_manager.engine.speculation.draft import DraftModel
from model_manager.engine.speculation.lookup import LookupSource
from model_manager.engine.speculation.mtp import MtpSource
from model_manager.engine.speculation.speculator import Source, Speculator
from model_manager.types import LoadPlan, Speculation

log = logging.getLogger(__name__)


def new_speculator(plan: LoadPlan, context: LlamaContext) -> tuple[Speculation, Speculator | None]:
    """The source that the plan asks for; for "auto" a draft model if one is given, else prompt lookup.

    Wrong guesses are dropped from the context afterwards. A memory that cannot be cut (recurrent and hybrid
    models) can go back by a few tokens where that was asked for by name and the architecture keeps copies of
    its state; else it goes without.

    Raises:
        DraftMismatch: The draft model cannot guess for this one.
        LoadFailed: It cannot be loaded, or this one has no layers for guessing.
    """
    if plan.speculation == "off" or plan.n_draft_max <= 0:
        return "off", None
    n_droppable = plan.n_draft_max if context.can_cut else context.n_rollback_tokens
    if not n_droppable:
        log.info("the model's memory cannot be cut, so nothing is guessed")
        return "off", None
    kind: Speculation = "lookup"
    source: Source
    if plan.speculation == "mtp":
        kind, source = "mtp", MtpSource(context)
    elif plan.draft_path is not None and plan.speculation != "lookup":
        kind, source = "draft", DraftModel(plan, context)
    else:
        source = LookupSource()
    # llama.cpp ends the process when more logits are asked for than were reserved.
    n_max = min(plan.n_draft_max, n_droppable, context.plan.n_outputs_max - context.n_parallel)
    return kind, Speculator(source, n_max, is_adaptive=plan.is_draft_adaptive)
