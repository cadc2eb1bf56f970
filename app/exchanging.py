"""Conversations in and out: reads files into the database and writes files of what is in it."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final, Literal

from app.errors import Interrupted, OutputExists, PrintingFailed
from app.services import self_command
from storage.errors import NoSuchConversation
from storage.exchange.carried import Broken, Carried, Recognized, Skipped
from storage.exchange.exporters import fine_tuning, lossless, markdown, web_page
from storage.exchange.exporters.fine_tuning import Quality, Selection
from storage.exchange.exporters.labels import Labels
from storage.exchange.filing import Filed
from storage.exchange.naming import is_ours
from storage.exchange.reading import PROGRAMS, read
from storage.thread import StorageThread
from ui import i18n
from ui.i18n import tr
from ui.page_markdown import to_html, to_paper_html

Format = Literal["json", "markdown", "html", "pdf", "sharegpt", "openai"]
SUFFIXES: Final[dict[Format, str]] = {
    "json": ".json",
    "markdown": ".md",
    "html": ".html",
    "pdf": ".pdf",
    "sharegpt": ".jsonl",
    "openai": ".jsonl",
}
_MAX_TOLD = 100
_NO_FILE_NAME = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*\s]+')
_MAX_NAME_BYTES = 80


@dataclass(slots=True)
class ImportReport:
    """What came over and what did not.

    Attributes:
        programs: Names of the programs that the files are from.
        n_new, n_grown, n_known: Conversations: made, found here and added to, found here complete.
        n_empty: Without any message that could be kept; not stored.
        n_messages: That were added.
        lost: How many things of each kind there is no place for.
        broken: The first hundred places that could not be read.
        skipped: The first hundred files without conversations.
        conversation_ids: Made or added to; empty for a trial.
    """

    programs: list[str] = field(default_factory=list)
    n_new: int = 0
    n_grown: int = 0
    n_known: int = 0
    n_empty: int = 0
    n_messages: int = 0
    lost: dict[str, int] = field(default_factory=dict)
    broken: list[Broken] = field(default_factory=list)
    n_broken: int = 0
    skipped: list[str] = field(default_factory=list)
    n_skipped: int = 0
    conversation_ids: list[int] = field(default_factory=list)


def import_file(
    storage: StorageThread,
    path: Path,
    *,
    is_trial: bool = False,
    progress: Callable[[int], None] | None = None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> ImportReport:
    """Bring all conversations of a file, zip or folder in; each is stored whole or not at all.

    Reads on the calling thread; the storage thread is only held for one conversation at a time.

    Args:
        storage: The database.
        path: What a person gave.
        is_trial: Report only.
        progress: Told how many conversations were read.
        is_cancelled: Asked between conversations; what is in by then stays.

    Raises:
        ArchiveRefused, UnknownExport, OSError: See `storage.exchange.reading.read`.
        DatabaseUnusable: One of its kinds; what came before is stored.
        Interrupted: It was cancelled.
    """
    report = ImportReport()
    n_read = 0
    try:
        for item in read(path):
            if is_cancelled():
                raise Interrupted
            if isinstance(item, Carried):
                _take(storage, item, report, is_trial)
                n_read += 1
                if progress is not None:
                    progress(n_read)
            else:
                _note(item, report)
    finally:
        if report.conversation_ids:
            storage.call(lambda store: store.filing.settle())
    return report


def _take(storage: StorageThread, carried: Carried, report: ImportReport, is_trial: bool) -> None:
    if not carried.messages and not is_ours(carried.origin):
        report.n_empty += 1
        _add_lost(report, carried.lost)
        return
    filed: Filed = storage.call(
        lambda store: store.filing.preview(carried) if is_trial else store.filing.file(carried)
    )
    match filed.outcome:
        case "new":
            report.n_new += 1
        case "grown":
            report.n_grown += 1
        case "known":
            report.n_known += 1
            return
    report.n_messages += filed.n_messages
    _add_lost(report, carried.lost)
    if filed.n_traces_lost:
        _add_lost(report, {"trace": filed.n_traces_lost})
    if not is_trial:
        report.conversation_ids.append(filed.conversation_id)


def _note(item: Broken | Skipped | Recognized, report: ImportReport) -> None:
    match item:
        case Recognized():
            name = PROGRAMS[item.program]
            if name not in report.programs:
                report.programs.append(name)
        case Broken():
            report.n_broken += 1
            if len(report.broken) < _MAX_TOLD:
                report.broken.append(item)
        case Skipped():
            report.n_skipped += 1
            if len(report.skipped) < _MAX_TOLD:
                report.skipped.append(item.where)


def _add_lost(report: ImportReport, lost: Mapping[str, int]) -> None:
    for kind, n in lost.items():
        report.lost[kind] = report.lost.get(kind, 0) + n


# --- out ---


def labels() -> Labels:
    """The words of exports, in the language in use."""
    return Labels(
        user=tr("You"),
        assistant=tr("Assistant"),
        system=tr("System prompt"),
        reasoning=tr("Reasoning"),
        untitled=tr("Untitled"),
        unfinished=tr("This answer was cut off."),
        image=tr("Image"),
        file=tr("File"),
        tool_call=tr("Tool"),
        tool_result=tr("Result"),
        language=i18n.language().replace("_", "-"),
    )


def carried(storage: StorageThread, ids: Sequence[int] | None) -> Iterator[Carried]:
    """Stored conversations one by one; None is all of them, without those that are deleted meanwhile.

    Raises:
        NoSuchConversation: One that was named is not there.
    """
    wanted = storage.call(lambda store: store.filing.ids()) if ids is None else list(ids)
    for conversation_id in wanted:
        found = _carried(storage, conversation_id)
        if found is not None:
            yield found
        elif ids is not None:
            raise NoSuchConversation(conversation_id)


def _carried(storage: StorageThread, conversation_id: int) -> Carried | None:
    return storage.call(lambda store: store.filing.carried(conversation_id))


def write_text(conversation: Carried, file: IO[str], kind: Format) -> None:
    """One conversation as text: "json", "markdown" or "html"."""
    if kind == "json":
        lossless.write_one(conversation, file)
    elif kind == "markdown":
        markdown.write(conversation, file, labels())
    else:
        web_page.write(conversation, file, labels(), render=to_html)


def export_one(
    storage: StorageThread, conversation_id: int, kind: Format, path: Path, *, overwrite: bool = False
) -> None:
    """Write one conversation to a file, which appears whole or not at all.

    Raises:
        NoSuchConversation: There is none.
        OutputExists: The file is there already.
        PrintingFailed: The PDF could not be made.
        OSError: The file cannot be written.
    """
    (conversation,) = carried(storage, [conversation_id])
    if kind == "pdf":
        _print(conversation, path, overwrite)
        return
    with _appearing(path, overwrite) as file:
        write_text(conversation, file, kind)


def export_all(
    storage: StorageThread, ids: Sequence[int] | None, path: Path, *, overwrite: bool = False
) -> int:
    """Write conversations to one file of our own format; returns how many there were.

    Raises:
        NoSuchConversation, OutputExists, OSError: See `export_one`.
    """
    with _appearing(path, overwrite) as file:
        return lossless.write_all(carried(storage, ids), file)


def export_each(
    storage: StorageThread,
    ids: Sequence[int] | None,
    kind: Format,
    folder: Path,
    *,
    overwrite: bool = False,
) -> int:
    """Write a file for each conversation into a folder, which is made; returns how many.

    Raises:
        NoSuchConversation, OutputExists, PrintingFailed, OSError: See `export_one`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    n_written = 0
    for conversation_id in storage.call(lambda store: store.filing.ids()) if ids is None else ids:
        for conversation in carried(storage, [conversation_id]):
            path = folder / f"{file_name(conversation.title, conversation_id)}{SUFFIXES[kind]}"
            if kind == "pdf":
                _print(conversation, path, overwrite)
            else:
                with _appearing(path, overwrite) as file:
                    write_text(conversation, file, kind)
            n_written += 1
    return n_written


