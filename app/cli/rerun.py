"""`coterie conversations rerun`: an answer once more, with other settings or with the very same."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from app.cli.answer_printer import perform
from app.cli.choices import effort, model_name, positive, temperature
from app.cli.output import print_json
from app.cli.progress import LoadingLine
from app.console import Console
from app.engines import LoadCancelled
from app.errors import BadUsage, Interrupted, NotAnAnswer
from app.orders import Regenerate
from app.replaying import Replayed
from app.services import Services
from model_manager.engine.client import Cancel
from ui.i18n import tr

_CHOSEN = ("seed", "temperature", "thinking", "reasoning_effort", "think_budget_tokens", "max_tokens")


def add_parser(actions: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Declare the action."""
    parser = actions.add_parser(
        "rerun",
        parents=parents,
        help="make an answer again as it was made, but for what is named here; it becomes another version",
    )
    parser.add_argument("message", metavar="ANSWER", type=int, help="number of an answer")
    parser.add_argument("-m", "--model", metavar="MODEL", help="another model")
    parser.add_argument("--seed", metavar="N", type=int)
    parser.add_argument("--temperature", metavar="T", type=temperature)
    parser.add_argument("--think", dest="thinking", choices=("on", "off", "auto"))
    parser.add_argument("--effort", dest="reasoning_effort", metavar="WORD", type=effort)
    parser.add_argument("--think-budget", dest="think_budget_tokens", metavar="N", type=positive)
    parser.add_argument("--max-tokens", metavar="N", type=positive)
    parser.add_argument(
        "--exact", action="store_true", help="change and store nothing; tell whether the same comes out"
    )
    parser.set_defaults(run=rerun)


def rerun(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Make it again; with `--exact`, 1 where something else comes out."""
    chosen = {name: getattr(arguments, name) for name in _CHOSEN if getattr(arguments, name) is not None}
    if arguments.exact:
        if chosen:
            raise BadUsage(tr("--exact changes nothing, so no setting can stand beside it."))
        return _exactly(arguments, services, console)
    generation = services.storage.call(
        lambda store: store.conversations.message(arguments.message)
    ).generation
    if generation is None:
        raise NotAnAnswer(arguments.message)
    model = arguments.model or generation.model_name
    order = Regenerate(
        arguments.message,
        model_name(model, services, console),
        {**generation.parameters, **chosen},
        is_whole=True,
    )
    answered = perform(order, services, console, as_json=arguments.json)
    if answered.error is not None:
        raise answered.error
    return 0


def _exactly(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    cancel = Cancel()
    model = model_name(arguments.model, services, console) if arguments.model else None
    try:
        with console.on_interrupt(cancel.set), LoadingLine(console, services.engines):
            replayed = services.replaying.replay(arguments.message, cancel, model)
    except LoadCancelled as error:
        raise Interrupted from error
    if arguments.json:
        print_json(console, asdict(replayed))
    else:
        console.out("\n".join(_lines(replayed)) + "\n")
    return 0 if replayed.difference is None else 1


def _lines(replayed: Replayed) -> list[str]:
    lines = []
    if replayed.difference is None:
        lines.append(tr("The same {n} tokens come out.", n=replayed.n_tokens))
    else:
        difference = replayed.difference
        lines.append(
            tr(
                "Token {index} of {n} is another: it was “{stored}”, now it is “{replayed}”.",
                index=difference.index + 1,
                n=replayed.n_tokens,
                stored=difference.stored,
                replayed=difference.replayed,
            )
        )
    if not replayed.is_prompt_same:
        lines.append(tr("The prompt is another one: an instruction, a template or an older message changed."))
    if replayed.engine_then != replayed.engine_now:
        lines.append(
            tr("It was made by {then}, now by {now}.", then=replayed.engine_then, now=replayed.engine_now)
        )
    return lines
