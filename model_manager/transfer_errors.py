"""What can go wrong with model files, hubs and transfers; imported from `model_manager.errors`."""

from __future__ import annotations

from pathlib import Path


class ModelManagerError(Exception):
    """Base of all errors of this package."""


# --- files -----------------------------------------------------------------------------------------------


class ModelFileError(ModelManagerError):
    """A model file cannot be used.

    Attributes:
        path: The file.
        reason: A technical detail, in English, for logs and for the small print.
    """

    def __init__(self, path: Path | str, reason: str = "") -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class NotGguf(ModelFileError):
    """The file does not begin with the GGUF magic."""


class TruncatedGguf(ModelFileError):
    """The header promises more bytes than the file has."""


class DamagedGguf(ModelFileError):
    """The header contradicts itself or exceeds sane bounds."""


class UnsupportedGguf(ModelFileError):
    """A version or byte order that this program does not read."""


class MissingShard(ModelFileError):
    """A split model lacks one of its files; `path` is the missing one."""


class OnlyVision(ModelFileError):
    """The file is the vision tower of a model; it is used from beside that model's file."""

    def __init__(self, path: Path | str) -> None:
        super().__init__(path, "a vision tower, not a model")


class ModelNotFound(ModelManagerError):
    """No entry of the library has this name and no file has this path."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class ModelIsRemote(ModelManagerError):
    """Another server has it: there is no file to do that with."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class ModelNameTaken(ModelManagerError):
    """Another file already stands in the library under this name, or a server; then `path` is its address."""

    def __init__(self, name: str, path: Path | str) -> None:
        super().__init__(f"{name}: {path}")
        self.name = name
        self.path = path


class CannotRemoveStarter(ModelManagerError):
    """The starter entries belong to the program."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class KeptByStore(ModelManagerError):
    """Another program keeps the files in a way that only it can undo.

    Attributes:
        store: Its key, see `importers.stores`.
        store_name: What the model is called there.
    """

    def __init__(self, name: str, store: str, store_name: str) -> None:
        super().__init__(f"{name}: {store} {store_name}")
        self.name = name
        self.store = store
        self.store_name = store_name


class StoreNotFound(ModelManagerError):
    """There is no such store of models, or it is not on this machine.

    Attributes:
        where: As it was asked for.
        choices: Keys of those that are known.
    """

    def __init__(self, where: str, choices: tuple[str, ...]) -> None:
        super().__init__(where)
        self.where = where
        self.choices = choices


class StarterUnavailable(ModelManagerError):
    """The dense file that the starter is made from is not in the cache; `make setup` puts it there."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.path = path


class HashMismatch(ModelManagerError):
    """A file's bytes are not what its source or the library says they are."""

    def __init__(self, path: Path, expected_sha256: str, actual_sha256: str) -> None:
        super().__init__(f"{path}: expected {expected_sha256}, got {actual_sha256}")
        self.path = path
        self.expected_sha256 = expected_sha256
        self.actual_sha256 = actual_sha256


# --- network ---------------------------------------------------------------------------------------------


class InvalidReference(ModelManagerError):
    """A model reference is not `owner/repo[:QUANT|/file]`, a path or a URL, or matches no or several files.

    Attributes:
        choices: What could have been meant; empty when nothing matches.
    """

    def __init__(self, ref: str, choices: tuple[str, ...] = ()) -> None:
        super().__init__(ref)
        self.ref = ref
        self.choices = choices


class NotOffered(InvalidReference):
    """The repository is there, but does not offer the model that a reference means.

    Attributes:
        choices: What it offers; empty for nothing that can be run.
        missing: Shards that the model would need and the repository lacks; empty where it has none of it.
    """

    def __init__(self, ref: str, choices: tuple[str, ...] = (), missing: tuple[str, ...] = ()) -> None:
        super().__init__(ref, choices)
        self.missing = missing


class Offline(ModelManagerError):
    """The offline switch is on; nothing was sent."""

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self.host = host


class HostRefused(ModelManagerError):
    """An answer led to a host that nobody named and no rule admits; it was not asked."""

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self.host = host


