"""Exports of other programs, made of the samples in tests/data/exchange."""

from __future__ import annotations

import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

from PySide6.QtCore import QByteArray, QDataStream, QIODevice, QSaveFile

SAMPLES = Path(__file__).parents[1] / "data" / "exchange"


def database(name: str, path: Path) -> Path:
    """A database of the sample `name.sql`."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous=OFF")  # nothing that must survive
        connection.executescript((SAMPLES / f"{name}.sql").read_text("utf-8"))
    return path


def zipped(folder: Path, path: Path) -> Path:
    """All files of a folder in a zip."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder).as_posix())
    return path


class ChatWriter:
    """Writes a chat of GPT4All with Qt's own stream, as the program does."""

    def __init__(self, path: Path, version: int, *, model: str = "Reasoner v1") -> None:
        self._file = QSaveFile(str(path))
        assert self._file.open(QIODevice.OpenModeFlag.WriteOnly)
        self._version = version
        self.stream = QDataStream(self._file)
        self.stream.writeUInt32(0xF5D553CC)
        self.stream.writeInt32(version)
        self.stream.setVersion(QDataStream.Version.Qt_6_2)
        self.stream.writeInt64(1740000000)
        for text in ("chat-1", "From GPT4All", "", model):
            self.stream.writeQString(text)
        if version >= 3:
            self.stream.writeUInt32(1)
            self.stream.writeQString("My documents")
        if version < 11:
            self._state()

    def _state(self) -> None:
        stream, version = self.stream, self._version
        if version >= 6:
            stream.writeBool(True)
        if version >= 2:
            stream.writeInt32(1)
            stream.writeInt32(0)
        stream.writeQString("a response")
        stream.writeQString("a name")
        stream.writeUInt32(7)
        if version < 4:
            stream.writeInt32(0)
        stream.writeInt32(3)
        if version >= 7:
            stream.writeInt32(2048)
        if version < 9:
            stream.writeUInt64(2)
            stream.writeRawData(b"\0" * 8)
        stream.writeUInt64(3)
        stream.writeRawData(b"\0" * 12)
        self.array(b"compressed state")

    def array(self, data: bytes) -> None:
        """A QByteArray."""
        self.stream << QByteArray(data)

    def items(self, n: int) -> None:
        """How many follow."""
        self.stream.writeInt32(n)

    def item(
        self,
        name: str,
        value: str,
        *,
        stopped: bool = False,
        liked: bool = False,
        attachments: tuple[tuple[str, bytes], ...] = (),
        n_children: int = 0,
    ) -> None:
        """A message; its children are written after it."""
        stream, version = self.stream, self._version
        if version < 12:
            stream.writeInt32(0)
        stream.writeQString(name)
        stream.writeQString(value)
        if version < 10:
            stream.writeQString("")
        stream.writeQString("")
        for flag in (False, stopped, liked, False):
            stream.writeBool(flag)
        if version >= 11 and name == "Response: ":
            stream.writeBool(False)
        if version >= 8:
            stream.writeInt64(1 if name == "Prompt: " else 0)
            if name == "Prompt: ":
                for text in ("c", "p", "f.txt", "t", "a", "d", "source text"):
                    stream.writeQString(text)
                for number in (1, 2, 3):
                    stream.writeInt32(number)
        elif version >= 3:
            stream.writeQString("")
            stream.writeUInt32(0)
        if version >= 10:
            stream.writeInt64(len(attachments))
            for url, data in attachments:
                self.array(url.encode())
                self.array(data)
        if version >= 12:
            stream.writeInt64(n_children)

    def child(self, name: str, value: str, n_children: int = 0) -> None:
        """A part of an answer."""
        self.stream.writeQString(name)
        self.stream.writeQString(value)
        if name == "Think: ":
            self.stream.writeInt32(1500)
        if name == "ToolCall: ":
            self.stream.writeQString("javascript_interpret")
            self.stream.writeInt64(1)
            self.stream.writeQString("code")
            self.stream.writeInt32(0)
            self.stream.writeQVariant("1 + 1")
            self.stream.writeQString("2")
            self.stream.writeInt32(0)
            self.stream.writeQString("")
        self.stream.writeInt64(n_children)

    def close(self) -> None:
        """Finish the file."""
        assert self.stream.status() == QDataStream.Status.Ok
        assert self._file.commit()
