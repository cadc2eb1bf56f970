"""The weights of a model, loaded once, and what its file says of it."""

from __future__ import annotations

import concurrent.futures
import ctypes
import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence

import psutil
from llama_cpp import llama_cpp as native

from model_manager.adapter_files import check_adapters
from model_manager.engine import memory
from model_manager.engine.llama import hardware, library
from model_manager.engine.llama.adapters import Adapters
from model_manager.engine.llama.context import ContextPlan, LlamaContext
from model_manager.engine.llama.library import native_log
from model_manager.engine.llama.placement import model_params
from model_manager.engine.llama.tracing import Tracer
from model_manager.engine.llama.vocabulary import Vocabulary
from model_manager.engine.memory import LoadReport
from model_manager.engine.room import free_main_memory_bytes
from model_manager.engine.threads import initial_threads
from model_manager.engine.weights import weights_by_device
from model_manager.errors import (
    ContextTooLarge,
    LoadFailed,
    ModelFileError,
    NotEnoughMemory,
    TracingUnavailable,
)
from model_manager.kv_cache import ContextSize, cache_bytes
from model_manager.shards import GgufModel, read_model
from model_manager.tensor_patterns import MAIN_MEMORY, overrides_of
from model_manager.types import ALL_LAYERS, Adapter, DeviceMemory, EngineInfo, LoadPlan, Placement

log = logging.getLogger(__name__)

DEFAULT_CTX_TOKENS = 8192
_ROLLBACK_TOKENS = 4
"""Most guesses of one call where each costs a copy of a recurrent state, of every sequence."""


