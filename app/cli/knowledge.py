"""`coterie knowledge`: collections of documents."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from app.cli import knowledge_words as words
from app.cli.choices import positive
from app.cli.failures import FAILED, INTERRUPTED
from app.cli.output import print_json, print_table, printable
from app.cli.progress import LoadingLine, ProgressLine
from app.console import Console
from app.engines import LoadCancelled
from app.errors import BadUsage, Interrupted
from app.keep_awake import keep_awake
from app.knowledge import Report
from app.reading import DocumentReader
from app.services import Services
from app.words import sentence
from model_manager.engine.client import Cancel
from storage.records import Message
from storage.store import Store
from ui.i18n import tr


def add_parser(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Declare the command and its actions."""
    parser = commands.add_parser("knowledge", parents=parents, help="collections of documents")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)

    def action(name: str, run: Any, help_text: str) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = actions.add_parser(name, parents=parents, help=help_text)
        made.set_defaults(run=run)
        return made

    adding = action("add", add, "read files and folders into a collection, which is made if there is none")
    adding.add_argument("collection", metavar="COLLECTION")
    adding.add_argument("paths", metavar="PATH", nargs="+")
    refreshing = action("refresh", refresh, "read what is new or has changed, forget what is gone")
    refreshing.add_argument("collection", metavar="COLLECTION")
    for made in (adding, refreshing):
        model = made.add_mutually_exclusive_group()
        model.add_argument("--model", metavar="MODEL", help="compute vectors with it, for search by meaning")
        model.add_argument("--words-only", action="store_true", help="forget the vectors; search words alone")
    action("list", list_collections, "what there is")
    showing = action("show", show, "the documents of a collection")
    showing.add_argument("collection", metavar="COLLECTION")
    searching = action("search", search, "the passages that say most about a text")
    searching.add_argument("collection", metavar="COLLECTION")
    searching.add_argument("text", metavar="TEXT")
    searching.add_argument("--limit", metavar="N", type=positive, default=10)
    removing = action("remove", remove, "forget a collection, or some of it; the files stay")
    removing.add_argument("collection", metavar="COLLECTION")
    removing.add_argument("paths", metavar="PATH", nargs="*")
    opening = action("passage", passage, "a whole passage, by the number that a search gives it")
    opening.add_argument("id", metavar="ID", type=int)
    citing = action("cited", cited, "the passages that a question was sent with")
    citing.add_argument("message", metavar="MESSAGE", type=int, help="the question or its answer")
    citing.add_argument("number", metavar="NUMBER", type=int, nargs="?", help="only this one, [NUMBER]")


