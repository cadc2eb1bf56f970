"""The file that holds what one sequence of a context was computed to be.

    offset  bytes
    0       8       magic, with the version of this format
    8       4       length of the header, little endian
    12      32      SHA-256 of the header and the tokens
    44              header: JSON, see `Header`
            4 n     the tokens, int32, little endian
                    the states, one after the other, as llama.cpp gives them

The payload is hashed in pieces, so that several threads read and check a file together. llama.cpp's own files
of this kind have no checksum and end the process when their length is wrong, so nothing of ours reaches it
before every byte was verified.
Source: docs/decisions/0013-prompt-cache-files.md
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import struct
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from model_manager.own_files import sync_folder

MAGIC: Final = b"COTSEQ1\n"
PIECE_BYTES: Final = 4 * 1024 * 1024
_START: Final = struct.Struct("<8sI32s")
_MAX_HEADER_BYTES: Final = 16 * 1024 * 1024
_READERS: Final = 4

Bytes = NDArray[np.uint8]
Tokens = NDArray[np.int32]


class StateFileDamaged(Exception):
    """Not a file of this format, or not as it was written; never leaves the engine."""


@dataclass(frozen=True, slots=True)
class Part:
    """A state of the sequence.

    Attributes:
        n_tokens: After how many of the file's tokens it was.
        is_partial: Only what cannot be cut back (recurrent state, sliding windows); else everything.
    """

    n_tokens: int
    is_partial: bool
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself.

    Attributes:
        key: Digest of `identity`; a file of another key is of no use.
        identity: What must be equal for the states to be valid, see `engine.state_identity`.
        model: Name of the model, for people.
        conversation: By which the file can be forgotten; "" where nobody said.
        parts: The states, the whole one first.
        pieces: SHA-256 of each `PIECE_BYTES` of the payload, the last one shorter.
    """

    key: str
    identity: Mapping[str, str]
    model: str
    conversation: str
    n_tokens: int
    created_at: float
    parts: tuple[Part, ...]
    pieces: tuple[str, ...]

    @property
    def payload_bytes(self) -> int:
        """All states together."""
        return sum(part.size_bytes for part in self.parts)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a sequence was computed to be, in memory.

    Attributes:
        tokens: int32, (n_tokens,)
        state: Everything, after all of `tokens`.
        checkpoints: Partial states after fewer tokens, in rising order.
        conversation: Whose tokens they are.
        path: The file that it was read from.
    """

    tokens: Tokens
    state: Bytes
    checkpoints: tuple[tuple[int, Bytes], ...] = ()
    conversation: str = ""
    path: Path | None = None


def write(path: Path, snapshot: Snapshot, key: str, identity: Mapping[str, str], model: str) -> int:
    """Write a file so that it is there whole or not at all; returns its size in bytes.

    Raises:
        OSError: The disk is full, or the folder cannot be written; nothing is left of it.
    """
    arrays = [snapshot.state, *(state for _, state in snapshot.checkpoints)]
    lengths = [len(snapshot.tokens), *(n_tokens for n_tokens, _ in snapshot.checkpoints)]
    header = Header(
        key=key,
        identity=dict(identity),
        model=model,
        conversation=snapshot.conversation,
        n_tokens=len(snapshot.tokens),
        created_at=time.time(),
        parts=tuple(
            Part(n_tokens, index > 0, array.nbytes)
            for index, (n_tokens, array) in enumerate(zip(lengths, arrays, strict=True))
        ),
        pieces=tuple(_piece_digests(arrays)),
    )
    text = json.dumps(asdict(header)).encode()
    tokens = snapshot.tokens.astype("<i4", copy=False).tobytes()
    start = _START.pack(MAGIC, len(text), hashlib.sha256(text + tokens).digest())
    unfinished = unfinished_path(path)
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb", buffering=0) as file:
            for block in (start, text, tokens):
                _write_all(file, memoryview(block))
            for array in arrays:
                _write_all(file, array.data)
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    return len(start) + len(text) + len(tokens) + header.payload_bytes


def unfinished_path(path: Path) -> Path:
    """A name beside a file that nobody looks for, and that says which process it depends on."""
    return path.with_name(f"{path.stem}.{os.getpid()}-{secrets.token_hex(4)}.part")


def read_header(path: Path) -> tuple[Header, Tokens]:
    """What a file says of itself, verified; its states are not looked at.

    Raises:
        StateFileDamaged: It cannot be one of ours as it was written.
        OSError: It cannot be read.
    """
    with open(path, "rb", buffering=0) as file:
        header, tokens, _offset = _read_header(file)
    return header, tokens


def read(path: Path) -> tuple[Header, Snapshot]:
    """A whole file, every byte of it verified.

    Raises:
        StateFileDamaged: It is not as it was written.
        OSError: It cannot be read.
        MemoryError: There is no room for it.
    """
    with open(path, "rb", buffering=0) as file:
        header, tokens, offset = _read_header(file)
        payload = np.empty(header.payload_bytes, np.uint8)
        _read_pieces(file, offset, payload, header.pieces)
    states: list[Bytes] = []
    begin = 0
    for part in header.parts:
        states.append(payload[begin : begin + part.size_bytes])
        begin += part.size_bytes
    checkpoints = tuple((p.n_tokens, s) for p, s in zip(header.parts[1:], states[1:], strict=True))
    return header, Snapshot(tokens, states[0], checkpoints, header.conversation, path)


def _read_header(file: IO[bytes]) -> tuple[Header, Tokens, int]:
    start = file.read(_START.size) or b""
    if len(start) != _START.size:
        raise StateFileDamaged("too short")
    magic, n_header_bytes, digest = _START.unpack(start)
    if magic != MAGIC:
        raise StateFileDamaged("another format")
    size_bytes = os.fstat(file.fileno()).st_size
    if n_header_bytes > min(_MAX_HEADER_BYTES, size_bytes):
        raise StateFileDamaged("the header is too long")
    text = file.read(n_header_bytes) or b""
    try:
        header = _header_from(json.loads(text))
    except (ValueError, TypeError, KeyError) as error:
        raise StateFileDamaged(f"no header: {error}") from error
    offset = _START.size + n_header_bytes + 4 * header.n_tokens
    if size_bytes != offset + header.payload_bytes:
        raise StateFileDamaged(f"{size_bytes} bytes instead of {offset + header.payload_bytes}")
    tokens = file.read(4 * header.n_tokens) or b""
    if hashlib.sha256(text + tokens).digest() != digest:
        raise StateFileDamaged("the header was changed")
    return header, np.frombuffer(tokens, "<i4").astype(np.int32, copy=False), offset


def _header_from(fields: dict[str, Any]) -> Header:
    parts = tuple(
        Part(int(p["n_tokens"]), bool(p["is_partial"]), int(p["size_bytes"])) for p in fields["parts"]
    )
    header = Header(
        key=str(fields["key"]),
        identity={str(name): str(value) for name, value in fields["identity"].items()},
        model=str(fields["model"]),
        conversation=str(fields["conversation"]),
        n_tokens=int(fields["n_tokens"]),
        created_at=float(fields["created_at"]),
        parts=parts,
        pieces=tuple(str(piece) for piece in fields["pieces"]),
    )
    if not parts or parts[0].is_partial or not 0 < header.n_tokens < 2**31:
        raise ValueError("no whole state")
    if any(part.size_bytes < 0 or not 0 < part.n_tokens <= header.n_tokens for part in parts):
        raise ValueError("impossible lengths")
    if len(header.pieces) != -(-header.payload_bytes // PIECE_BYTES):
        raise ValueError("not as many pieces as bytes")
    return header


def _piece_digests(arrays: Sequence[Bytes]) -> Iterator[str]:
    left = PIECE_BYTES
    digest = hashlib.sha256()
    for array in arrays:
        begin = 0
        while begin < array.nbytes:
            block = array[begin : begin + left]
            digest.update(block.data)
            begin += block.nbytes
            left -= block.nbytes
            if left == 0:
                yield digest.hexdigest()
                digest, left = hashlib.sha256(), PIECE_BYTES
    if left != PIECE_BYTES:
        yield digest.hexdigest()


def _read_pieces(file: IO[bytes], offset: int, payload: Bytes, pieces: Sequence[str]) -> None:
    """Fill `payload`, several pieces at a time: copying and hashing both leave the interpreter free."""

    def read_piece(index: int) -> bool:
        begin = index * PIECE_BYTES
        view = payload[begin : begin + PIECE_BYTES].data
        _read_at(file, view, offset + begin)
        return hashlib.sha256(view).hexdigest() == pieces[index]

    with ThreadPoolExecutor(min(_READERS, os.cpu_count() or 1), "prompt-cache-read") as readers:
        intact: Iterable[bool] = readers.map(read_piece, range(len(pieces)))
        if not all(intact):
            raise StateFileDamaged("the states were changed")


if sys.platform == "win32":

    def _read_at(file: IO[bytes], view: memoryview, offset: int) -> None:
        with open(file.name, "rb", buffering=0) as own:
            own.seek(offset)
            _fill(view, own.readinto)
else:

    def _read_at(file: IO[bytes], view: memoryview, offset: int) -> None:
        done = 0

        def read_some(rest: memoryview) -> int:
            nonlocal done
            n_bytes = os.preadv(file.fileno(), [rest], offset + done)
            done += n_bytes
            return n_bytes

        _fill(view, read_some)


def _fill(view: memoryview, read_some: Any) -> None:
    while view.nbytes:
        n_bytes = read_some(view)
        if not n_bytes:
            raise StateFileDamaged("cut while it was read")
        view = view[n_bytes:]


def _write_all(file: IO[bytes], view: memoryview) -> None:
    while view.nbytes:
        view = view[file.write(view) :]
