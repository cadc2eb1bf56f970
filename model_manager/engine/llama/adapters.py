"""The LoRA adapters of a loaded model: read once, in force or not, each with its scale."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llama_cpp import llama_cpp as native

from model_manager.engine.llama.library import native_log
from model_manager.errors import AdapterRefused
from model_manager.types import Adapter


class Adapters:
    """What a model's contexts compute with besides its weights.

    `use` belongs to a moment in which nothing is computed; the contexts take the change over by themselves
    before their next call.

    Attributes:
        current: Those in force; replaced whole, so that comparing by identity tells a change.
    """

    def __init__(self, model_handle: int) -> None:
        self._model = model_handle
        self._loaded: dict[Path, Any] = {}
        self.current: tuple[Adapter, ...] = ()

    def use(self, adapters: Sequence[Adapter]) -> None:
        """Put these in force and no others; those that are read already are not read again.

        Raises:
            AdapterRefused: llama.cpp cannot read one. What was in force stays so.
        """
        for adapter in adapters:
            if adapter.path not in self._loaded:
                self._loaded[adapter.path] = self._load(adapter.path)
        self.current = tuple(adapters)

    def free_unused(self) -> None:
        """Give back the memory of those not in force; only when no context still computes with them."""
        wanted = {adapter.path for adapter in self.current}
        for path in [path for path in self._loaded if path not in wanted]:
            native.llama_adapter_lora_free(self._loaded.pop(path))

    def apply(self, context_handle: int) -> None:
        """Have a context compute with what is in force."""
        n = len(self.current)
        handles = (native.llama_adapter_lora_p_ctypes * n)()
        for index, adapter in enumerate(self.current):
            handles[index] = self._loaded[adapter.path]
        scales = (ctypes.c_float * n)(*(adapter.scale for adapter in self.current))
        native.llama_set_adapters_lora(context_handle, handles, n, scales)

    def _load(self, path: Path) -> Any:
        native_log.forget()
        handle = native.llama_adapter_lora_init(self._model, str(path).encode())
        if not handle:
            raise AdapterRefused(path, native_log.last_words() or "llama.cpp gave no reason")
        return handle  # a pointer object of ctypes