def add(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Note the paths, then read them."""
    if arguments.model is not None:
        services.library.get(arguments.model)  # before anything is noted
    added = services.knowledge.add(arguments.collection, _paths(arguments, console))
    arguments.collection = added.name  # as it is kept
    return refresh(arguments, services, console)


def refresh(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Bring a collection up to date; what cannot be read is named, and 1 returned where nothing could."""
    name = arguments.collection
    if arguments.model is not None or arguments.words_only:
        services.knowledge.choose_model(name, arguments.model)
    report = _refresh(name, services, console)
    collection = services.storage.call(lambda store: store.knowledge.get(name))
    if arguments.json:
        print_json(console, words.report_json(report) | {"collection": words.collection_json(collection)})
    else:
        for line in words.report_lines(report, collection):
            console.out(f"{printable(line)}\n")
    for error in report.refused:
        console.err(f"coterie: {printable(sentence(error))}\n")
    if report.embedding_error is not None:
        console.err(f"coterie: {printable(sentence(report.embedding_error))}\n")
        return FAILED
    if report.is_cancelled:
        return INTERRUPTED
    return FAILED if report.refused and collection.n_passages == 0 else 0


def list_collections(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print the collections."""
    found = services.storage.call(lambda store: store.knowledge.list())
    if arguments.json:
        print_json(console, [words.collection_json(collection) for collection in found])
    else:
        print_table(console, [words.collection_row(collection) for collection in found])
    return 0


def show(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print the documents of a collection."""
    collection, documents = services.storage.call(
        lambda store: (
            store.knowledge.get(arguments.collection),
            store.knowledge.documents(arguments.collection),
        )
    )
    if arguments.json:
        listed = [words.document_json(document) for document in documents]
        print_json(console, words.collection_json(collection) | {"documents": listed})
        return 0
    for line in words.state_lines(collection):
        console.out(f"{printable(line)}\n")
    console.out("\n")
    print_table(console, [words.document_row(document) for document in documents], right=[1])
    return 0


def search(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print what was found, the best first."""
    cancel = Cancel()
    try:
        with console.on_interrupt(cancel.set), LoadingLine(console, services.engines):
            found = services.knowledge.find(
                arguments.collection, arguments.text, cancel, limit=arguments.limit
            )
    except LoadCancelled as error:
        raise Interrupted from error
    if arguments.json:
        print_json(console, words.found_json(found))
        return 0
    for hit in found.passages:
        console.out(f"{hit.id}  {printable(words.place_of(hit))}\n")
        console.out(f"    {printable(words.snippet_of(hit, arguments.text, marks=console.is_screen))}\n")
    note = words.words_only_sentence(found)
    if note:
        console.err(f"coterie: {printable(note)}\n")
    return 0


def remove(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Forget a collection, or the paths that are named."""
    name, paths = arguments.collection, _paths(arguments, console)

    def forget(store: Store) -> None:
        for path in paths:
            store.knowledge.remove_source(name, path)
        if not paths:
            store.knowledge.remove(name)

    services.storage.call(forget)
    if arguments.json:
        print_json(console, {"collection": name, "removed": [str(path) for path in paths] or True})
    return 0


def passage(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print a passage with its place."""
    found = services.storage.call(lambda store: store.knowledge.passage(arguments.id))
    if arguments.json:
        print_json(console, words.hit_json(found))
        return 0
    console.out(f"{printable(words.place_of(found))}\n{printable(str(found.path))}\n\n")
    console.out(f"{_lines(found.passage.text, console)}\n")
    return 0


def cited(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print the passages that a question was sent with, as they were then."""

    def read(store: Store) -> tuple[Message, Any]:
        message = store.conversations.message(arguments.message)
        if message.role == "assistant" and message.parent_id is not None:
            message = store.conversations.message(message.parent_id)
        return message, store.citations.of([message.id]).get(message.id, ())

    message, citations = services.storage.call(read)
    if arguments.number is not None:
        citations = tuple(one for one in citations if one.number == arguments.number)
        if not citations:
            raise BadUsage(
                tr("Message {id} was not sent with a passage [{n}].", id=message.id, n=arguments.number)
            )
    if arguments.json:
        print_json(console, [words.citation_json(citation) for citation in citations])
        return 0
    for one in citations:
        console.out(f"{printable(words.citation_line(one))}\n{printable(str(one.path))}\n\n")
        console.out(f"{_lines(one.passage.text, console)}\n\n")
    return 0


def _refresh(name: str, services: Services, console: Console) -> Report:
    cancel = Cancel()
    line = ProgressLine(console)
    readers: list[DocumentReader] = []

    def stop() -> None:
        cancel.set()
        for reader in readers:
            reader.stop()

    def progress(what: str, done: int, total: int) -> None:
        if what == "embed":
            line.show_steps(tr("Vectors"), done, total)
        else:
            line.show_text(tr("{n} files", n=done))

    try:
        with console.on_interrupt(stop), keep_awake():
            return services.knowledge.refresh(name, cancel, progress, readers.append)
    finally:
        line.clear()


def _paths(arguments: argparse.Namespace, console: Console) -> list[Path]:
    """Absolute, with the links in them: what a person sees is what is kept."""
    return [Path(os.path.abspath(console.cwd / Path(path).expanduser())) for path in arguments.paths]


def _lines(text: str, console: Console) -> str:
    return printable(text) if console.is_screen else text
