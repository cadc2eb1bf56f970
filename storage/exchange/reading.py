"""Reads conversations from whatever a person gives: finds out what it is, and goes on past what is broken.

A file, a zip or a folder; the format shows in the bytes, never in the name alone. Everything comes one by
one, so that an export of any length takes the memory of its longest conversation.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from storage.errors import ForeignDatabaseUnreadable, UnknownExport
from storage.exchange import foreign_database, naming
from storage.exchange.archive import DiskFile, Member, members
from storage.exchange.beside import Files
from storage.exchange.carried import Broken, Carried, Item, Recognized, Skipped
from storage.exchange.foreign import digest
from storage.exchange.importers import (
    alpaca,
    chatgpt,
    claude,
    coterie,
    gpt4all,
    jan,
    llama_ui,
    lm_studio,
    messages,
    ollama,
    open_webui,
)
from storage.exchange.json_stream import UTF_16, BadValue, ByteSource, Value, values

log = logging.getLogger(__name__)

PROGRAMS: Mapping[str, str] = {
    naming.PROGRAM: "Coterie",
    chatgpt.PROGRAM: "ChatGPT",
    claude.PROGRAM: "Claude",
    lm_studio.PROGRAM: "LM Studio",
    jan.PROGRAM: "Jan",
    open_webui.PROGRAM: "Open WebUI",
    ollama.PROGRAM: "Ollama",
    gpt4all.PROGRAM: "GPT4All",
    alpaca.PROGRAM: "Alpaca",
    llama_ui.PROGRAM: "llama.cpp",
    messages.PROGRAM: "JSON Lines",
}
"""Names of the programs whose conversations can be imported, by key."""

MAX_BROKEN = 1000
"""In one file; then the rest of it is given up."""
_N_LOOKED_AT = 100  # values of a JSON file among which one must be recognized
_SUFFIXES = (".json", ".jsonl", ".chat", ".db", ".sqlite")
# What values that are not what they should be raise in code that reads them.
_NOT_AS_EXPECTED = (
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    IndexError,
    OverflowError,
    RecursionError,
)


# Modules: `recognizes(value)` and `convert(value)`.
_JSON_IMPORTERS: Sequence[Any] = (coterie, chatgpt, claude, open_webui, llama_ui, lm_studio, messages)
# Modules: `recognizes(tables)` and `conversations(database)`.
_DATABASE_IMPORTERS: Sequence[Any] = (ollama, alpaca)


@dataclass(frozen=True, slots=True)
class _Thread:
    """A conversation of Jan: two files of one folder, of which one may be missing."""

    thread: Member | None
    messages: Member | None


def read(path: Path) -> Iterator[Item]:
    """All that can be read of it, and what could not.

    Args:
        path: A file, a zip or a folder.

    Raises:
        ArchiveRefused: A zip that must not be read; raised before anything comes.
        UnknownExport: Nothing in it was recognized; raised at the end.
        OSError: It cannot be read at all.
    """
    is_recognized = is_cut_off = False
    with ExitStack() as opened:
        files = opened.enter_context(members(path))
        is_alone = len(files) == 1 and files[0].path == path
        if is_alone and path.name in ("thread.json", "messages.jsonl"):
            beside = (path.with_name(name) for name in ("thread.json", "messages.jsonl"))
            files = [DiskFile(found, found.name) for found in beside if found.is_file()]
        for item in _of_files(files, is_alone=is_alone):
            is_recognized = is_recognized or isinstance(item, Recognized)
            is_cut_off = is_alone and isinstance(item, Skipped) and item.is_cut_off
            yield item
    if not is_recognized:
        raise UnknownExport(path, is_cut_off=is_cut_off and _begins_as_json(path))


def _begins_as_json(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"[", b"{")


def _of_files(files: Sequence[Member], *, is_alone: bool) -> Iterator[Item]:
    threads, others = _threads_apart(files)
    beside = Files(files)
    for thread in threads:
        yield from _of_thread(thread, beside)
    for file in others:
        if not is_alone and PurePosixPath(file.name).suffix.lower() not in _SUFFIXES:
            continue
        try:
            yield from _in_folders(_of_file(file, beside), file)
        except (OSError, ForeignDatabaseUnreadable) as error:
            yield Broken(file.name, str(error))


def _in_folders(found: Iterator[Item], file: Member) -> Iterator[Item]:
    """LM Studio's folders are those of the disk."""
    names = tuple(name for name in PurePosixPath(file.name).parent.parts if name != "conversations")
    for item in found:
        if isinstance(item, Carried) and names and item.origin.startswith(f"{lm_studio.PROGRAM}:"):
            item = replace(item, folder=names)
        yield item


def _of_file(file: Member, beside: Files) -> Iterator[Item]:
    with file.open() as opened:
        magic = opened.read(16)
    if magic == foreign_database.MAGIC:
        yield from _of_database(file)
    elif magic.startswith(gpt4all.MAGIC):
        yield Recognized(file.name, gpt4all.PROGRAM)
        with file.open() as opened:
            yield from _guarded(file.name, gpt4all.convert, opened)
    elif b"\0" in magic and not magic.startswith(UTF_16):
        yield Skipped(file.name)  # no text: a model, a picture
    else:
        with file.open() as opened:
            yield from _of_json(file.name, opened, beside)


# --- JSON ---


