"""A hub on this machine that speaks the real one's API and ModelScope's, and misbehaves on demand.

It has two ports, as the real one has two kinds of hosts: the hub answers the API and hands out signed,
expiring addresses of the storage server ("CDN"), which has the bytes of large files.

    python -m tests.helpers.hub_server FOLDER     serves FOLDER/<owner>/<repo>/<file...> and a demonstration
                                                  model, prints its address, runs until its input ends
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import secrets
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import parse_qs, quote, unquote, urlsplit

import numpy as np

from tests.helpers import modelscope_api

DEMO_REPO = "coterie-tests/Demo-MoE-GGUF"
DEMO_FILE = "Demo-MoE-Q4_K_M.gguf"
DEMO_BYTES = 24 << 20
PIECE_BYTES = 4 << 10

Where = Literal["api", "resolve", "body"]

_ORDERS: dict[str, Callable[[Repo], Any]] = {
    "downloads": lambda repo: repo.downloads,
    "likes": lambda repo: repo.likes,
    "trendingScore": lambda repo: repo.trending,
    "lastModified": lambda repo: repo.modified_at,
}


@dataclass(slots=True)
class Fault:
    """One way to misbehave, for the next `times` requests of a kind; -1 for all that follow.

    Attributes:
        where: "api" (metadata), "resolve" (the hub's answer about a file), "body" (who sends the bytes).
        status: Answer with this status and nothing else.
        cut_after: Send so many bytes of the body, then close the connection.
        stall_after: Send so many bytes of the body, then nothing until the server is closed.
        is_range_ignored: Send the whole file with 200.
        etag: Name the file so instead.
        linked_etag: The hub claims this hash.
        length_delta: Content-Length says so many bytes more than are sent.
        is_chunked: Say no length; with `length_delta`, send so many bytes too many.
        range_delta: Content-Range, and the body, begin so many bytes later than asked.
        total_delta: Content-Range claims a file that is so many bytes longer.
        is_corrupt: One byte of the body is wrong.
        answer: Say this JSON text with 200, and nothing else.
        asks: Only for requests of a part with an end ("part": `bytes=5-9`), or of all others ("rest").
        encoding: The body claims to be so encoded.
        is_nameless: No ETag.
    """

    where: Where
    times: int = 1
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    stall_after: int | None = None
    is_range_ignored: bool = False
    etag: str | None = None
    linked_etag: str | None = None
    length_delta: int = 0
    is_chunked: bool = False
    range_delta: int = 0
    total_delta: int = 0
    is_corrupt: bool = False
    answer: str | None = None
    asks: Literal["part", "rest"] | None = None
    encoding: str | None = None
    is_nameless: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as the server saw it."""

    server: Literal["hub", "cdn"]
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]


@dataclass(slots=True)
class HubFileContent:
    path: str
    content: bytes
    is_lfs: bool
    sha256: str = field(init=False)
    git_oid: str = field(init=False)

    def __post_init__(self) -> None:
        self.sha256 = hashlib.sha256(self.content).hexdigest()
        self.git_oid = hashlib.sha1(b"blob %d\0" % len(self.content) + self.content).hexdigest()


@dataclass(slots=True)
class Repo:
    repo_id: str
    files: dict[str, HubFileContent] = field(default_factory=dict)
    gated_token: str | None = None
    downloads: int = 1234
    likes: int = 5
    trending: int = 1
    modified_at: str = "2026-02-03T04:05:06.000Z"
    license: str = "apache-2.0"
    tags: tuple[str, ...] = ()
    gguf: dict[str, Any] | None = None

    @property
    def commit(self) -> str:
        names = "".join(f"{file.path}{file.sha256}" for file in self.files.values())
        return hashlib.sha1(names.encode()).hexdigest()


