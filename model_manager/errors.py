"""Everything that can go wrong with models, as facts. Sentences for people are made by `ui.text` alone."""

from __future__ import annotations

from pathlib import Path

from model_manager.quantize_errors import (
    BadTensorPattern as BadTensorPattern,
    MixedTypesImpossible as MixedTypesImpossible,
    NeedsImatrix as NeedsImatrix,
    NoExperts as NoExperts,
    NotSmaller as NotSmaller,
    QuantizeCancelled as QuantizeCancelled,
    QuantizeFailed as QuantizeFailed,
    UnknownQuantization as UnknownQuantization,
)
from model_manager.transfer_errors import (
    AccessDenied as AccessDenied,
    BadCertificateFile as BadCertificateFile,
    CannotListen as CannotListen,
    CannotRemoveStarter as CannotRemoveStarter,
    CannotWrite as CannotWrite,
    CertificateRefused as CertificateRefused,
    DamagedGguf as DamagedGguf,
    DiskFull as DiskFull,
    FileInUse as FileInUse,
    HashMismatch as HashMismatch,
    HostRefused as HostRefused,
    HostSilent as HostSilent,
    HubError as HubError,
    HubFailing as HubFailing,
    HubUnavailable as HubUnavailable,
    InvalidReference as InvalidReference,
    KeptByStore as KeptByStore,
    MissingShard as MissingShard,
    ModelFileError as ModelFileError,
    ModelIsRemote as ModelIsRemote,
    ModelManagerError as ModelManagerError,
    ModelNameTaken as ModelNameTaken,
    ModelNotFound as ModelNotFound,
    NetworkAway as NetworkAway,
    NoSuchDownload as NoSuchDownload,
    NotEnoughDisk as NotEnoughDisk,
    NotGguf as NotGguf,
    NotOffered as NotOffered,
    NotOnHub as NotOnHub,
    Offline as Offline,
    OnlyVision as OnlyVision,
    ProxyFailed as ProxyFailed,
    ProxyUnusable as ProxyUnusable,
    RateLimited as RateLimited,
    RemoteFileChanged as RemoteFileChanged,
    SizeMismatch as SizeMismatch,
    StarterUnavailable as StarterUnavailable,
    StoreNotFound as StoreNotFound,
    TransferCancelled as TransferCancelled,
    TransferStalled as TransferStalled,
    TruncatedGguf as TruncatedGguf,
    UnsafeFilename as UnsafeFilename,
    UnsupportedGguf as UnsupportedGguf,
)


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


class BadOverride(EngineError):
    """A placement pattern is no regular expression, or no tensor of the model has such a name.

    Attributes:
        reason: What is wrong with it; empty where it matches nothing.
    """

    def __init__(self, pattern: str, reason: str = "") -> None:
        super().__init__(f"{pattern!r}: {reason or 'matches no tensor'}")
        self.pattern = pattern
        self.reason = reason


class UnknownDevice(EngineError):
    """A placement names a device that is not there.

    Attributes:
        known: Names of those that are, with commas between them.
    """

    def __init__(self, device: str, known: str) -> None:
        super().__init__(f"{device!r} is none of {known}")
        self.device = device
        self.known = known


class BadExpertCount(EngineError):
    """More active experts were asked for than the model has, or any of a model without experts."""

    def __init__(self, n_experts_used: int, n_experts: int) -> None:
        super().__init__(f"{n_experts_used} of {n_experts}")
        self.n_experts_used = n_experts_used
        self.n_experts = n_experts


class AdapterRefused(EngineError):
    """A file is no LoRA adapter, or is damaged."""

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = str(path)
        self.reason = reason


class AdapterMismatch(EngineError):
    """An adapter was made for another model."""

    def __init__(self, path: Path | str, name: str, reason: str) -> None:
        super().__init__(f"{path} for {name}: {reason}")
        self.path = str(path)
        self.name = name
        self.reason = reason


class RpcUnreachable(EngineError):
    """Nothing of llama.cpp answers at the address of an RPC device."""

    def __init__(self, endpoint: str, reason: str) -> None:
        super().__init__(f"{endpoint}: {reason}")
        self.endpoint = endpoint
        self.reason = reason


class NotEnoughMemory(EngineError):
    """A model with its context does not fit; nothing was loaded.

    Attributes:
        device: Whose memory is too small; "CPU" is the main memory.
        fits_ctx_tokens: The longest context that would fit; 0 where not even a short one does.
    """

    def __init__(
        self, name: str, device: str, needed_bytes: int, available_bytes: int, fits_ctx_tokens: int
    ) -> None:
        super().__init__(f"{name} needs {needed_bytes} of {device}, {available_bytes} are free")
        self.name = name
        self.device = device
        self.needed_bytes = needed_bytes
        self.available_bytes = available_bytes
        self.fits_ctx_tokens = fits_ctx_tokens


class ProbeFailed(EngineError):
    """A model file brought down, or held up, the process that looked at it first; nothing was loaded.

    Attributes:
        ending: "crashed", "hung" or "memory".
        last_words: The tail of what it wrote.
    """

    def __init__(self, name: str, ending: str, last_words: str) -> None:
        super().__init__(f"{name} {ending}: {last_words[-200:]}")
        self.name = name
        self.ending = ending
        self.last_words = last_words


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


class EngineBrokeOff(EngineUnreachable):
    """An engine was answering, and nothing more of the answer comes."""


class AnswerUnreadable(EngineError):
    """What an engine sent is no answer in the schema that it is asked in.

    Attributes:
        reason: What is wrong with it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
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


class ToolsUnsupported(EngineError):
    """There are tools in a request, and the model's template has no words for them."""


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


class DraftMismatch(EngineError):
    """A smaller model cannot guess for this one.

    Attributes:
        name: The model that answers.
        draft: The model that was to guess.
        reason: In what they differ.
    """

    def __init__(self, name: str, draft: str, reason: str) -> None:
        super().__init__(f"{draft} for {name}: {reason}")
        self.name = name
        self.draft = draft
        self.reason = reason


class NoGuessingLayers(EngineError):
    """A model was to guess ahead by layers of its own, and its file has none."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


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