def _of_json(name: str, source: ByteSource, beside: Files) -> Iterator[Item]:
    importer: Any = None
    pending: list[Broken] = []
    session = _Sessions(name)
    n_broken = 0
    is_cut_off = False
    for found in values(source):
        is_cut_off = isinstance(found, BadValue) and found.is_rest and found.index == 0
        where = f"{name}, {found.index + 1}"
        if isinstance(found, Value) and isinstance(found.value, dict):
            is_session = llama_ui.begins_session(found.value)
            of_value = llama_ui if is_session else _importer_of(found.value)
            if importer is None and of_value is not None:
                yield Recognized(name, of_value.PROGRAM)
                yield from pending
            importer = importer or of_value
            if is_session or (session.is_open and of_value is None):
                yield from session.take(found.value)
                continue
            if of_value is not None:
                with_files = (beside,) if of_value is chatgpt else ()
                yield from _guarded(where, of_value.convert, found.value, *with_files)
                continue
        reason = found.reason if isinstance(found, BadValue) else "not a conversation of a known format"
        n_broken += 1
        broken = Broken(where, reason)
        if importer is not None:
            yield broken
        else:
            pending.append(broken)
            if len(pending) >= _N_LOOKED_AT:
                break
        if n_broken >= MAX_BROKEN:
            yield Broken(name, f"given up after {MAX_BROKEN} unreadable values")
            break
    yield from session.end()
    if importer is None:
        yield Skipped(name, is_cut_off)


def _importer_of(value: Mapping[str, Any]) -> Any:
    return next((importer for importer in _JSON_IMPORTERS if importer.recognizes(value)), None)


class _Sessions:
    """Gathers the lines of llama.cpp's newer shape to conversations."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._session: Mapping[str, Any] | None = None
        self._messages: list[Mapping[str, Any]] = []

    @property
    def is_open(self) -> bool:
        """Whether a conversation has begun and not ended."""
        return self._session is not None

    def take(self, line: Mapping[str, Any]) -> Iterator[Item]:
        """One line; gives the conversation that it ends."""
        if llama_ui.begins_session(line):
            yield from self.end()
            self._session = line
        elif (message := llama_ui.message_of_session(line)) is not None:
            self._messages.append(message)

    def end(self) -> Iterator[Item]:
        """The conversation that is open, if any."""
        session, said = self._session, self._messages
        self._session, self._messages = None, []
        if session is not None:
            yield from _guarded(self._name, llama_ui.of_session, session, said)


# --- two files for a conversation ---


def _threads_apart(files: Sequence[Member]) -> tuple[list[_Thread], list[Member]]:
    by_folder: dict[str, dict[str, Member]] = {}
    others: list[Member] = []
    for file in files:
        path = PurePosixPath(file.name)
        if path.name in ("thread.json", "messages.jsonl"):
            by_folder.setdefault(str(path.parent), {})[path.name] = file
        else:
            others.append(file)
    return [
        _Thread(pair.get("thread.json"), pair.get("messages.jsonl")) for pair in by_folder.values()
    ], others


def _of_thread(pair: _Thread, beside: Files) -> Iterator[Item]:
    thread: Mapping[str, Any] = {}
    said: list[Mapping[str, Any]] = []
    name = (pair.messages or pair.thread or DiskFile(Path(), "")).name
    broken: list[Broken] = []
    if pair.thread is not None:
        found = list(_objects_of(pair.thread, broken))
        thread = found[0] if found and jan.recognizes_thread(found[0]) else {}
    if pair.messages is not None:
        said = [line for line in _objects_of(pair.messages, broken) if jan.recognizes_message(line)]
    if not thread and not said:
        other = pair.messages or pair.thread  # another program's, under the same name
        yield from _of_file(other, beside) if other is not None else (Skipped(name),)
        return
    yield Recognized(name, jan.PROGRAM)
    yield from broken
    yield from _guarded(name, jan.of_thread, thread, said)


def _objects_of(file: Member, broken: list[Broken]) -> Iterator[Mapping[str, Any]]:
    try:
        with file.open() as opened:
            for found in values(opened):
                if isinstance(found, Value) and isinstance(found.value, dict):
                    yield found.value
                elif len(broken) < MAX_BROKEN:
                    reason = found.reason if isinstance(found, BadValue) else "not an object"
                    broken.append(Broken(f"{file.name}, {found.index + 1}", reason))
    except OSError as error:
        broken.append(Broken(file.name, str(error)))


# --- databases ---


def _of_database(file: Member) -> Iterator[Item]:
    if file.path is None:  # SQLite reads no zip; a person unpacks it
        yield Broken(file.name, "a database inside a zip")
        return
    with foreign_database.foreign_database(file.path) as database:
        for importer in _DATABASE_IMPORTERS:
            if importer.recognizes(database.tables):
                yield Recognized(file.name, importer.PROGRAM)
                for conversation in importer.conversations(database):
                    yield _named(conversation)
                return
    yield Skipped(file.name)


def _guarded(where: str, convert: Callable[..., Carried], *values: Any) -> Iterator[Item]:
    try:
        found = _named(convert(*values))
    except _NOT_AS_EXPECTED as error:
        log.debug("cannot convert %s", where, exc_info=error)
        yield Broken(where, f"{type(error).__name__}: {error}")
    else:
        yield found


def _named(conversation: Carried) -> Carried:
    """With an origin, also where the file gave it no id."""
    program, _, name = conversation.origin.partition(":")
    if program and name:
        return conversation
    first = conversation.messages[0].key if conversation.messages else ""
    said = digest(conversation.title, str(conversation.created_at), first)
    return replace(conversation, origin=f"{program or 'unknown'}:{said}")
