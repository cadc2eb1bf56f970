"""Models that are split into several files: `name-00001-of-00003.gguf` and so on.

Source: llama.cpp at 0c1e57098, src/llama.cpp (`llama_split_path`), src/llama-model-loader.cpp (the keys
`split.*`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from model_manager.errors import DamagedGguf, MissingShard
from model_manager.gguf import GgufHeader, TensorInfo, read_header

_SUFFIX = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class ShardName:
    """What a shard's file name says.

    Attributes:
        number: From 1 to `count`.
    """

    stem: str
    number: int
    count: int


@dataclass(frozen=True, slots=True)
class GgufModel:
    """A whole model: all its files and their headers, checked against each other.

    Attributes:
        paths: The first shard first.
        headers: In the order of `paths`. Metadata of the model stands in the first.
        vision_bytes: Of the file beside it that lets it see and is loaded with it; 0 where there is none, or
            nobody has looked.
    """

    paths: tuple[Path, ...]
    headers: tuple[GgufHeader, ...]
    vision_bytes: int = 0

    @property
    def header(self) -> GgufHeader:
        """The first file's."""
        return self.headers[0]

    @property
    def size_bytes(self) -> int:
        """Of all files together."""
        return sum(header.size_bytes for header in self.headers)

    @property
    def quantization(self) -> str:
        """As `GgufHeader.quantization`; the first shard may have no tensors."""
        return next((label for header in self.headers if (label := header.quantization)), "")

    def tensors(self) -> Iterator[TensorInfo]:
        """Of all files; offsets count from the data of the file that each is in."""
        for header in self.headers:
            yield from header.tensors


def parse_shard_name(filename: str) -> ShardName | None:
    """What the name of a shard says; None for any other file."""
    match = _SUFFIX.fullmatch(filename)
    if match is None:
        return None
    shard = ShardName(match["stem"], int(match["number"]), int(match["count"]))
    return shard if 1 <= shard.number <= shard.count else None


def shard_filenames(filename: str) -> tuple[str, ...]:
    """The names of all files of the model that `filename` belongs to; just itself if it is not split."""
    shard = parse_shard_name(filename)
    if shard is None:
        return (filename,)
    return tuple(f"{shard.stem}-{number + 1:05}-of-{shard.count:05}.gguf" for number in range(shard.count))


def model_stem(filename: str) -> str:
    """The model's name: the file's without shard numbers and `.gguf`."""
    shard = parse_shard_name(filename)
    if shard is not None:
        return shard.stem
    return filename[: -len(".gguf")] if filename.lower().endswith(".gguf") else filename


def read_model(path: Path) -> GgufModel:
    """Reads the headers of all files of the model that `path` (any of its shards) belongs to.

    Raises:
        MissingShard: A shard is not there.
        DamagedGguf: Names, shard numbers and tensor counts do not agree, among much else.
        NotGguf, TruncatedGguf, UnsupportedGguf: As `read_header`, of any shard.
        OSError: A file cannot be read.
    """
    first = read_header(path)
    if first.n_splits == 1:
        return GgufModel((path,), (first,))
    name = parse_shard_name(path.name)
    if name is None or name.count != first.n_splits:
        raise DamagedGguf(path, f"one of {first.n_splits} shards, under a name that does not say so")
    paths = tuple(path.with_name(filename) for filename in shard_filenames(path.name))
    for shard_path in paths:
        if not shard_path.is_file():
            raise MissingShard(shard_path, f"a shard of {path.name}")
    headers = tuple(read_header(shard_path) for shard_path in paths)
    _check_shards(paths, headers)
    return GgufModel(paths, headers)


def _check_shards(paths: tuple[Path, ...], headers: tuple[GgufHeader, ...]) -> None:
    names: set[str] = set()
    for number, (path, header) in enumerate(zip(paths, headers, strict=True)):
        says = (header.integer("split.no"), header.n_splits)
        if says != (number, len(paths)):
            raise DamagedGguf(path, f"says to be shard {says[0]} of {says[1]}")
        here = {tensor.name for tensor in header.tensors}
        if not names.isdisjoint(here):
            raise DamagedGguf(path, "repeats a tensor of another shard")
        names |= here
    expected = headers[0].integer("split.tensors.count")
    if expected != len(names):
        raise DamagedGguf(paths[0], f"promises {expected} tensors, its shards have {len(names)}")
