"""`coterie inspect`: the tokens of an answer, and which experts they went to."""

from __future__ import annotations

import argparse
import json
from typing import Any

from app.cli.choices import model_name
from app.cli.output import print_json, print_table, printable
from app.cli.progress import LoadingLine, ProgressLine
from app.console import Console
from app.engines import LoadCancelled
from app.errors import Interrupted
from app.inspecting import ReadToken
from app.services import Services
from model_manager.engine.client import Cancel
from model_manager.engine.routing import Routing, routing_body
from model_manager.engine.routing_summary import RoutingSummary, summarize, summary_body
from model_manager.errors import EngineUnreachable
from ui import formats
from ui.i18n import tr


def add_parser(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser("inspect", parents=parents, help="look into an answer")
    parser.add_argument("message", metavar="MESSAGE", type=int, help="number of an answer")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--routing", action="store_true", help="which experts its tokens went to")
    what.add_argument("--tokens", action="store_true", help="its tokens")
    parser.add_argument("--live", action="store_true", help="the routing as noted while it was made")
    parser.add_argument("--prompt", action="store_true", help="the tokens of its prompt as well")
    parser.add_argument("-m", "--model", metavar="MODEL", help="the model, where it has another name now")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print what was asked for."""
    cancel = Cancel()
    try:
        with console.on_interrupt(cancel.set):
            if arguments.tokens:
                _tokens(arguments, services, console, cancel)
            else:
                _routing(arguments, services, console, cancel)
    except (LoadCancelled, EngineUnreachable) as error:
        if cancel.is_set:
            raise Interrupted from error
        raise
    return 0


def _model(arguments: argparse.Namespace, services: Services, console: Console) -> str | None:
    return model_name(arguments.model, services, console) if arguments.model else None


# --- tokens ----------------------------------------------------------------------------------------------


def _tokens(arguments: argparse.Namespace, services: Services, console: Console, cancel: Cancel) -> None:
    with LoadingLine(console, services.engines):
        prompt, answer = services.inspecting.tokens(
            arguments.message, cancel, _model(arguments, services, console)
        )
    if arguments.json:
        parts = {"prompt": prompt, "answer": answer} if arguments.prompt else {"answer": answer}
        print_json(console, {part: [_token_json(token) for token in parts[part]] for part in parts})
        return
    for token in [*prompt, *answer] if arguments.prompt else answer:
        # As JSON, which shows spaces, line ends and what cannot be printed.
        console.out(f"{token.id:>7}  {printable(json.dumps(token.text, ensure_ascii=False))}\n")


def _token_json(token: ReadToken) -> dict[str, Any]:
    return {"id": token.id, "text": token.text}


# --- routing ---------------------------------------------------------------------------------------------


def _routing(arguments: argparse.Namespace, services: Services, console: Console, cancel: Cancel) -> None:
    progress = ProgressLine(console)
    loading = LoadingLine(console, services.engines)

    def tell(done: int, total: int) -> None:
        loading.end()
        progress.show(tr("{done} of {total} tokens", done=done, total=total))

    try:
        model = _model(arguments, services, console)
        with loading:
            if arguments.live:
                routing = services.inspecting.recorded(arguments.message, cancel, model)
            else:
                routing = services.inspecting.routing(
                    arguments.message, cancel, model, with_prompt=arguments.prompt, on_progress=tell
                )
    finally:
        progress.clear()
    summary = summarize(routing)
    if arguments.json:
        print_json(console, routing_body(routing) | {"summary": summary_body(summary)})
    elif not routing.layers:
        console.out(tr("This is a dense model: it has no experts, so every token goes the same way.") + "\n")
    else:
        _print_routing(routing, summary, console)


def _print_routing(routing: Routing, summary: RoutingSummary, console: Console) -> None:
    console.out(
        tr(
            "{n_tokens} tokens in {n_layers} layers with {n_experts} experts, {n_used} for each token",
            n_tokens=formats.number(routing.n_tokens),
            n_layers=len(routing.layers),
            n_experts=routing.n_experts,
            n_used=routing.n_experts_used,
        )
        + "\n\n"
    )
    rows = [[tr("Layer"), tr("Experts used"), tr("Evenness"), tr("Used again"), tr("Busiest expert")]]
    for number, layer in enumerate(routing.layers):
        load = summary.load[number]
        busiest = int(load.argmax())
        rows.append(
            [
                str(layer),
                str(summary.working_set[number]),
                _percent(summary.entropy[number]),
                _percent(summary.reuse[number]),
                f"{busiest} ({_percent(load[busiest] / routing.n_tokens)})",
            ]
        )
    print_table(console, rows, right=range(5))
    console.out("\n")
    for percent, size in summary.cache_experts.items():
        if size is None:
            text = tr("No cache of experts has {percent} % of all uses ready.", percent=percent)
        else:
            text = tr(
                "A cache of {n} experts a layer has {percent} % of all uses ready.", n=size, percent=percent
            )
        console.out(text + "\n")


def _percent(share: float) -> str:
    return "-" if share != share else f"{formats.decimal(100 * share, 0)} %"  # NaN is not itself
