"""What goes wrong with the database and the system, in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from storage import errors as storage
from ui.i18n import tr

# --- storage -----------------------------------------------------------------------------------------


def _storage(_error: storage.StorageError) -> str:
    return tr("The conversations could not be read or saved. Restart Coterie, then try again.")


def _database_unusable(error: storage.DatabaseUnusable) -> str:
    return tr(
        "The database {path} cannot be used. Check its folder and the disk, then start Coterie again.",
        path=error.path,
    )


def _database_read_only(error: storage.DatabaseReadOnly) -> str:
    return tr(
        "Coterie may not write to {path}. "
        "Allow writing to its folder, or start with --data-dir and another folder.",
        path=error.path,
    )


def _database_disk_full(_error: storage.DatabaseDiskFull) -> str:
    return tr(
        "The disk is full, so this was not saved; all that was saved before is intact. "
        "Make room, then try again."
    )


def _database_corrupt(error: storage.DatabaseCorrupt) -> str:
    return tr(
        "{path} is damaged or is not a Coterie database. "
        "`coterie backup list` shows the backups, and `coterie backup restore` puts one in its place.",
        path=error.path,
    )


def _database_locked(error: storage.DatabaseLocked) -> str:
    return tr("Another program is using {path}. Close that program, then try again.", path=error.path)


def _database_too_new(error: storage.DatabaseTooNew) -> str:
    return tr(
        "{path} was written by a newer Coterie (format {found}; this one reads up to {known}). "
        "Install the newer program to open it.",
        path=error.path,
        found=error.found_version,
        known=error.known_version,
    )


def _no_such_conversation(_error: storage.NoSuchConversation) -> str:
    return tr("This conversation no longer exists. Choose another one from the list.")


def _no_such_message(_error: storage.NoSuchMessage) -> str:
    return tr("This message no longer exists. Open its conversation again.")


def _no_such_setting(error: storage.NoSuchSetting) -> str:
    return tr("There is no setting named “{key}”. Check the spelling.", key=error.key)


def _no_such_folder(error: storage.NoSuchFolder) -> str:
    return tr(
        "There is no folder “{name}”. `coterie conversations folders` lists what there is.", name=error.name
    )


def _unusable_label(error: storage.UnusableLabel) -> str:
    return tr(
        "“{name}” cannot be a name here. Use 1 to 100 visible characters; “/” parts the names of folders.",
        name=error.name,
    )


def _no_such_prompt(error: storage.NoSuchPrompt) -> str:
    return tr("There is no prompt “{name}”. `coterie prompts list` shows what there is.", name=error.name)


def _not_ratable(error: storage.NotRatable) -> str:
    return tr(
        "Message {id} is not an answer of a model, and only those are rated. Choose the answer below it.",
        id=error.message_id,
    )


def _backup_unusable(error: storage.BackupUnusable) -> str:
    return tr(
        "{path} is damaged or is not a backup of Coterie; nothing was changed. Choose another backup.",
        path=error.path,
    )


def _archive_refused(error: storage.ArchiveRefused) -> str:
    match error.reason:
        case "encrypted":
            return tr(
                "“{path}” is locked with a password. Unpack it, then import the folder.", path=error.path
            )
        case "leads_out":
            return tr(
                "“{path}” was not opened: it holds a path that leads out of it ({name}). "
                "Get the export anew from where it came from.",
                path=error.path,
                name=error.detail,
            )
        case "too_large" | "overlapping" | "too_many_files":
            return tr(
                "“{path}” was not opened: unpacked it would be absurdly large. "
                "If you trust it, unpack it, then import the folder.",
                path=error.path,
            )
    return tr("“{path}” is damaged and cannot be opened. Get the export anew.", path=error.path)


def _unknown_export(error: storage.UnknownExport) -> str:
    if error.is_cut_off:
        return tr(
            "“{path}” ends in the middle of its first conversation, so nothing of it can be read."
            " Export or download it again.",
            path=error.path,
        )
    return tr(
        "“{path}” holds no conversations of a known format. "
        "Import the file, zip or folder that the other program exported, unchanged.",
        path=error.path,
    )


def _foreign_database_unreadable(error: storage.ForeignDatabaseUnreadable) -> str:
    return tr(
        "The database {path} cannot be read ({reason}). End the program that it belongs to, then try again.",
        path=error.path,
        reason=error.reason,
    )


# --- documents ---------------------------------------------------------------------------------------


def _no_such_collection(error: storage.NoSuchCollection) -> str:
    return tr(
        "There is no collection “{name}”. `coterie knowledge list` shows what there is,"
        " `coterie knowledge add {name} PATH` makes it.",
        name=error.name,
    )


def _no_such_source(error: storage.NoSuchSource) -> str:
    return tr(
        "“{path}” was never added to the collection “{name}”."
        " `coterie knowledge show {name}` lists what belongs to it.",
        path=error.path,
        name=error.name,
    )


def _no_such_passage(error: storage.NoSuchPassage) -> str:
    return tr(
        "Passage {id} is no longer there: its document has changed or was removed. Search again.",
        id=error.passage_id,
    )


def _document_refused(error: storage.DocumentRefused) -> str:
    name = error.path.name or str(error.path)
    match error.why:
        case "gone":
            return tr("“{name}” is no longer there. Bring it back, or refresh the collection.", name=name)
        case "bad_name":
            return tr(
                "The name of “{name}” is not in the system's encoding and cannot be kept. Rename it,"
                " then refresh the collection.",
                name=name,
            )
        case "unreadable" if not error.detail:
            return tr("“{name}” cannot be read. Allow reading it, then refresh the collection.", name=name)
        case "unreadable":
            return tr(
                "“{name}” cannot be read ({reason}). Allow reading it, then refresh the collection.",
                name=name,
                reason=error.detail,
            )
        case "not_a_file":
            return tr("“{name}” is neither a file nor a folder. Choose a document.", name=name)
        case "outside":
            return tr(
                "“{name}” is a link to something outside its folder, so it was left out."
                " Add what it points to by itself.",
                name=name,
            )
        case "too_large":
            return tr("“{name}” is too large to be read as one document. Split it.", name=name)
        case "binary":
            return tr("“{name}” is no text. Save it as text, PDF or DOCX, then add that.", name=name)
        case "encrypted":
            return tr("“{name}” is encrypted. Save a copy without a password, then add that.", name=name)
        case "no_text":
            return tr(
                "“{name}” holds no text; it may be empty or a scan. Have its text recognized, then add that.",
                name=name,
            )
        case "stuck":
            return tr(
                "“{name}” took too much time or memory to be read. Save it in another format, then add that.",
                name=name,
            )
    return tr("“{name}” is damaged. Open it in its own program, save it again, then add that.", name=name)


# --- what Python itself raises -----------------------------------------------------------------------


def _memory(_error: MemoryError) -> str:
    return tr("The computer has too little free memory for this. Close other programs, then try again.")


def _os_error(error: OSError) -> str:
    return tr(
        "The system refused it: {reason}. Check the file or folder, then try again.",
        reason=error.strerror or str(error) or type(error).__name__,
    )


SENTENCES: dict[type[BaseException], Callable[[Any], str]] = {
    storage.StorageError: _storage,
    storage.DatabaseUnusable: _database_unusable,
    storage.DatabaseReadOnly: _database_read_only,
    storage.DatabaseDiskFull: _database_disk_full,
    storage.DatabaseCorrupt: _database_corrupt,
    storage.DatabaseLocked: _database_locked,
    storage.DatabaseTooNew: _database_too_new,
    storage.NoSuchConversation: _no_such_conversation,
    storage.NoSuchMessage: _no_such_message,
    storage.NoSuchSetting: _no_such_setting,
    storage.NoSuchFolder: _no_such_folder,
    storage.UnusableLabel: _unusable_label,
    storage.NoSuchPrompt: _no_such_prompt,
    storage.NotRatable: _not_ratable,
    storage.BackupUnusable: _backup_unusable,
    storage.ArchiveRefused: _archive_refused,
    storage.UnknownExport: _unknown_export,
    storage.ForeignDatabaseUnreadable: _foreign_database_unreadable,
    storage.NoSuchCollection: _no_such_collection,
    storage.NoSuchSource: _no_such_source,
    storage.NoSuchPassage: _no_such_passage,
    storage.DocumentRefused: _document_refused,
    MemoryError: _memory,
    OSError: _os_error,
}
