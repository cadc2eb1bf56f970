"""Everything that can go wrong with models, as facts. Sentences for people are made by `ui.text` alone."""

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


class ModelNotFound(ModelManagerError):
    """No entry of the library has this name and no file has this path."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class ModelNameTaken(ModelManagerError):
    """Another file already stands in the library under this name."""

    def __init__(self, name: str, path: Path) -> None:
        super().__init__(f"{name}: {path}")
        self.name = name
        self.path = path


class CannotRemoveStarter(ModelManagerError):
    """The starter entries belong to the program."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


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


class TransferStalled(ModelManagerError):
    """No byte arrived for `timeout_s`, after all retries; what is on disk is kept."""

    def __init__(self, url: str, timeout_s: float) -> None:
        super().__init__(f"{url}: {timeout_s} s")
        self.url = url
        self.timeout_s = timeout_s


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


# --- engine ----------------------------------------------------------------------------------------------


class EngineError(ModelManagerError):
    """Base of what goes wrong while a model is loaded or runs."""


class LoadFailed(EngineError):
    """llama.cpp refused the model.

    Attributes:
        reason: Its own last words.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


class ContextTooLarge(EngineError):
    """A context larger than the model was trained for was asked for."""

    def __init__(self, n_ctx_tokens: int, n_ctx_train_tokens: int) -> None:
        super().__init__(f"{n_ctx_tokens} > {n_ctx_train_tokens}")
        self.n_ctx_tokens = n_ctx_tokens
        self.n_ctx_train_tokens = n_ctx_train_tokens


class EngineDied(EngineError):
    """A worker process ended by itself.

    Attributes:
        exit_code: None when a signal ended it.
        signal: The signal's number, or None.
        last_words: The tail of its error output, at most 8 KiB.
        out_of_memory: The kernel or the allocator said so.
    """

    def __init__(
        self, name: str, exit_code: int | None, signal: int | None, last_words: str, out_of_memory: bool
    ) -> None:
        super().__init__(f"{name}: exit code {exit_code}, signal {signal}: {last_words[-200:]}")
        self.name = name
        self.exit_code = exit_code
        self.signal = signal
        self.last_words = last_words
        self.out_of_memory = out_of_memory


class EngineStalled(EngineError):
    """A worker gave no sign of life for `timeout_s` and was ended."""

    def __init__(self, name: str, timeout_s: float) -> None:
        super().__init__(f"{name}: {timeout_s} s")
        self.name = name
        self.timeout_s = timeout_s


class EngineUnreachable(EngineError):
    """Nothing answers at an engine's address."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"{address}: {reason}")
        self.address = address
        self.reason = reason


class EmptyPrompt(EngineError):
    """There is nothing to answer."""


class PromptTooLong(EngineError):
    """The prompt alone does not leave room for an answer."""

    def __init__(self, prompt_tokens: int, n_ctx_tokens: int) -> None:
        super().__init__(f"{prompt_tokens} >= {n_ctx_tokens}")
        self.prompt_tokens = prompt_tokens
        self.n_ctx_tokens = n_ctx_tokens


class TemplateFailed(EngineError):
    """A chat template is wrong, reached for what it may not have, or exceeded its limits."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ImageRefused(EngineError):
    """An image of a request cannot be used; nothing was computed."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NoVision(EngineError):
    """A request brought images to a model that has no vision tower."""


class GrammarRefused(EngineError):
    """The grammar that an answer shall follow cannot be used; nothing was computed.

    Attributes:
        reason: What is wrong with it, and in which line.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SchemaUnsupported(EngineError):
    """The JSON schema that an answer shall meet cannot be met, or not be enforced; nothing was computed.

    Attributes:
        path: The part that is meant, as a JSON pointer; "" is the whole.
        reason: What is wrong with it.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path or 'the schema'}: {reason}")
        self.path = path
        self.reason = reason


class ConstraintFailed(EngineError):
    """An answer could not go on within its grammar: no token of the vocabulary fits, or too many ways do."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class DecodeFailed(EngineError):
    """llama.cpp could not compute a batch.

    Attributes:
        code: Its return code; 0 where it computed numbers that are not finite.
    """

    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code


class TracingUnavailable(EngineError):
    """Which experts a token goes to cannot be read.

    Attributes:
        reason: What is other than expected in this build or model.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RequestRefused(EngineError):
    """The engine answered with an error that has no type of its own.

    Attributes:
        status: The HTTP status.
        reason: Its message.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status}: {reason}")
        self.status = status
        self.reason = reason
