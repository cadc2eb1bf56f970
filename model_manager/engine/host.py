"""The one model of a worker: loading, then ready to answer, or failed for good."""

from __future__ import annotations

import dataclasses
import gc
import hashlib
import logging
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from model_manager.engine import memory
from model_manager.engine.adapting import change_adapters, with_adapters
from model_manager.engine.answer_reader import AnswerPlan
from model_manager.engine.answers import Answer, Handle
from model_manager.engine.choices import Choices
from model_manager.engine.dialects import find_dialect
from model_manager.engine.embeddings import Embedded, Embedder
from model_manager.engine.grammars import Grammars
from model_manager.engine.live_trace import TracingScheduler
from model_manager.engine.llama import library
from model_manager.engine.llama.context import LlamaContext
from model_manager.engine.llama.model import LlamaModel, load
from model_manager.engine.llama.vision import Vision
from model_manager.engine.prompt_cache import PromptCache
from model_manager.engine.prompts import PromptTokenizer, PromptTokens
from model_manager.engine.protocol import ChatCompletionRequest
from model_manager.engine.renderer import Rendered, Renderer
from model_manager.engine.replay import Replay
from model_manager.engine.sampling import usable_seed
from model_manager.engine.scheduler import Scheduler
from model_manager.engine.speculation.sources import new_speculator
from model_manager.engine.speculation.speculator import Speculator
from model_manager.engine.state_identity import identity_of
from model_manager.engine.templates import ChatTemplate
from model_manager.errors import (
    EmptyPrompt,
    EngineError,
    LoadFailed,
    PromptTooLong,
    RequestRefused,
    TemplateFailed,
)
from model_manager.types import Adapter, EngineInfo, EngineState, LoadPlan, Placement, SamplingParams

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request that can be answered."""

    prompt: PromptTokens
    sampling: SamplingParams
    plan: AnswerPlan
    conversation: str = ""


@dataclass(frozen=True, slots=True)
class _Loaded:
    context: LlamaContext
    scheduler: Scheduler
    renderer: Renderer | None
    speculator: Speculator | None
    template_error: TemplateFailed | None
    info: EngineInfo
    embedder: Embedder
    grammars: Grammars


class Host:
    """Loads a model and answers with it; thread-safe."""

    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        self._loaded: _Loaded | None = None
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []
        self._running: dict[str, Answer | Choices] = {}
        self._state = EngineState(name=plan.name or plan.model_path.stem, status="loading")
        self._signs_of_life = 0

    # --- loading -----------------------------------------------------------------------------------------

    @property
    def state(self) -> EngineState:
        """As of now."""
        return self._state

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Have `listener` called, on any thread, when the state has changed; returns what ends that."""
        with self._lock:
            self._listeners.append(listener)

        def unsubscribe() -> None:
            with self._lock:
                self._listeners.remove(listener)

        return unsubscribe

    def load(self) -> None:
        """Load the model on the calling thread; every outcome is told by the state."""
        try:
            context = load(self._plan, lambda permille: self._change(load_permille=permille))
            self._loaded = self._prepare_to_answer(context)
        except EngineError as error:
            self._change(status="failed", error=error)
        except Exception as error:
            # A bug of ours, or a Python error in the binding: the supervisor must hear of it all the same.
            log.exception("loading failed")
            self._change(status="failed", error=LoadFailed(self._state.name, repr(error)))
        else:
            gc.freeze()  # what the loading made stays; no collection between two tokens need look at it
            self._change(status="ready", load_permille=1000, info=self._loaded.info)

    def _prepare_to_answer(self, context: LlamaContext) -> _Loaded:
        model, vocabulary = context.model, context.vocabulary
        vision = None
        if self._plan.mmproj_path is not None:
            vision = Vision(model, self._plan.mmproj_path, context.n_threads_max)
        renderer: Renderer | None = None
        template_error: TemplateFailed | None = None
        can_think = takes_effort = False
        try:
            template = ChatTemplate(
                model.chat_template, bos_text=vocabulary.bos_text, eos_text=vocabulary.eos_text
            )
        except TemplateFailed as error:
            # The model itself is fine: it stays loaded, and each request says what is wrong.
            template_error = error
        else:
            can_think, takes_effort = template.can_think, template.takes_effort
            dialect = find_dialect(template.family, vocabulary)
            renderer = Renderer(template, dialect, PromptTokenizer(vocabulary, vision), vocabulary)
        cache, tracer = self._prompt_cache(context), context.plan.tracer
        plan = self._plan if tracer is None else dataclasses.replace(self._plan, speculation="off")
        speculation, speculator = new_speculator(plan, context)
        scheduler = (
            Scheduler(context, vision, cache, speculator=speculator)
            if tracer is None
            else TracingScheduler(context, tracer, vision, cache)
        )
        scheduler.start()
        return _Loaded(
            context=context,
            scheduler=scheduler,
            renderer=renderer,
            speculator=speculator,
            template_error=template_error,
            info=dataclasses.replace(
                model.describe(context),
                placement=_placement(model, vision, speculator),
                can_think=can_think,
                can_see=vision is not None,
                takes_effort=takes_effort,
                speculation=speculation,
                template_sha256=_sha256(model.chat_template),
            ),
            embedder=Embedder(context),
            grammars=Grammars(vocabulary),
        )

    def _prompt_cache(self, context: LlamaContext) -> PromptCache | None:
        model = context.model
        plan = dataclasses.replace(self._plan, adapters=model.adapters.current)
        if plan.prompt_cache_dir is None or plan.prompt_cache_limit_bytes <= 0:
            return None
        # Types and layout of the rows themselves are checked by llama.cpp when it reads a state.
        memory = {"n_swa_tokens": context.n_swa_tokens, "can_cut": context.can_cut, "layout": "unified"}
        return PromptCache(
            plan.prompt_cache_dir,
            identity_of(plan, model.chat_template, library.engine_name(), memory),
            model.name,
            plan.prompt_cache_limit_bytes,
            can_cut=context.can_cut and context.n_swa_tokens == 0,
        )

    def close(self) -> None:
        """Cancel what runs and save conversations; takes a few seconds at most."""
        if self._loaded is not None:
            self._loaded.scheduler.close()
            if self._loaded.speculator is not None:
                self._loaded.speculator.close()

    def _change(self, **changes: object) -> None:
        with self._lock:
            self._state = dataclasses.replace(self._state, **changes)  # type: ignore[arg-type]  # its fields
            listeners = list(self._listeners)
        for listener in listeners:
            listener()

    def _ready(self) -> _Loaded:
        if self._loaded is None:
            error = self._state.error
            raise (
                error if isinstance(error, EngineError) else RequestRefused(503, "the model is being loaded")
            )
        return self._loaded

    # --- answering ---------------------------------------------------------------------------------------

    def prepare(self, request: ChatCompletionRequest) -> Prepared:
        """Render and tokenize; takes milliseconds, so not on the event loop.

        Raises:
            RequestRefused: The model is not ready.
            LoadFailed, ContextTooLarge: It never will be.
            EmptyPrompt, PromptTooLong, TemplateFailed: Nothing can be answered.
            GrammarRefused, SchemaUnsupported: What the answer must be, it cannot be.
        """
        loaded = self._ready()
        chat = request.to_chat_request()
        if request.prompt is not None:
            rendered = self._raw(loaded, request.prompt)
        elif loaded.renderer is not None:
            rendered = loaded.renderer.render(chat, request.effort)
        else:
            raise loaded.template_error or TemplateFailed("")
        prompt, tokens = rendered.prompt, rendered.prompt.tokens
        if not tokens:
            raise EmptyPrompt
        if len(tokens) >= loaded.context.n_ctx_tokens:
            raise PromptTooLong(len(tokens), loaded.context.n_ctx_tokens)
        return Prepared(
            prompt=prompt,
            sampling=chat.sampling,
            plan=AnswerPlan(
                id=request.request_id or f"chatcmpl-{secrets.token_hex(12)}",
                model=loaded.info.name,
                dialect=rendered.dialect,
                start=rendered.start,
                budget_tokens=chat.think_budget_tokens,
                stop=chat.sampling.stop,
                wants_progress=request.return_progress,
                wants_usage_apart=request.wants_usage_apart,
                wants_routing=chat.return_routing,
                # The stand-ins of an image are no tokens that could be computed again.
                prompt_tokens=tuple(tokens) if chat.return_tokens and not prompt.media else None,
                wants_logprobs=chat.sampling.top_logprobs is not None,
                tools=chat.tools,
                is_one_call=bool(chat.tools) and not chat.parallel_tool_calls,
                nudge=rendered.nudge,
                call_lead=rendered.call_lead,
                call_leads_within=rendered.call_leads_within,
                primed=rendered.primed,
                dropped_reasoning_tokens=rendered.dropped_reasoning_tokens,
                constraint=loaded.grammars.plan(chat, rendered.dialect, rendered.start),
            ),
            conversation=chat.conversation,
        )

    @staticmethod
    def _raw(loaded: _Loaded, prompt: str | list[int]) -> Rendered:
        """A prompt as it was sent, with nothing in it to be taken for reasoning."""
        vocabulary = loaded.context.vocabulary
        if isinstance(prompt, str):
            return Rendered(PromptTokens(vocabulary.tokenize(prompt, special=True, add_bos=True), {}))
        return Rendered(PromptTokens(_known(prompt, vocabulary.n_tokens), {}))

    @property
    def adapters(self) -> tuple[Adapter, ...]:
        """LoRA adapters in force."""
        return self._ready().context.model.adapters.current

    def set_adapters(self, adapters: tuple[Adapter, ...]) -> None:
        """Compute with these and no others; blocks, see `change_adapters`, which says what is raised."""
        loaded = self._ready()
        loaded.context.model.check_adapters(adapters)
        change_adapters(
            loaded.context, loaded.scheduler, adapters, lambda _: self._prompt_cache(loaded.context)
        )
        info = with_adapters(loaded.info, adapters)
        self._loaded = dataclasses.replace(loaded, info=info)
        self._change(info=info)

    def submit(self, prepared: Prepared, whole: Answer | Choices) -> Handle:
        """Begin to compute an answer, or several."""
        self._running[prepared.plan.id] = whole
        prompt, scheduler = prepared.prompt, self._ready().scheduler
        seed = usable_seed(prepared.sampling.seed)

        def submit(answer: Answer, number: int) -> Handle:
            sampling = dataclasses.replace(prepared.sampling, seed=seed + number)
            # Of several, the first is taken for the conversation's next turn.
            conversation = "" if number else prepared.conversation
            return scheduler.submit(
                prompt.tokens, sampling, answer, prompt.media, answer.constraint, conversation
            )

        return whole.start(submit)

    def forget_conversation(self, conversation: str) -> None:
        """Keep nothing of a conversation any more, in files or in memory.

        Raises:
            RequestRefused, LoadFailed, ContextTooLarge: The model is not there.
        """
        keeper = self._ready().scheduler.keeper
        if keeper is not None:
            keeper.forget(conversation)

    def forget(self, answer_id: str) -> None:
        """The response of an answer is over."""
        self._running.pop(answer_id, None)

    def conclude(self, answer_id: str) -> bool:
        """End the reasoning of a running answer; False if there is none of this id."""
        answer = self._running.get(answer_id)
        if answer is None:
            return False
        answer.conclude()
        return True

    def replay(self, tokens: Sequence[int], first: int) -> Replay:
        """A pass that shows the experts of `tokens[first:]`; nothing is computed yet.

        Raises:
            RequestRefused, LoadFailed, ContextTooLarge: The model is not there, or these are not its tokens.
            EmptyPrompt, PromptTooLong: There is nothing to see, or more than it can read.
        """
        loaded = self._ready()
        return Replay(loaded.context, tokens, first, lambda: loaded.scheduler.is_busy)

    def tokenize(self, text: str, *, special: bool) -> list[int]:
        """Token ids of a text.

        Raises:
            RequestRefused, LoadFailed, ContextTooLarge: The model is not there.
        """
        return self._ready().context.vocabulary.tokenize(text, special=special)

    def detokenize(self, tokens: Sequence[int]) -> tuple[str, list[str]]:
        """The text of token ids, that of markers included, and of each; a part of a character is U+FFFD.

        Raises:
            RequestRefused: The model is not there, or has no such token.
            LoadFailed, ContextTooLarge: It never will be.
        """
        vocabulary = self._ready().context.vocabulary
        known = _known(tokens, vocabulary.n_tokens)
        pieces = [vocabulary.piece(token, special=True) for token in known]
        return b"".join(pieces).decode("utf-8", "replace"), [p.decode("utf-8", "replace") for p in pieces]

    def embed(self, inputs: Sequence[str | list[int]], cancelled: threading.Event) -> Embedded:
        """A vector for each input, of length 1; blocks for as long as that takes.

        Raises:
            RequestRefused: The model is not there, has no such token, or `cancelled` was set.
            EmptyPrompt, PromptTooLong: An input has no tokens, or too many.
            NotEnoughMemory, LoadFailed, DecodeFailed: There is no memory for it, or it did not work.
        """
        loaded = self._ready()
        vocabulary = loaded.context.vocabulary
        tokens = [
            vocabulary.tokenize(text, special=False, add_bos=True)
            if isinstance(text, str)
            else _known(text, vocabulary.n_tokens)
            for text in inputs
        ]
        return loaded.embedder.embed(tokens, cancelled)

    # --- life --------------------------------------------------------------------------------------------

    @property
    def signs_of_life(self) -> int:
        """Grows with everything that the decode thread reports."""
        return self._signs_of_life

    @property
    def n_answers(self) -> int:
        """Answers that are being made."""
        return len(self._running)

    def touch(self) -> None:
        """The decode thread has done something; called by it."""
        self._signs_of_life += 1


def _placement(model: LlamaModel, vision: Vision | None, speculator: Speculator | None) -> Placement | None:
    """Where the model lies with all that it brings along."""
    if model.placement is None:
        return None
    parts = [part.memory for part in (model.placement, vision, speculator) if part is not None]
    return dataclasses.replace(model.placement, memory=memory.added(*parts))


def _known(tokens: Sequence[int], n_tokens: int) -> list[int]:
    """Token ids from outside; one that the vocabulary does not have would end the process."""
    wrong = next((token for token in tokens if not 0 <= token < n_tokens), None)
    if wrong is not None:
        raise RequestRefused(400, f"this model has no token {wrong}; its ids are below {n_tokens}")
    return list(tokens)


def _sha256(template: str | None) -> str:
    return "" if template is None else hashlib.sha256(template.encode("utf-8", "replace")).hexdigest()