class LlamaModel:
    """Loaded weights; any number of contexts compute with them.

    Attributes:
        handle: The native model; 0 once it is closed.
        plan: How it was loaded.
        chat_template: The plan's override or the file's own; None where neither has one.
        n_ctx_train_tokens: Longest context it was trained for.
        placement: Where it lies; complete when `load` is done.
        adapters: LoRA adapters that its contexts compute with.
    """

    def __init__(self, plan: LoadPlan, handle: int) -> None:
        self.handle = handle
        self.plan = plan
        self.name = plan.name or plan.model_path.stem
        self.vocabulary = Vocabulary(handle)
        self.metadata: Mapping[str, str] = self._read_metadata()
        self.n_ctx_train_tokens: int = native.llama_model_n_ctx_train(handle)
        self.n_layers: int = native.llama_model_n_layer(handle)
        self.weights_bytes: int = native.llama_model_size(handle)
        own_template = native.llama_model_chat_template(handle, None)
        self.chat_template = plan.chat_template or (
            own_template.decode("utf-8", "replace") if own_template else None
        )
        self.placement: Placement | None = None
        self.adapters = Adapters(handle)
        self._contexts: list[LlamaContext] = []

    @classmethod
    def load(
        cls, plan: LoadPlan, on_progress: Callable[[int], None], *, no_alloc: bool = False
    ) -> LlamaModel:
        """Load a model file.

        Args:
            plan: What to load and how.
            on_progress: Told permille of the file's tensors, on this thread; may raise to give up, and what
                it raised comes out of here.
            no_alloc: Leave the weights out: nothing can be computed, but llama.cpp tells what it would take.

        Raises:
            LoadFailed: llama.cpp refused.
            BadOverride, UnknownDevice, BadExpertCount, RpcUnreachable: The plan's placement is not possible.
        """
        library.start()
        native_log.forget()
        return cls(plan, _load(plan, plan.name or plan.model_path.stem, on_progress, no_alloc))

    def close(self) -> None:
        """Free the contexts and the weights; safe to call twice, when nothing decodes any more."""
        for context in list(self._contexts):
            context.close()
        if self.handle:
            native.llama_model_free(self.handle)
            self.handle = 0

    def number(self, key: str) -> int:
        """A count of this architecture's metadata, such as "expert_count"; 0 where it is not given."""
        text = self.metadata.get(f"{self.architecture}.{key}", "0")
        return int(text) if text.isdecimal() else 0

    @property
    def architecture(self) -> str:
        """llama.cpp's name of it."""
        return self.metadata.get("general.architecture", "")

    def new_context(self, plan: ContextPlan) -> LlamaContext:
        """Another context; it is closed with the model at the latest.

        Raises:
            LoadFailed: There is no room for it.
        """
        context = LlamaContext(self, plan)
        self._contexts.append(context)
        return context

    def require_room(self, plan: ContextPlan) -> None:
        """See that another context fits into main memory, if that is all there is.

        Its computing is taken to be that of the answers' context, by its rows, and the logits once more.

        What does not would end this process; a device refuses by itself.

        Raises:
            NotEnoughMemory: It does not fit.
            LoadFailed: The file's header cannot be read any more.
        """
        if self.placement is not None and self.placement.n_layers_offloaded:
            return  # keys and values lie where the layers do
        size = ContextSize(
            plan.n_ctx_tokens,
            plan.n_parallel,
            plan.n_ubatch_tokens or plan.n_batch_tokens,
            plan.cache_type_k,
            plan.cache_type_v,
        )
        kept = cache_bytes(_headers(self.plan).header, size)
        outputs_bytes = 4 * self.vocabulary.n_tokens * plan.n_outputs_max
        needed_bytes = kept.kv_bytes + kept.state_bytes + 2 * outputs_bytes
        if self.placement is not None:
            rows = self.plan.n_ubatch_tokens or self.plan.n_batch_tokens
            needed_bytes += self.placement.memory[0].compute_bytes * size.n_ubatch_tokens // rows
        free_bytes = free_main_memory_bytes()
        if needed_bytes > free_bytes:
            raise NotEnoughMemory(self.name, "CPU", needed_bytes, free_bytes, 0)

    def forget(self, context: LlamaContext) -> None:
        """A context of this model is closed."""
        if context in self._contexts:
            self._contexts.remove(context)

    @property
    def n_contexts(self) -> int:
        """Contexts that are open."""
        return len(self._contexts)

    def check_adapters(self, adapters: Sequence[Adapter]) -> None:
        """See that adapters are whole and made for this model; may be called on any thread.

        Raises:
            AdapterRefused, AdapterMismatch: They are not.
        """
        check_adapters(adapters, _headers(self.plan), self.name)

    def describe(self, context: LlamaContext) -> EngineInfo:
        """What it turned out to be; `can_think` is left False for who reads the template."""
        return EngineInfo(
            name=self.name,
            architecture=self.architecture,
            n_ctx_tokens=context.n_ctx_tokens,
            n_ctx_train_tokens=self.n_ctx_train_tokens,
            n_layers=self.n_layers,
            n_experts=self.number("expert_count"),
            n_experts_used=self.plan.n_experts_used or self.number("expert_used_count"),
            can_think=False,
            n_threads=context.n_threads_max,
            system_info=library.system_info(),
            engine=library.engine_name(),
            placement=self.placement,
        )

    def note_placement(self, log_lines: Sequence[str], own_bytes: int) -> Placement:
        """Read from what llama.cpp logged, up to now, where it put everything."""
        report = memory.read_log(log_lines)
        names = hardware.buffer_names(self.plan.rpc_devices)
        offloaded = {layer for layer, device in report.layers.items() if names.get(device) != "CPU"}
        on_cpu = self.plan.n_cpu_expert_layers
        with_experts = range(self.n_layers if on_cpu == ALL_LAYERS else min(on_cpu, self.n_layers))
        self.placement = Placement(
            memory=self._without_spare(memory.device_memory(report, names), report, names),
            own_bytes=own_bytes,
            n_layers_offloaded=len(offloaded),
            n_cpu_expert_layers=len(offloaded.intersection(with_experts)),
            cache_type_k=self.plan.cache_type_k,
            cache_type_v=self.plan.cache_type_v,
            load_mode=self.plan.load_mode,
            use_repack=self.plan.use_repack,
            n_experts_used_trained=self.number("expert_used_count"),
            adapters=self.plan.adapters,
            rpc_devices=self.plan.rpc_devices,
        )
        return self.placement

    def _without_spare(
        self, found: tuple[DeviceMemory, ...], report: LoadReport, names: Mapping[str, str]
    ) -> tuple[DeviceMemory, ...]:
        """Tell the weights that are pages of the file from what else lies between them in it.

        llama.cpp's log counts everything between the first and the last.
        """
        main_memory = found[0]
        if main_memory.mapped_bytes in (0, sum(memory.weights_bytes for memory in found)):
            return found
        overrides = overrides_of(self.plan, self.n_layers) if len(found) > 1 else []
        weights = weights_by_device(
            [header.tensors for header in _headers(self.plan).headers],
            report,
            overrides,
            names,
            library.system_info(),
        )[MAIN_MEMORY]
        mapped_bytes = min(weights.size_bytes - weights.repacked_bytes, main_memory.mapped_bytes)
        spare_bytes = main_memory.mapped_bytes - mapped_bytes
        corrected = dataclasses.replace(
            main_memory,
            weights_bytes=main_memory.weights_bytes - spare_bytes,
            mapped_bytes=mapped_bytes,
            spare_bytes=spare_bytes,
        )
        return (corrected, *found[1:])

    def _read_metadata(self) -> dict[str, str]:
        def read(function: Callable[..., int], index: int) -> str:
            n_bytes = function(self.handle, index, None, 0)
            if n_bytes < 0:
                return ""
            buffer = ctypes.create_string_buffer(n_bytes + 1)
            function(self.handle, index, buffer, n_bytes + 1)
            return buffer.value.decode("utf-8", "replace")

        return {
            read(native.llama_model_meta_key_by_index, i): read(native.llama_model_meta_val_str_by_index, i)
            for i in range(native.llama_model_meta_count(self.handle))
        }