class HubServer:
    """Use as a context manager.

    Attributes:
        endpoint: The hub's address.
        cdn_endpoint: The storage server's, as the hub hands it out.
        places: Where both really are, `host:port`.
        requests: All that was asked, in order.
        sent_bytes: Of file bodies, by both ports.
        rate_bytes_per_s: Slows each body down; None sends at full speed.
        most_bodies: So many were on their way at once, at most.
        page_size: Entries a page of the file tree and of the search.
        attachments: Behind addresses without a name, `/attachments/<index>`; the path of each is what the
            `Content-Disposition` says.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        """Listen.

        Args:
            tls: Speak TLS by this. Then give `endpoint` and `cdn_endpoint` names that its certificate is for.
        """
        self.repos: dict[str, Repo] = {}
        self.requests: list[Seen] = []
        self.sent_bytes = 0
        self.rate_bytes_per_s: float | None = None
        self.page_size = 1000
        self.attachments: list[HubFileContent] = []
        self.most_bodies = 0
        self._n_bodies = 0
        self.closing = threading.Event()
        self._signatures: set[str] = set()
        self._faults: list[Fault] = []
        self._changed = threading.Condition()
        self._hub = _Server(self, "hub", tls)
        self._cdn = _Server(self, "cdn", tls)
        self.endpoint = f"http://127.0.0.1:{self._hub.server_port}"
        self.cdn_endpoint = f"http://127.0.0.1:{self._cdn.server_port}"
        self.places = {
            "hub": f"127.0.0.1:{self._hub.server_port}",
            "cdn": f"127.0.0.1:{self._cdn.server_port}",
        }

    def __enter__(self) -> Self:
        for server in (self._hub, self._cdn):
            server.thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.closing.set()
        for server in (self._hub, self._cdn):
            server.shutdown()
            server.drop_connections()
            server.server_close()
            server.thread.join()

    def add(self, repo_id: str, path: str, content: bytes, *, is_lfs: bool | None = None) -> HubFileContent:
        """Put a file into a repository; large and .gguf files are LFS files unless said otherwise."""
        repo = self.repos.setdefault(repo_id, Repo(repo_id))
        is_large = len(content) > 10 << 20 or path.endswith(".gguf")
        file = HubFileContent(path, content, is_large if is_lfs is None else is_lfs)
        repo.files[path] = file
        return file

    def attach(self, disposition: str, content: bytes) -> str:
        """Put a file behind an address that does not name it; the address."""
        self.attachments.append(HubFileContent(disposition, content, is_lfs=False))
        return f"{self.endpoint}/attachments/{len(self.attachments) - 1}"

    def add_demo(self) -> HubFileContent:
        """A valid GGUF of 24 MB whose tensor is pseudo-random bytes, the same in every run."""
        return self.add(DEMO_REPO, DEMO_FILE, random_gguf(DEMO_BYTES))

    def misbehave(self, where: Where, **fault: Any) -> None:
        with self._changed:
            self._faults.append(Fault(where, **fault))

    def behave(self) -> None:
        with self._changed:
            self._faults.clear()

    def expire_links(self) -> None:
        """Make all storage addresses handed out so far invalid."""
        with self._changed:
            self._signatures.clear()

    def wait_until(self, condition: Callable[[HubServer], bool], timeout_s: float = 60.0) -> bool:
        """Wait until something that the server counts is so."""
        with self._changed:
            return self._changed.wait_for(lambda: condition(self), timeout_s)

    # --- for the request handlers ---------------------------------------------------------------------------

    def take_fault(self, where: Where, *, refuses: bool | None = None, asked: str = "") -> Fault | None:
        """The next fault for a request; `refuses` picks those with, or those without, a status.

        `asked` is the range that was asked for.
        """
        asks = "part" if re.fullmatch(r"bytes=\d+-\d+", asked) else "rest"
        with self._changed:
            for fault in self._faults:
                is_refusal = fault.status is not None or fault.answer is not None
                is_meant = fault.asks in (None, asks) and refuses in (None, is_refusal)
                if fault.where == where and is_meant:
                    fault.times -= 1
                    if fault.times == 0:
                        self._faults.remove(fault)
                    return fault
        return None

    def note(self, seen: Seen) -> None:
        with self._changed:
            self.requests.append(seen)
            self._changed.notify_all()

    def count(self, n_bytes: int) -> None:
        with self._changed:
            self.sent_bytes += n_bytes
            self._changed.notify_all()

    @contextmanager
    def sending(self) -> Iterator[None]:
        """While a body is on its way."""
        with self._changed:
            self._n_bodies += 1
            self.most_bodies = max(self.most_bodies, self._n_bodies)
        try:
            yield
        finally:
            with self._changed:
                self._n_bodies -= 1
                self._changed.notify_all()

    def sign(self) -> str:
        signature = secrets.token_hex(8)
        with self._changed:
            self._signatures.add(signature)
        return signature

    def is_signed(self, signature: str) -> bool:
        with self._changed:
            return signature in self._signatures

    def find(self, sha256: str) -> HubFileContent | None:
        files = (file for repo in self.repos.values() for file in repo.files.values())
        return next((file for file in files if file.sha256 == sha256), None)


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 64

    def __init__(self, hub: HubServer, kind: Literal["hub", "cdn"], tls: ssl.SSLContext | None) -> None:
        self.hub = hub
        self.kind = kind
        self.connections: set[socket.socket] = set()
        handler = _HubHandler if kind == "hub" else _CdnHandler
        super().__init__(("127.0.0.1", 0), handler)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.thread = threading.Thread(target=self.serve_forever, args=(0.05,), name=f"{kind} server")

    def drop_connections(self) -> None:
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what these tests are about."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """What both ports have in common."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 << 10)
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        super().finish()

    def log_message(self, *_args: Any) -> None:
        pass

    @property
    def hub(self) -> HubServer:
        return self.server.hub

    def do_GET(self) -> None:
        self._handle()

    def do_HEAD(self) -> None:
        self._handle()

    def _handle(self) -> None:
        url = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.hub.note(Seen(self.server.kind, self.command, unquote(url.path), parse_qs(url.query), headers))
        self.answer(unquote(url.path), parse_qs(url.query))

    def answer(self, path: str, query: dict[str, list[str]]) -> None:
        raise NotImplementedError

    def reply(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def reply_json(self, value: Any, headers: dict[str, str] | None = None, status: int = 200) -> None:
        content = json.dumps(value).encode()
        self.reply(status, {"Content-Type": "application/json"} | (headers or {}), content)

    def refuse(self, status: int, code: str, message: str) -> None:
        headers = {"X-Error-Code": code, "X-Error-Message": message, "Content-Type": "application/json"}
        self.reply(status, headers, json.dumps({"error": message}).encode())

    def is_faulty(self, fault: Fault | None) -> bool:
        """Whether a fault replaces the whole answer."""
        if fault is not None and fault.answer is not None:
            self.reply(200, fault.headers | {"Content-Type": "application/json"}, fault.answer.encode())
            return True
        if fault is None or fault.status is None:
            return False
        self.reply(fault.status, fault.headers, b'{"error": "on demand"}')
        return True

    def send_file(self, file: HubFileContent, etag: str, extra: dict[str, str]) -> None:
        """The bytes, as asked for, or as the next fault wants it."""
        asked = self.headers.get("Range", "")
        fault = self.hub.take_fault("body", asked=asked) or Fault("body")
        if self.is_faulty(fault):
            return
        etag = f'"{fault.etag or etag}"'
        total = len(file.content)
        start, last = self._asked_range(etag)
        if fault.is_range_ignored:
            start = last = None
        if start is not None and start >= total:
            self.reply(416, {"Content-Range": f"bytes */{total}"})
            return
        first = (start or 0) + fault.range_delta
        end = total - 1 if last is None else min(last, total - 1)
        body = bytearray(file.content[first : end + 1])
        if fault.is_corrupt:
            body[len(body) // 2] ^= 0xFF
        if fault.is_chunked:
            body += b"\0" * fault.length_delta
        self.send_response(200 if start is None else 206)
        if fault.is_chunked:
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(len(body) + fault.length_delta))
        if start is not None:
            claimed = total + fault.total_delta
            self.send_header("Content-Range", f"bytes {first}-{end}/{claimed}")
        names = {} if fault.is_nameless else {"ETag": etag}
        if fault.encoding is not None:
            names["Content-Encoding"] = fault.encoding
        for name, value in (names | {"Accept-Ranges": "bytes"} | extra).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            with self.hub.sending():
                self._send_body(bytes(body), fault)
            if fault.length_delta or fault.is_chunked:
                self.close_connection = True

    def _asked_range(self, etag: str) -> tuple[int | None, int | None]:
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range")
        if match is None or (condition is not None and condition != etag):
            return None, None
        return int(match[1]), int(match[2]) if match[2] else None

    def _send_body(self, body: bytes, fault: Fault) -> None:
        stop = next((n for n in (fault.cut_after, fault.stall_after) if n is not None), len(body))
        view = memoryview(body)[:stop]
        began_at, sent = time.monotonic(), 0
        rate = self.hub.rate_bytes_per_s
        while sent < len(view):
            if rate is not None:
                self.hub.closing.wait(max(0.0, began_at + sent / rate - time.monotonic()))
            piece_bytes = 1 << 20 if rate is None else max(PIECE_BYTES, int(rate / 500))
            n_bytes = self.connection.send(view[sent : sent + piece_bytes])
            sent += n_bytes
            self.hub.count(n_bytes)
        if fault.stall_after is not None:
            self.hub.closing.wait()
        if fault.cut_after is not None or fault.stall_after is not None:
            self.close_connection = True


class _CdnHandler(Handler):
    """The storage server: knows only hashes and signatures."""

    def answer(self, path: str, query: dict[str, list[str]]) -> None:
        file = self.hub.find(path.removeprefix("/lfs/"))
        if file is None or not self.hub.is_signed(query.get("Signature", [""])[0]):
            self.reply(403, {}, b"<Error>expired</Error>")
            return
        self.send_file(file, hashlib.md5(file.content).hexdigest(), {})


class _HubHandler(Handler):
    """The API and the resolve addresses."""

    def answer(self, path: str, query: dict[str, list[str]]) -> None:
        if path == "/api/models":
            self._search(query)
        elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", path):
            self._info(match[1], match[2] or "main", query)
        elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/([^/]+)(?:/(.*))?", path):
            self._tree(match[1], match[2], match[3] or "", query)
        elif match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._resolve(match[1], match[2], match[3])
        elif modelscope_api.answer(self, path, query):
            return
        elif match := re.fullmatch(r"/direct/([^/]+/[^/]+)/(.+)", path):
            repo = self.hub.repos[match[1]]
            self.send_file(repo.files[match[2]], repo.files[match[2]].git_oid, {})
        elif match := re.fullmatch(r"/attachments/([0-9]+)", path):
            file = self.hub.attachments[int(match[1])]
            named = {"Content-Disposition": file.path} if file.path else {}
            self.send_file(file, file.git_oid, named)
        else:
            self.refuse(404, "", "no such page")

    def _repo(self, repo_id: str, revision: str, where: Where) -> Repo | None:
        """The repository, or None after an answer that says why not."""
        if self.is_faulty(self.hub.take_fault(where, refuses=True)):
            return None
        repo = self.hub.repos.get(repo_id)
        if repo is None:
            # The real hub does not tell strangers what exists.
            self.refuse(401, "RepoNotFound", "Repository not found")
        elif revision not in ("main", repo.commit):
            self.refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        elif repo.gated_token and self.headers.get("Authorization") != f"Bearer {repo.gated_token}":
            status = 403 if "Authorization" in self.headers else 401
            self.refuse(status, "GatedRepo", "Access to this model is restricted")
        else:
            return repo
        return None

    def _info(self, repo_id: str, revision: str, query: dict[str, list[str]]) -> None:
        repo = self._repo(repo_id, revision, "api")
        if repo is None:
            return
        siblings: list[dict[str, Any]] = []
        for file in repo.files.values():
            sibling: dict[str, Any] = {"rfilename": file.path}
            if query.get("blobs", ["false"])[0].lower() == "true":
                sibling |= {"size": len(file.content), "blobId": file.git_oid}
                if file.is_lfs:
                    sibling["lfs"] = {"sha256": file.sha256, "size": len(file.content), "pointerSize": 135}
            siblings.append(sibling)
        gated = "manual" if repo.gated_token else False
        self.reply_json(_summary(repo) | {"sha": repo.commit, "gated": gated, "siblings": siblings})

    def _tree(self, repo_id: str, revision: str, folder: str, query: dict[str, list[str]]) -> None:
        repo = self._repo(repo_id, revision, "api")
        if repo is None:
            return
        entries: list[dict[str, Any]] = []
        for file in repo.files.values():
            if folder and not file.path.startswith(f"{folder}/"):
                continue
            entry = {"type": "file", "oid": file.git_oid, "size": len(file.content), "path": file.path}
            if file.is_lfs:
                entry["lfs"] = {"oid": file.sha256, "size": len(file.content), "pointerSize": 135}
            entries.append(entry)
        self._reply_page(entries, query)

    def _search(self, query: dict[str, list[str]]) -> None:
        if self.is_faulty(self.hub.take_fault("api")):
            return
        words = query.get("search", [""])[0].lower().split()
        author = query.get("author", [""])[0].lower()
        wanted = set(query.get("filter", []))
        found = [
            repo
            for repo in self.hub.repos.values()
            if all(word in repo.repo_id.lower() for word in words)
            and author in ("", repo.repo_id.partition("/")[0].lower())
            and wanted <= set(_tags(repo))
        ]
        order = _ORDERS.get(query.get("sort", [""])[0])
        if order is not None:
            found.sort(key=order, reverse=True)
        expand = query.get("expand", [])
        self._reply_page([_summary(repo, expand) for repo in found], query)

    def _reply_page(self, entries: list[dict[str, Any]], query: dict[str, list[str]]) -> None:
        first = int(query.get("cursor", ["0"])[0])
        limit = min(self.hub.page_size, int(query.get("limit", ["1000"])[0]))
        headers = {}
        if first + limit < len(entries):
            rest = query | {"cursor": [str(first + limit)]}
            text = "&".join(f"{key}={quote(value)}" for key, values in rest.items() for value in values)
            headers["Link"] = f'<{self.hub.endpoint}{urlsplit(self.path).path}?{text}>; rel="next"'
        self.reply_json(entries[first : first + limit], headers)

    def _resolve(self, repo_id: str, revision: str, path: str) -> None:
        repo = self._repo(repo_id, revision, "resolve")
        if repo is None:
            return
        file = repo.files.get(path)
        if file is None:
            self.refuse(404, "EntryNotFound", "Entry not found")
            return
        commit = {"X-Repo-Commit": repo.commit}
        if not file.is_lfs:
            self.send_file(file, file.git_oid, commit)
            return
        fault = self.hub.take_fault("resolve", refuses=False) or Fault("resolve")
        headers = commit | {
            "X-Linked-ETag": f'"{fault.linked_etag or file.sha256}"',
            "X-Linked-Size": str(len(file.content)),
            "ETag": f'"{file.git_oid}"',
            "Location": f"{self.hub.cdn_endpoint}/lfs/{file.sha256}?Expires=0&Signature={self.hub.sign()}",
        }
        self.reply(302, headers)


def _tags(repo: Repo) -> list[str]:
    """A hub that has seen a .gguf file in a repository tags it so by itself."""
    has_gguf = any(path.endswith(".gguf") for path in repo.files)
    return [*(["gguf"] if has_gguf else []), f"license:{repo.license}", *repo.tags]


def _summary(repo: Repo, expand: Sequence[str] = ()) -> dict[str, Any]:
    """What the hub says of a repository; with `expand`, only that and what is always said."""
    always = {
        "_id": hashlib.md5(repo.repo_id.encode()).hexdigest()[:24],
        "id": repo.repo_id,
        "modelId": repo.repo_id,
    }
    more = {
        "author": repo.repo_id.partition("/")[0],
        "private": False,
        "downloads": repo.downloads,
        "likes": repo.likes,
        "trendingScore": repo.trending,
        "gated": "manual" if repo.gated_token else False,
        "tags": _tags(repo),
        "createdAt": "2026-01-02T03:04:05.000Z",
        "lastModified": repo.modified_at,
        "cardData": {"license": repo.license},
    }
    if repo.gguf is not None:
        more["gguf"] = repo.gguf
    return always | {key: value for key, value in more.items() if not expand or key in expand}


def random_bytes(n_bytes: int, seed: int = 1) -> bytes:
    """The same bytes in every run."""
    return random.Random(seed).randbytes(n_bytes)


def random_gguf(n_bytes: int, seed: int = 1) -> bytes:
    """A GGUF with one tensor of pseudo-random bytes: right in form, no model that could run."""

    def text(value: str) -> bytes:
        return np.uint64(len(value)).tobytes() + value.encode()

    def entry(key: str, kind: int, value: bytes) -> bytes:
        return text(key) + np.uint32(kind).tobytes() + value

    numbers = {
        "block_count": 1,
        "context_length": 512,
        "embedding_length": 64,
        "expert_count": 8,
        "expert_used_count": 2,
    }
    entries = [entry("general.architecture", 8, text("qwen3moe")), entry("general.name", 8, text("Demo MoE"))]
    entries += [entry(f"qwen3moe.{key}", 4, np.uint32(value).tobytes()) for key, value in numbers.items()]
    head = b"GGUF" + np.uint32(3).tobytes() + np.uint64([1, len(entries)]).tobytes() + b"".join(entries)
    tensor = text("token_embd.weight") + np.uint32(1).tobytes() + np.uint64(n_bytes).tobytes()
    head += tensor + np.uint32(24).tobytes() + np.uint64(0).tobytes()  # 24 is I8
    return head + b"\0" * (-len(head) % 32) + random_bytes(n_bytes, seed)


def main(folder: Path) -> None:
    with HubServer() as server:
        server.add_demo()
        for path in sorted(folder.glob("*/*/**/*")):
            if path.is_file():
                owner, repo, *rest = path.relative_to(folder).parts
                server.add(f"{owner}/{repo}", "/".join(rest), path.read_bytes())
        sys.stdout.write(f"{server.endpoint}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
