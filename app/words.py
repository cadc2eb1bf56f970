"""Errors of the roof in words; all others are `ui.text`'s."""

from __future__ import annotations

from dataclasses import replace

from app.errors import (
    BadUsage,
    DataFolderInUse,
    DataFolderUnusable,
    EngineNotListed,
    Interrupted,
    ModelChanged,
    NotAnAnswer,
    NotErased,
    OutputExists,
    OwnerGone,
    OwnerSilent,
    PrintingFailed,
    RoutingNotKept,
    TokensNotKept,
    UnusableAddress,
    UnusableName,
)
from ui import text
from ui.care import words
from ui.i18n import tr
from ui.values import Notice


def sentence(error: BaseException) -> str:
    """What happened and the next step, in the language in use."""
    match error:
        case DataFolderUnusable(is_full=True):
            return tr(
                "The disk of {path} is full, so Coterie cannot start; nothing was changed."
                " Make room, then try again.",
                path=error.path,
            )
        case DataFolderUnusable():
            return tr(
                "The data folder {path} cannot be used ({reason})."
                " Choose another with --data-dir, or make it writable.",
                path=error.path,
                reason=error.reason,
            )
        case DataFolderInUse():
            return tr("Coterie is open with {path}. Close it, then run this again.", path=error.path)
        case OwnerGone():
            return tr("The Coterie that did this for us has ended. What was stored is kept; run it again.")
        case OwnerSilent():
            return tr(
                "Another Coterie (process {pid}) uses {path} and does not answer."
                " End that process, then try again.",
                pid=error.pid or "?",
                path=error.path,
            )
        case NotErased():
            said = f"{words.deleted(error.n_deleted)} {words.traces_left()}"
            cause = error.__cause__
            return said if cause is None or isinstance(cause, Interrupted) else f"{said} {sentence(cause)}"
        case NotAnAnswer():
            return tr(
                "Message {id} is not an answer of a model. “coterie conversations show” lists the messages.",
                id=error.message_id,
            )
        case TokensNotKept():
            return tr(
                "The tokens of message {id} are not kept: it is empty, older than this version, or followed"
                " images. Answer the question again, then look into the new answer.",
                id=error.message_id,
            )
        case RoutingNotKept():
            return tr(
                "Where the tokens of message {id} went was not noted while it was made. Leave out --live to"
                " have it computed, or set “trace” to “live” and answer the question again.",
                id=error.message_id,
            )
        case ModelChanged():
            return tr(
                "“{name}” has another file now than the one that made message {id}."
                " Name the old file with -m, or answer the question again.",
                name=error.name,
                id=error.message_id,
            )
        case EngineNotListed():
            return tr(
                "There is no remote engine “{name}”. `coterie engines list` shows what there is.",
                name=error.name,
            )
        case UnusableName():
            return tr(
                "“{name}” cannot be the name of an engine."
                " Use letters, digits, “.”, “_” and “-”, 64 at most.",
                name=error.name,
            )
        case UnusableAddress():
            return tr(
                "This is no address of an engine. Write one like https://host:port/v1, without a user name"
                " or a key in it."
            )
        case OutputExists():
            return tr(
                "{path} is there already. Choose another name, or replace it with --force.", path=error.path
            )
        case PrintingFailed():
            return tr("{path} could not be printed. Export as HTML and print that.", path=error.path)
        case Interrupted():
            return tr("Stopped.")
        case BadUsage():
            return str(error)
    return text.sentence(error)


def notice_for(error: BaseException) -> Notice:
    """The sentence with the one button that helps most."""
    return replace(text.notice_for(error), sentence=sentence(error))