def load(plan: LoadPlan, on_progress: Callable[[int], None]) -> LlamaContext:
    """Load a model, make the context that its plan wants, compute a token to see that it works.

    Closing the context's model closes both.

    Raises:
        LoadFailed: llama.cpp refused, or the weights do not compute finite numbers.
        ContextTooLarge: More context than the model was trained for was asked for.
        BadOverride, UnknownDevice, BadExpertCount, RpcUnreachable: The plan's placement is not possible.
        AdapterRefused, AdapterMismatch: An adapter of the plan is none, or one of another model.
    """
    library.start()
    own_bytes: int = psutil.Process().memory_info().rss
    with native_log.gathering() as lines:
        context = _load_and_warm_up(plan, on_progress)
    context.model.note_placement(lines, own_bytes)
    return context


def _load_and_warm_up(plan: LoadPlan, on_progress: Callable[[int], None]) -> LlamaContext:
    model = LlamaModel.load(plan, on_progress)
    try:
        if plan.adapters:
            model.check_adapters(plan.adapters)
            model.adapters.use(plan.adapters)
        wanted = context_plan(plan, ctx_tokens(plan, model.n_ctx_train_tokens))
        context = model.new_context(_traced(model, wanted) if plan.trace == "live" else wanted)
        all_experts = model.weights_bytes < 0.8 * psutil.virtual_memory().available
        # libgomp gives each thread that computes a team of its own, and once there are more of them than
        # cores it lets all of them wait asleep: 93 tokens a second become 74. A team ends with its thread.
        with concurrent.futures.ThreadPoolExecutor(1) as passing:
            passing.submit(context.warm_up, all_experts=all_experts).result()
    except BaseException:
        model.close()
        raise
    return context


def ctx_tokens(plan: LoadPlan, n_ctx_train_tokens: int) -> int:
    """The length of the context that a plan asks for.

    Raises:
        ContextTooLarge: More than the model was trained for.
    """
    n_ctx = plan.n_ctx_tokens or min(n_ctx_train_tokens, DEFAULT_CTX_TOKENS)
    if n_ctx > n_ctx_train_tokens:
        raise ContextTooLarge(n_ctx, n_ctx_train_tokens)
    return n_ctx


def _traced(model: LlamaModel, plan: ContextPlan) -> ContextPlan:
    """With a tracer, where there are experts to see and this build shows them."""
    if not model.number("expert_count"):
        return plan
    try:
        tracer = Tracer.of(model.architecture)
    except TracingUnavailable as error:
        log.warning("answers are not traced: %s", error.reason)
        return plan
    has_state = native.llama_model_is_recurrent(model.handle) or native.llama_model_is_hybrid(model.handle)
    # For these, llama.cpp puts the rows of several sequences into an order of its own.
    return dataclasses.replace(plan, tracer=tracer, n_parallel=1 if has_state else plan.n_parallel)


def context_plan(plan: LoadPlan, n_ctx_tokens: int) -> ContextPlan:
    """How the context that answers is made."""
    may_guess = plan.speculation not in ("off", "auto")  # copies of states are not made unasked
    return ContextPlan(
        n_ctx_tokens=n_ctx_tokens,
        n_batch_tokens=plan.n_batch_tokens,
        n_parallel=plan.n_parallel,
        n_outputs_max=plan.n_parallel + (plan.n_draft_max if plan.speculation != "off" else 0),
        n_threads=initial_threads(plan.n_threads),
        n_ubatch_tokens=plan.n_ubatch_tokens,
        n_threads_batch=plan.n_threads_batch,
        cache_type_k=plan.cache_type_k,
        cache_type_v=plan.cache_type_v,
        n_rollback_tokens=min(plan.n_draft_max, _ROLLBACK_TOKENS) if may_guess else 0,
    )


def _load(plan: LoadPlan, name: str, on_progress: Callable[[int], None], no_alloc: bool) -> int:
    if not plan.model_path.is_file():
        raise LoadFailed(name, f"no such file: {plan.model_path}")
    raised: list[BaseException] = []
    last_permille = -1

    def report(fraction: float, _user_data: object) -> bool:
        nonlocal last_permille
        permille = min(1000, int(fraction * 1000))
        if permille > last_permille:
            last_permille = permille
            try:
                on_progress(permille)
            except BaseException as error:  # noqa: BLE001 - an exception must not cross native frames
                raised.append(error)
        return not raised

    placed = model_params(plan, lambda: _headers(plan))
    if no_alloc:
        placed.native.no_alloc = True
        placed.native.load_mode = native.LLAMA_LOAD_MODE_NONE  # there is nothing to map
    placed.native.progress_callback = native.llama_progress_callback(report)
    handle = native.llama_model_load_from_file(str(plan.model_path).encode(), placed.native)
    if raised:
        if handle:
            native.llama_model_free(handle)
        raise raised[0]
    if not handle:
        raise LoadFailed(name, native_log.last_words() or "llama.cpp gave no reason")
    return int(handle)


def _headers(plan: LoadPlan) -> GgufModel:
    try:
        return read_model(plan.model_path)
    except (ModelFileError, OSError) as error:
        raise LoadFailed(plan.name or plan.model_path.stem, str(error)) from error
