"""Images and files that lie beside the conversations of an export, under names that begin with their id."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from storage.exchange.archive import Member
from storage.exchange.foreign import MAX_FILE_BYTES, attached
from storage.records import Part

_ID = re.compile(r"file[-_][A-Za-z0-9]+")


class Files:
    """Finds them by id."""

    def __init__(self, members: Iterable[Member]) -> None:
        self._by_id: dict[str, Member] = {}
        for member in members:
            if found := _ID.match(PurePosixPath(member.name).name):
                self._by_id.setdefault(found.group(), member)

    def find(self, pointer: str, names: Mapping[str, str]) -> Part | None:
        """An image or file, whole; None where it is not there, cannot be read, or is too large.

        Args:
            pointer: Its id, or an address that ends with it.
            names: For people, by id; else it is the file's own, without the id.
        """
        found = _ID.match(pointer.rsplit("/", 1)[-1])
        member = self._by_id.get(found.group()) if found else None
        if found is None or member is None:
            return None
        try:
            with member.open() as file:
                data = file.read(MAX_FILE_BYTES + 1)
        except OSError:
            return None
        own = PurePosixPath(member.name).name.removeprefix(found.group()).lstrip("-")
        is_nameless = own.startswith(".") or not own
        return attached(names.get(found.group(), "") or ("" if is_nameless else own), data)
