"""What can go wrong while a smaller file is made from a larger one, as facts."""

from __future__ import annotations

from model_manager.transfer_errors import ModelManagerError


class UnknownQuantization(ModelManagerError):
    """llama.cpp makes no such type.

    Attributes:
        known: Those that it makes, with commas between them.
    """

    def __init__(self, type_name: str, known: str) -> None:
        super().__init__(f"{type_name!r} is none of {known}")
        self.type_name = type_name
        self.known = known


class NeedsImatrix(ModelManagerError):
    """A type is so coarse that it needs an importance matrix, which is not used here.

    Attributes:
        tensor: The first one that would get it.
    """

    def __init__(self, type_name: str, tensor: str) -> None:
        super().__init__(f"{type_name} of {tensor}")
        self.type_name = type_name
        self.tensor = tensor


class BadTensorPattern(ModelManagerError):
    """A pattern is no regular expression, or no tensor that can be quantized has such a name.

    Attributes:
        reason: What is wrong with it; empty where it matches nothing.
    """

    def __init__(self, pattern: str, reason: str = "") -> None:
        super().__init__(f"{pattern!r}: {reason or 'matches nothing'}")
        self.pattern = pattern
        self.reason = reason


class NoExperts(ModelManagerError):
    """A type for experts was given, and the model has none."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class MixedTypesImpossible(ModelManagerError):
    """Other types for some tensors were given beside one that is no quantization; llama.cpp ignores them."""

    def __init__(self, type_name: str) -> None:
        super().__init__(type_name)
        self.type_name = type_name


class NotSmaller(ModelManagerError):
    """The result would be as large as the original, or larger.

    Attributes:
        size_bytes: Of the original.
        needed_bytes: Of the result.
    """

    def __init__(self, name: str, type_name: str, size_bytes: int, needed_bytes: int) -> None:
        super().__init__(f"{name} as {type_name}: {needed_bytes} bytes of {size_bytes}")
        self.name = name
        self.type_name = type_name
        self.size_bytes = size_bytes
        self.needed_bytes = needed_bytes


class QuantizeFailed(ModelManagerError):
    """llama.cpp could not make the file, or ended with the process.

    Attributes:
        reason: Its own last words.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


class QuantizeCancelled(ModelManagerError):
    """Somebody stopped it; nothing is left of the result."""
