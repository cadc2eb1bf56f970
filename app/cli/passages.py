"""`coterie chat --knowledge`: passages of documents for each question, with their numbers."""

from __future__ import annotations

import argparse

from app.answering import Started
from app.cli import knowledge_words as words
from app.cli.choices import positive
from app.cli.output import print_json, printable
from app.cli.progress import LoadingLine
from app.console import Console
from app.engines import LoadCancelled
from app.errors import Interrupted
from app.services import Services
from model_manager.engine.client import Cancel
from storage.knowledge.records import Citation
from ui.i18n import tr

_PASSAGES = 5


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare them."""
    parser.add_argument(
        "--knowledge", metavar="COLLECTION", help="answer from passages of a collection of documents"
    )
    parser.add_argument(
        "--passages", metavar="N", type=positive, default=_PASSAGES, help="so many a question, at most"
    )


class Passages:
    """Finds passages for the questions of one conversation; without a collection it does nothing."""

    def __init__(self, arguments: argparse.Namespace, services: Services, console: Console) -> None:
        """Prepare.

        Raises:
            NoSuchCollection: The one that was named is not there.
        """
        self._services = services
        self._console = console
        self._as_json = arguments.json
        self._limit = arguments.passages
        self._told = ""
        self._sent: tuple[Citation, ...] = ()
        self._name: str | None = arguments.knowledge
        if arguments.knowledge is not None:
            services.storage.call(lambda store: store.knowledge.get(arguments.knowledge))

    def find(self, question: str) -> tuple[Citation, ...]:
        """What is sent with a question. Says once why only words were searched.

        Raises:
            NoSuchCollection: It was removed.
            Interrupted: A person did not want to wait for the embedding model.
        """
        if self._name is None:
            return ()
        cancel = Cancel()
        loading = LoadingLine(self._console, self._services.engines)
        try:
            with self._console.on_interrupt(cancel.set), loading:
                found = self._services.knowledge.find(self._name, question, cancel, limit=self._limit)
        except LoadCancelled as error:
            raise Interrupted from error
        note = words.words_only_sentence(found)
        if not found.passages:
            note = tr("Nothing in “{name}” has to do with this; the answer is without it.", name=self._name)
        if note and note != self._told:
            self._console.err(f"coterie: {printable(note)}\n")
        self._told = note
        return found.citations

    def note(self, started: Started) -> None:
        """Remember what a question was stored with; as JSON, print it."""
        question = started.question
        self._sent = ()
        if question is not None and self._name is not None:
            self._sent = self._services.storage.call(
                lambda store: store.citations.of([question.id]).get(question.id, ())
            )
        if self._as_json and self._name is not None:
            listed = [words.citation_json(citation) for citation in self._sent]
            print_json(self._console, {"type": "citations", "citations": listed})

    def print(self, question_id: int | None) -> None:
        """Behind an answer: the numbers and places of its passages, and how to open one."""
        if self._as_json or not self._sent:
            return
        lines = "".join(f"{printable(words.citation_line(citation))}\n" for citation in self._sent)
        self._console.out(f"\n{lines}")
        if self._console.is_screen and question_id is not None:
            opens = tr("`coterie knowledge cited {id} NUMBER` opens one.", id=question_id)
            self._console.err(f"{opens}\n\n")
