"""What a person means by a model reference, and which files of a repository that is.

The grammar:

    owner/repo                      the one model in there, else a sensible quantization
    owner/repo:Q4_K_M               that quantization; upper and lower case are the same
    owner/repo/folder/file.gguf     that file, or the split model that it is a shard of
    modelscope:owner/repo...        the same three, on ModelScope
    https://host/.../file.gguf      that file; addresses of a hub's own pages are understood as the above
    https://host/download?id=5      the file that the server names in its answer

An address may end in `#sha256=...`: then the file is taken only if it is that one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from model_manager.errors import InvalidReference, NotOffered
from model_manager.shards import model_stem, parse_shard_name, shard_filenames
from model_manager.vision_files import is_vision_name, vision_rank

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from model_manager.types import HubFile, Source

_REPO = re.compile(r"([\w.-]{1,96}/[\w.-]{1,96})", re.ASCII)
_REF = re.compile(r"([\w.-]{1,96}/[\w.-]{1,96})(?::([\w.-]+)|/(.+\.gguf))?", re.ASCII | re.IGNORECASE)
_HUB_PAGE = re.compile(r"/([^/]+/[^/]+)/(?:resolve|blob)/([^/]+)/(.+\.gguf)", re.IGNORECASE)
_MODELSCOPE = "modelscope:"
_MODELSCOPE_HOSTS = ("modelscope.cn", "www.modelscope.cn")
_MODELSCOPE_PAGE = re.compile(
    r"/models/([^/]+/[^/]+)(?:/(?:summary|files|(?:resolve|file/view)/([^/]+)/(.+\.gguf)))?/?", re.IGNORECASE
)
_SHA256 = re.compile(r"(?:^|&)sha256=([0-9a-f]{64})(?:$|&)", re.IGNORECASE)
_QUANTIZATION = re.compile(
    r"(?:^|[-._/])((?:UD-)?(?:IQ\d(?:_[A-Z0-9]+)*|Q\d(?:_[A-Z0-9]+)*|TQ\d_\d|MXFP4(?:_MOE)?|NVFP4|BF16|F16|F32))"
    r"(?=$|[-._/])",
    re.IGNORECASE,
)
DEFAULT_QUANTIZATION = "Q4_K_M"


@dataclass(frozen=True, slots=True)
class HubReference:
    """A reference to something in a hub's repository.

    Attributes:
        revision: A branch, tag or commit; "main" is the main branch, whatever the service calls it.
        quantization: Wanted, as typed; None if not said.
        path: The file wanted; None if not said.
    """

    ref: str
    repo_id: str
    revision: str = "main"
    quantization: str | None = None
    path: str | None = None
    source: Source = "hub"


@dataclass(frozen=True, slots=True)
class UrlReference:
    """A reference to one file anywhere.

    Attributes:
        filename: "" where the address does not tell, and the server must be asked.
        sha256: What the file must hash to; None if not said.
    """

    ref: str
    url: str
    filename: str
    sha256: str | None = None


def parse(ref: str, endpoint: str) -> HubReference | UrlReference:
    """Read a reference.

    Args:
        ref: What was typed.
        endpoint: The hub's address; its URLs mean repositories.

    Raises:
        InvalidReference: It is neither form.
    """
    text = ref.strip()
    if "://" in text:
        return _parse_url(text, endpoint)
    is_modelscope = text.lower().startswith(_MODELSCOPE)
    match = _REF.fullmatch(text[len(_MODELSCOPE) :] if is_modelscope else text)
    if match is None:
        raise InvalidReference(ref)
    source: Source = "modelscope" if is_modelscope else "hub"
    return HubReference(text, match[1], quantization=match[2], path=match[3], source=source)


def _parse_url(ref: str, endpoint: str) -> HubReference | UrlReference:
    try:
        url, hub = urlsplit(ref), urlsplit(endpoint)
        host = url.hostname
    except ValueError:
        raise InvalidReference(ref) from None
    if url.scheme not in ("https", "http") or not host or url.username or url.password:
        raise InvalidReference(ref)
    path = unquote(url.path)
    page = _HUB_PAGE.fullmatch(path.removeprefix(hub.path.rstrip("/")))
    if (url.scheme, url.netloc) == (hub.scheme, hub.netloc):
        if page is not None:
            return HubReference(ref, page[1], revision=page[2], path=page[3])
        repo = _REPO.fullmatch(path.strip("/"))
        if repo is not None:
            return HubReference(ref, repo[1])
    if host in _MODELSCOPE_HOSTS and (page := _MODELSCOPE_PAGE.fullmatch(path)) is not None:
        revision = "main" if page[2] in (None, "master") else page[2]
        return HubReference(ref, page[1], revision, path=page[3], source="modelscope")
    # Without TLS nobody vouches for the bytes, and a direct address comes without a hash of its own.
    is_safe = url.scheme == "https" or host in ("127.0.0.1", "localhost", "::1") or url.netloc == hub.netloc
    filename = path.rpartition("/")[2]
    if not filename.lower().endswith(".gguf"):
        # Only an address that does not look like a file of another kind is worth asking about.
        if "." in filename or not (filename or url.query):
            raise InvalidReference(ref)
        filename = ""
    digest = _SHA256.search(url.fragment)
    if not is_safe or ("sha256" in url.fragment.lower() and digest is None):
        raise InvalidReference(ref)
    return UrlReference(
        ref, url._replace(fragment="").geturl(), filename, digest[1].lower() if digest else None
    )


def choose(reference: HubReference, files: Sequence[HubFile]) -> tuple[HubFile, ...]:
    """The files of the model that a reference means, shards in order.

    Raises:
        InvalidReference: Several models match; `choices` has them.
        NotOffered: None does.
    """
    models = runnable_models(files)
    choices = tuple(sorted({label(model[0].path) for model in models}))
    if reference.path is not None:
        for model in models:
            if any(file.path == reference.path for file in model):
                return model
    elif reference.quantization is not None:
        wanted = reference.quantization.upper()
        found = [model for model in models if label(model[0].path).upper() == wanted]
        if len(found) > 1:
            raise InvalidReference(reference.ref, tuple(model[0].path for model in found))
        if found:
            return found[0]
    elif models:
        return min(models, key=_preference)
    raise NotOffered(reference.ref, choices, _missing_shards(reference, files))


def projector(files: Sequence[HubFile]) -> HubFile | None:
    """What lets the models of a repository see; of several precisions the one to take."""
    towers = [file for file in files if is_vision_name(file.path.rpartition("/")[2])]
    return min(towers, key=lambda file: vision_rank(file.path.rpartition("/")[2]), default=None)


def label(path: str) -> str:
    """How a person calls one model among the files of a repository: its quantization, else its name."""
    stem = model_stem(path)
    found = _QUANTIZATION.findall(stem.rpartition("/")[2]) or _QUANTIZATION.findall(stem)
    return str(found[-1]).upper() if found else stem


def runnable_models(files: Sequence[HubFile]) -> list[tuple[HubFile, ...]]:
    """What can be run: not projectors, not importance matrices, not sets that lack a shard."""
    return [tuple(found) for (_stem, count), found in _sets(files).items() if len(found) == count]


def _sets(files: Sequence[HubFile]) -> Mapping[tuple[str, int], list[HubFile]]:
    """The files of each model, by its name and how many there should be."""
    sets: dict[tuple[str, int], list[HubFile]] = defaultdict(list)
    for file in sorted(files, key=lambda file: file.path):
        name = file.path.rpartition("/")[2].lower()
        if name.endswith(".gguf") and not is_vision_name(name) and "imatrix" not in name:
            shard = parse_shard_name(file.path)
            sets[(shard.stem, shard.count) if shard else (file.path, 1)].append(file)
    return sets


def _missing_shards(reference: HubReference, files: Sequence[HubFile]) -> tuple[str, ...]:
    """What keeps a model from being offered that a reference means."""
    for (_stem, count), found in _sets(files).items():
        paths = [file.path for file in found]
        is_meant = (
            reference.path in paths
            if reference.path is not None
            else reference.quantization is None or reference.quantization.upper() == label(paths[0]).upper()
        )
        if is_meant and len(found) < count:
            return tuple(name for name in shard_filenames(paths[0]) if name not in paths)
    return ()


def _preference(model: tuple[HubFile, ...]) -> tuple[int, int]:
    """Order of choice where nothing was said: Q4_K_M, then any other four-bit, then the smallest."""
    name = label(model[0].path).removeprefix("UD-")
    rank = 0 if name == DEFAULT_QUANTIZATION else 1 if name.startswith("Q4_") else 2
    return rank, sum(file.size_bytes for file in model)
