"""Where conversations stand: in folders, under tags, pinned, in the archive."""

from __future__ import annotations

import contextlib
import unicodedata
from collections.abc import Iterable

from storage.database import Database, now_text
from storage.errors import NoSuchConversation, NoSuchFolder, UnusableLabel
from storage.records import Folder, Tag

MAX_LENGTH = 100
"""Characters of a tag, and of each name in a folder's path."""


class Shelf:
    """The order that a person keeps. None of it changes when a conversation counts as used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def pin(self, conversation_id: int, is_pinned: bool = True) -> None:
        """Keep it on top of the list, or no longer.

        Raises:
            NoSuchConversation: There is none.
        """
        self._set(conversation_id, "is_pinned", is_pinned)

    def archive(self, conversation_id: int, is_archived: bool = True) -> None:
        """Take it out of the list, or put it back; search finds it as before.

        Raises:
            NoSuchConversation: There is none.
        """
        self._set(conversation_id, "archived_at", now_text() if is_archived else None)

    def move(self, conversation_id: int, path: str) -> str:
        """Put it into a folder, which is made; an empty path takes it out of all.

        Returns:
            The folder's path as it is written.

        Raises:
            NoSuchConversation: There is none.
            UnusableLabel: A name in the path cannot be used.
        """
        path = folder_path(path)
        with self._database.transaction():
            self._require(conversation_id)
            folder_id = self._folder_id(path) if path else None
            self._database.execute(
                "UPDATE conversations SET folder_id = ? WHERE id = ?", [folder_id, conversation_id]
            )
        return path

    def tag(self, conversation_id: int, name: str) -> None:
        """Mark it with a tag; letters of another case make the same tag.

        Raises:
            NoSuchConversation: There is none.
            UnusableLabel: It cannot be a tag.
        """
        name = label(name)
        with self._database.transaction():
            self._require(conversation_id)
            self._add_tag(conversation_id, name)

    def untag(self, conversation_id: int, name: str) -> bool:
        """Take a tag away; returns whether it had it.

        Raises:
            NoSuchConversation: There is none.
        """
        with self._database.transaction():
            self._require(conversation_id)
            parameters = [conversation_id, unicodedata.normalize("NFC", name).strip()]
            had = self._database.query(
                "SELECT 1 FROM tags WHERE conversation_id = ? AND name = ?", parameters
            )
            self._database.execute("DELETE FROM tags WHERE conversation_id = ? AND name = ?", parameters)
        return bool(had)

    def place(self, conversation_id: int, path: str, tags: Iterable[str]) -> None:
        """Put one that is being stored into its folder and under its tags, inside that transaction.

        What cannot be a name is left out: other programs have other rules.
        """
        with contextlib.suppress(UnusableLabel):
            if path := folder_path(path):
                self._database.execute(
                    "UPDATE conversations SET folder_id = ? WHERE id = ?",
                    [self._folder_id(path), conversation_id],
                )
        for name in tags:
            with contextlib.suppress(UnusableLabel):
                self._add_tag(conversation_id, label(name))

    def folders(self) -> list[Folder]:
        """All folders, by path."""
        return [
            Folder(row["path"], row["n"])
            for row in self._database.query(
                "SELECT path, count(conversations.id) AS n FROM folders LEFT JOIN conversations"
                " ON folder_id = folders.id AND deleted_at IS NULL GROUP BY folders.id ORDER BY path"
            )
        ]

    def tags(self) -> list[Tag]:
        """All tags that are in use, by name."""
        return [
            Tag(row["name"], row["n"])
            for row in self._database.query(
                "SELECT name, count(*) AS n FROM tags"
                " JOIN conversations ON conversations.id = conversation_id WHERE deleted_at IS NULL"
                " GROUP BY name ORDER BY name"
            )
        ]

    def remove_folder(self, path: str) -> None:
        """Remove a folder and those below it; their conversations are in none then.

        Raises:
            NoSuchFolder: There is none.
        """
        path = folder_path(path)
        with self._database.transaction():
            found = self._below(path)
            if not found:
                raise NoSuchFolder(path)
            for folder_id, _ in found:
                self._database.execute("DELETE FROM folders WHERE id = ?", [folder_id])

    def rename_folder(self, path: str, new_path: str) -> str:
        """Give a folder another path; those below it go with it. One that is there already takes it in.

        Raises:
            NoSuchFolder: There is none.
            UnusableLabel: A name in the new path cannot be used, or it lies below the old one.
        """
        path, new_path = folder_path(path), folder_path(new_path)
        if not new_path or new_path.lower().startswith(f"{path.lower()}/"):
            raise UnusableLabel(new_path)
        with self._database.transaction():
            found = self._below(path)
            if not found:
                raise NoSuchFolder(path)
            parent = new_path.rpartition("/")[0]
            if parent:
                self._folder_id(parent)
            for folder_id, old in found:
                self._give_path(folder_id, new_path + old[len(path) :])
        return new_path

    def _give_path(self, folder_id: int, path: str) -> None:
        """Rename one folder; where another has this path, that one takes in what lies in it."""
        taken = self._database.query("SELECT id FROM folders WHERE path = ? AND id <> ?", [path, folder_id])
        if not taken:
            self._database.execute("UPDATE folders SET path = ? WHERE id = ?", [path, folder_id])
            return
        self._database.execute(
            "UPDATE conversations SET folder_id = ? WHERE folder_id = ?", [taken[0]["id"], folder_id]
        )
        self._database.execute("DELETE FROM folders WHERE id = ?", [folder_id])

    def _below(self, path: str) -> list[tuple[int, str]]:
        """The folder and those below it."""
        rows = self._database.query(
            "SELECT id, path FROM folders WHERE path = :path OR (path > :path || '/' AND path < :path || '0')"
            " ORDER BY path",
            {"path": path},
        )
        return [(row["id"], row["path"]) for row in rows]

    def _add_tag(self, conversation_id: int, name: str) -> None:
        """Written as it was the first time: one tag has one spelling."""
        self._database.execute(
            "INSERT OR IGNORE INTO tags (conversation_id, name)"
            " VALUES (:id, coalesce((SELECT name FROM tags WHERE name = :name LIMIT 1), :name))",
            {"id": conversation_id, "name": name},
        )

    def _folder_id(self, path: str) -> int:
        """Of the folder of this path, which is made with all above it."""
        folder_id = 0
        names = path.split("/")
        for n in range(1, len(names) + 1):
            parent = "/".join(names[:n])
            rows = self._database.query("SELECT id FROM folders WHERE path = ?", [parent])
            folder_id = (
                int(rows[0]["id"])
                if rows
                else self._database.execute(
                    "INSERT INTO folders (path, created_at) VALUES (?, ?)", [parent, now_text()]
                )
            )
        return folder_id

    def _set(self, conversation_id: int, column: str, value: object) -> None:
        with self._database.transaction():
            self._require(conversation_id)
            self._database.execute(
                f"UPDATE conversations SET {column} = ? WHERE id = ?", [value, conversation_id]
            )

    def _require(self, conversation_id: int) -> None:
        if not self._database.query("SELECT 1 FROM conversations WHERE id = ?", [conversation_id]):
            raise NoSuchConversation(conversation_id)


def label(text: str) -> str:
    """A tag, or one name of a folder's path, as it is stored.

    Raises:
        UnusableLabel: It is empty, too long, or has characters that cannot be seen.
    """
    clean = " ".join(unicodedata.normalize("NFC", text).split())
    if not clean or len(clean) > MAX_LENGTH or any(unicodedata.category(c) in ("Cc", "Cs") for c in clean):
        raise UnusableLabel(text)
    return clean


def folder_path(text: str) -> str:
    """A path as it is stored: no slash at its ends, names without spaces around them.

    Raises:
        UnusableLabel: A name in it cannot be used.
    """
    text = text.strip().strip("/")
    return "/".join(label(name) for name in text.split("/")) if text else ""