def export_examples(
    storage: StorageThread,
    ids: Sequence[int] | None,
    shape: fine_tuning.Shape,
    quality: Quality,
    path: Path,
    *,
    with_reasoning: bool = False,
    overwrite: bool = False,
) -> Selection:
    """Write conversations as examples for training.

    Raises:
        NoSuchConversation, OutputExists, OSError: See `export_one`.
    """
    with _appearing(path, overwrite) as file:
        return fine_tuning.write(carried(storage, ids), file, shape, quality, with_reasoning=with_reasoning)


def file_name(title: str, conversation_id: int) -> str:
    """A name that every file system takes, and that no other conversation has."""
    words = _NO_FILE_NAME.sub(" ", title).strip(" .")
    while len(words.encode("utf-8", "replace")) > _MAX_NAME_BYTES:
        words = words[:-1]
    return f"{conversation_id} {words.strip()}".strip()


@contextlib.contextmanager
def _appearing(path: Path, overwrite: bool) -> Iterator[IO[str]]:
    """A file that is only there once it is whole."""
    if path.exists() and not overwrite:
        raise OutputExists(path)
    unfinished = path.with_name(f".{path.name}.part")
    try:
        with unfinished.open("w", encoding="utf-8", errors="replace", newline="\n") as file:
            yield file
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def _print(conversation: Carried, path: Path, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        raise OutputExists(path)
    page = io.StringIO()
    web_page.write(conversation, page, labels(), is_paper=True, render=to_paper_html)
    unfinished = path.with_name(f".{path.name}.part")
    try:
        unfinished.touch()  # says what is wrong with the folder better than Qt
        done = subprocess.run(
            [*self_command(), "print-pdf", str(unfinished)],
            input=page.getvalue().encode("utf-8", "replace"),
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise PrintingFailed(path, done.stderr.decode("utf-8", "replace")[-2000:])
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
