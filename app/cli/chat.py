"""`coterie chat`: one question, or a conversation on the terminal."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.answering import Started
from app.cli import passages, shapes
from app.cli.answer_printer import perform
from app.cli.choices import effort, model_name, positive, temperature
from app.cli.failures import report
from app.cli.placement import warnings_of
from app.console import Console
from app.errors import BadUsage
from app.images import image_from
from app.orders import Ask, Continue, Fit, Order
from app.services import Services
from model_manager.errors import ModelManagerError
from model_manager.types import ModelEntry
from storage.errors import StorageError
from storage.records import Message
from ui.i18n import tr

_PROMPT_SIGN = "› "


def add_parser(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser("chat", parents=parents, help="ask a model, or talk with it")
    parser.add_argument("-m", "--model", metavar="MODEL", help="name in the library, or a file")
    parser.add_argument("-c", "--conversation", metavar="ID", type=int, help="go on with a conversation")
    parser.add_argument("--max-tokens", metavar="N", type=positive)
    parser.add_argument("--seed", metavar="N", type=int)
    parser.add_argument("--temperature", metavar="T", type=temperature)
    parser.add_argument("--system", metavar="TEXT", help="system prompt")
    parser.add_argument(
        "--prompt", dest="persona", metavar="NAME", help="begin with a prompt or persona of `coterie prompts`"
    )
    parser.add_argument(
        "--image",
        metavar="FILE",
        action="append",
        type=Path,
        default=[],
        help="show it with the first message; may be given several times",
    )
    parser.add_argument("--think", choices=("on", "off", "auto"), help="whether to reason first")
    parser.add_argument(
        "--effort",
        metavar="WORD",
        type=effort,
        help="how hard to reason, where the model's template has words: low, high",
    )
    parser.add_argument("--think-budget", metavar="N", type=positive, help="reasoning tokens at most")
    parser.add_argument(
        "--think-nudge", metavar="N", type=positive, help="reasoning tokens until the model is told to hurry"
    )
    parser.add_argument(
        "--reasoning-history",
        choices=("template", "keep", "last", "drop"),
        help="the reasoning of earlier answers: as the template has it, kept, of the last one alone, none",
    )
    parser.add_argument(
        "--continue",
        dest="continues",
        action="store_true",
        help="go on with the last answer of -c where it was cut off, before any PROMPT",
    )
    parser.add_argument(
        "--fit",
        choices=("all", "drop", "summary"),
        default="all",
        help="what becomes of the oldest turns: sent too, left out, or summed up",
    )
    passages.add_options(parser)
    shapes.add_options(parser)
    parser.add_argument("prompt", nargs="?", metavar="PROMPT", help="without it, one turn a line from stdin")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Answer the prompt, or every line of the input."""
    talk = _Talk(arguments, services, console)
    if arguments.continues:
        code = talk.go_on()
        if arguments.prompt is None:
            return code
    if arguments.prompt is not None:
        return talk.turn(arguments.prompt)
    if console.is_interactive and not arguments.json:
        entry = talk.entry()
        console.err(tr("Talking with {name}. Ctrl+C stops an answer, Ctrl+D ends.", name=entry.name) + "\n")
        for words in warnings_of(entry):
            console.err(f"{words}\n")
    while (line := console.read_line(_PROMPT_SIGN)) is not None:
        if not line.strip():
            continue
        try:
            talk.turn(line)
        except (ModelManagerError, StorageError) as error:
            # A person reads it and goes on; a script must not lose it among the answers.
            if not console.is_interactive:
                raise
            report(error, console, as_json=arguments.json)
    return 0