class HubError(ModelManagerError):
    """A hub answered with a failure.

    Attributes:
        status: The HTTP status.
        url: What was asked for, without any query (it may hold a signature).
    """

    def __init__(self, status: int, url: str) -> None:
        super().__init__(f"{status} {url}")
        self.status = status
        self.url = url


class AccessDenied(HubError):
    """401 or 403: a token is missing, wrong, or the licence was not accepted."""


class NotOnHub(HubError):
    """404: no such repository, revision or file."""


class RateLimited(HubError):
    """429 after all retries."""


class HubUnavailable(ModelManagerError):
    """The host cannot be reached or answers 5xx after all retries."""

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(f"{host}: {reason}")
        self.host = host
        self.reason = reason


class NetworkAway(HubUnavailable):
    """This machine has no way to the host at the moment; who waits for it may wait as long as it takes."""


class HostSilent(NetworkAway):
    """The system knows a way to the host, but nothing comes back from there.

    It is down, or something between drops packets; nobody can tell which, so it is waited for, too.
    """


class HubFailing(HubUnavailable):
    """The host can be reached, and answers each time that it cannot serve.

    Attributes:
        status: The HTTP status, 5xx or 408.
    """

    def __init__(self, host: str, status: int) -> None:
        super().__init__(host, f"status {status}")
        self.status = status


class CertificateRefused(HubUnavailable):
    """Nobody that this machine believes has signed the certificate that a host has shown."""


class ProxyFailed(HubUnavailable):
    """The proxy between here and a host cannot be reached, or refuses."""


class ProxyUnusable(ModelManagerError):
    """What the settings or the environment name as proxy is none.

    Attributes:
        proxy: Its address, without secrets.
    """

    def __init__(self, proxy: str) -> None:
        super().__init__(proxy)
        self.proxy = proxy


class BadCertificateFile(ModelManagerError):
    """The file of certificate authorities cannot be used; nothing was sent."""

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class TransferStalled(ModelManagerError):
    """No byte arrived for `timeout_s`, after all retries; what is on disk is kept."""

    def __init__(self, url: str, timeout_s: float) -> None:
        super().__init__(f"{url}: {timeout_s} s")
        self.url = url
        self.timeout_s = timeout_s


class NoSuchDownload(ModelManagerError):
    """No download has this id."""

    def __init__(self, download_id: int) -> None:
        super().__init__(str(download_id))
        self.download_id = download_id


class TransferCancelled(ModelManagerError):
    """The caller asked to stop; what is on disk is kept."""


class RemoteFileChanged(ModelManagerError):
    """The file on the server is no longer the one that this download began with."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url


class SizeMismatch(ModelManagerError):
    """A server sent more or fewer bytes than it had promised, again after all retries."""

    def __init__(self, url: str, expected_bytes: int, received_bytes: int) -> None:
        super().__init__(f"{url}: expected {expected_bytes}, got {received_bytes}")
        self.url = url
        self.expected_bytes = expected_bytes
        self.received_bytes = received_bytes


class UnsafeFilename(ModelManagerError):
    """A name from outside would leave its folder or is reserved on some system."""

    def __init__(self, filename: str) -> None:
        super().__init__(filename)
        self.filename = filename


class NotEnoughDisk(ModelManagerError):
    """Free space is below what is still missing plus a reserve; nothing was written."""

    def __init__(self, needed_bytes: int, free_bytes: int, path: Path) -> None:
        super().__init__(f"{path}: needs {needed_bytes}, has {free_bytes}")
        self.needed_bytes = needed_bytes
        self.free_bytes = free_bytes
        self.path = path


class CannotWrite(ModelManagerError):
    """The system refused to write (read-only, permissions, or the disk filled in the middle)."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class DiskFull(CannotWrite):
    """The disk filled in the middle; what is on it is kept."""


class FileInUse(CannotWrite):
    """Another program, or another download, is writing this very file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "another program is writing this file")


class CannotListen(ModelManagerError):
    """The gateway cannot have the address that it was to serve.

    Attributes:
        reason: The system's own message.
    """

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"{host}:{port}: {reason}")
        self.host = host
        self.port = port
        self.reason = reason