class _Talk:
    """A conversation as it goes on.

    Attributes:
        model: Name or whole path; None where none was named.
    """

    def __init__(self, arguments: argparse.Namespace, services: Services, console: Console) -> None:
        self._services = services
        self._console = console
        self._as_json = arguments.json
        self.model = model_name(arguments.model, services, console) if arguments.model else None
        self._system = arguments.system
        self._conversation_id: int | None = arguments.conversation
        self._images = tuple(map(image_from, arguments.image))
        self._fit: Fit = arguments.fit
        self._output = shapes.output_format(arguments)
        self._passages = passages.Passages(arguments, services, console)
        self._conversation_sampling: Mapping[str, Any] = {}
        if arguments.persona is not None:
            self._begin_with(arguments.persona)
        self._sampling = {
            "max_tokens": arguments.max_tokens,
            "seed": arguments.seed,
            "temperature": arguments.temperature,
            "thinking": arguments.think,
            "reasoning_effort": arguments.effort,
            "think_budget_tokens": arguments.think_budget,
            "think_nudge_tokens": arguments.think_nudge,
            "reasoning_history": arguments.reasoning_history,
            "top_logprobs": arguments.logprobs,
        }

    def _begin_with(self, name: str) -> None:
        """Take what a prompt of the library says, where the command line does not say otherwise.

        Raises:
            BadUsage: The conversation has begun already.
            NoSuchPrompt: There is none.
        """
        if self._conversation_id is not None:
            raise BadUsage(tr("coterie: --prompt begins a conversation, so it cannot stand with -c."))
        prompt = self._services.storage.call(lambda store: store.prompts.get(name))
        self._system = prompt.text if self._system is None else self._system
        self.model = self.model or prompt.model_name
        self._conversation_sampling = prompt.sampling

    def entry(self) -> ModelEntry:
        """The model that will answer.

        Raises:
            ModelNotFound, NoSuchConversation: It is not there.
        """
        name = self.model
        if name is None and (conversation_id := self._conversation_id) is not None:
            found = self._services.storage.call(lambda store: store.conversations.get(conversation_id))
            name = found.model_name
        return self._services.library.get(name) if name else self._services.default_model()

    def turn(self, text: str) -> int:
        """Ask, print what arrives; returns an exit code.

        Raises:
            ModelManagerError, StorageError: The answer failed; what had arrived is kept.
        """
        order = Ask(
            text,
            self._conversation_id,
            self.model,
            self._system,
            self._sampling,
            self._conversation_sampling,
            images=self._images,
            fit=self._fit,
            output=self._output,
            citations=self._passages.find(text),
        )
        self._images = ()
        return self._perform(order)

    def go_on(self) -> int:
        """Go on with the last answer of the conversation; as `turn`.

        Raises:
            BadUsage: No conversation was named, or it has no message.
        """
        conversation_id = self._conversation_id
        if conversation_id is None:
            raise BadUsage(tr("--continue needs -c ID: the conversation whose last answer goes on."))
        found = self._services.storage.call(lambda store: store.conversations.get(conversation_id))
        if found.head_id is None:
            raise BadUsage(tr("Conversation {id} has no message yet.", id=conversation_id))
        return self._perform(Continue(found.head_id, self.model, self._sampling, self._fit, self._output))

    def _perform(self, order: Order) -> int:
        answered = perform(order, self._services, self._console, as_json=self._as_json, on_started=self._note)
        if answered.error is not None:
            raise answered.error
        self._passages.print(answered.answer.parent_id)
        if answered.finished is not None and answered.finished.stop_reason == "context_full":
            self._offer_more_room(answered.answer)
        return 0

    def _note(self, started: Started) -> None:
        self._conversation_id = started.conversation.id
        self._passages.note(started)

    def _offer_more_room(self, answer: Message) -> None:
        words = tr(
            "The context is full; what was written is kept. Go on with `coterie chat -c {id} --continue` and "
            "`--fit drop` (without the oldest turns) or `--fit summary` (with a summary of them), or after "
            "`coterie settings set n_ctx_tokens N` (more context).",
            id=answer.conversation_id,
        )
        self._console.err(f"coterie: {words}\n")
