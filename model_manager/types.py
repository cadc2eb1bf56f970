"""Values that the model manager and its callers exchange: plain, frozen, without behaviour of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from model_manager.chat_types import (
    ChatMessage,
    Guesses,
    Likelihood,
    PrefillProgress,
    PromptImage,
    ReasoningDelta,
    Role,
    TextDelta,
    Timings,
    TokenLogprobs,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolChoice,
    Usage,
)
from model_manager.entry_types import (
    DuplicateGroup,
    ImportItem,
    ImportReport,
    ImportStatus,
    ModelEntry,
    ModelRecord,
    ModelState,
    ModelUsage,
    SkipReason,
    StoreInfo,
)
from model_manager.hub_types import (
    DownloadFile,
    DownloadItem,
    DownloadLimits,
    DownloadPlace,
    DownloadRecord,
    DownloadSnapshot,
    DownloadStatus,
    HubFacts,
    HubFile,
    HubModel,
    Source,
)
from model_manager.placement_types import (
    Adapter,
    DeviceMemory,
    Forecast,
    KvType,
    LoadMode,
    Placement,
)
from model_manager.request_log import RequestRecord
from model_manager.trace_types import RecordedRouting, TokenIds, TraceMode

# Only what is passed on; what is defined here needs no mention.
__all__ = [
    "Adapter",
    "ChatMessage",
    "DeviceMemory",
    "DownloadFile",
    "DownloadItem",
    "DownloadLimits",
    "DownloadPlace",
    "DownloadRecord",
    "DownloadSnapshot",
    "DownloadStatus",
    "DuplicateGroup",
    "Forecast",
    "Guesses",
    "HubFacts",
    "HubFile",
    "HubModel",
    "ImportItem",
    "ImportReport",
    "ImportStatus",
    "KvType",
    "Likelihood",
    "LoadMode",
    "ModelEntry",
    "ModelRecord",
    "ModelState",
    "ModelUsage",
    "Placement",
    "PrefillProgress",
    "PromptImage",
    "ReasoningDelta",
    "RecordedRouting",
    "RequestRecord",
    "Role",
    "SkipReason",
    "Source",
    "StoreInfo",
    "TextDelta",
    "Timings",
    "TokenIds",
    "TokenLogprobs",
    "Tool",
    "ToolCall",
    "ToolCallDelta",
    "ToolChoice",
    "TraceMode",
    "Usage",
]

Thinking = Literal["auto", "on", "off"]
ThinkingEnd = Literal["model", "budget", "person", "limit"]
"""What ended the reasoning of an answer: the model, the budget, a person who wanted the answer now, or the
end of the answer itself."""
ReasoningHistory = Literal["template", "keep", "last", "drop"]
StopReason = Literal["stop", "length", "cancelled", "context_full", "tool_calls", "error"]
Speculation = Literal["auto", "off", "lookup", "draft", "mtp"]
EngineStatus = Literal["loading", "ready", "stopped", "failed"]


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How the next token is chosen.

    Attributes:
        top_k: Candidates kept before everything else; 0 keeps all.
        repeat_penalty: 1.0 is off.
        seed: None draws a fresh one; the seed that was used is reported either way.
        max_tokens: None means until the model stops or the context is full.
        logit_bias: Token id to added logit.
        top_n_sigma: Keeps candidates within so many standard deviations of the best logit; 0 is off.
        xtc_probability: How often the likely candidates but the least likely of them are left out; 0 never.
        xtc_threshold: What is likely for that.
        dry_multiplier: How much repeating a passage costs ("don't repeat yourself"); 0 is off.
        dry_base: How fast that grows with the length of the passage.
        dry_allowed_length: Passages of so many tokens may repeat.
        min_tokens: The model cannot end its answer before so many.
        ignore_end: The model cannot end its answer at all; for measurements.
        top_logprobs: Alternatives to report with each token's likelihood, 0 to 20; None reports neither.
    """

    temperature: float = 0.8
    top_p: float = 0.95
    top_k: int = 40
    min_p: float = 0.05
    repeat_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    seed: int | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    top_n_sigma: float = 0.0
    xtc_probability: float = 0.0
    xtc_threshold: float = 0.1
    dry_multiplier: float = 0.0
    dry_base: float = 1.75
    dry_allowed_length: int = 2
    min_tokens: int = 0
    ignore_end: bool = False
    top_logprobs: int | None = None


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """What an answer must be; the reasoning before it is free.

    Attributes:
        schema: The JSON schema that it meets; an object or a boolean.
        grammar: The grammar in GBNF that it obeys, in place of a schema.
    """

    schema: Mapping[str, Any] | bool | None = None
    grammar: str | None = None


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A whole prompt and how to answer it.

    Attributes:
        model: Name in the library; a worker holds one model and ignores it.
        think_budget_tokens: Reasoning tokens after which the end marker is fed; None means no limit.
        continues: The last message is the assistant's own, not finished: the answer goes on behind it.
        return_tokens: Report the ids of the prompt and of the answer, by which it can be looked into later.
        return_routing: Report which experts the answer's tokens went to; see `LoadPlan.trace`.
        output: What the answer must be; None is any text.
        conversation: Names what it belongs to, so that what is kept of it can be forgotten by this name.
        think_nudge_tokens: Reasoning tokens after which the model is told to come to an end; None for never.
        think_nudge_text: What it is told, in its own voice; "" takes `DEFAULT_NUDGE`.
        reasoning_history: What becomes of the reasoning of earlier answers: as the template has it, kept as
            far as the template can, that of the last answer alone, none.
        reasoning_effort: How hard to think, in a word of the template, such as "low"; None lets it choose.
        tools: What the model may call.
        parallel_tool_calls: It may call several in one answer.
    """

    messages: tuple[ChatMessage, ...]
    sampling: SamplingParams = field(default_factory=SamplingParams)
    thinking: Thinking = "auto"
    think_budget_tokens: int | None = None
    continues: bool = False
    model: str = ""
    return_tokens: bool = False
    return_routing: bool = False
    output: OutputFormat | None = None
    conversation: str = ""

    think_nudge_tokens: int | None = None
    think_nudge_text: str = ""
    reasoning_history: ReasoningHistory = "template"
    reasoning_effort: str | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = field(default_factory=ToolChoice)
    parallel_tool_calls: bool = True


IMPOSSIBLE_LOGPROB: Final = -9999.0
"""The logarithm of nothing, as OpenAI writes it: JSON has no infinity."""


@dataclass(frozen=True, slots=True)
class ChatFinished:
    """The end of an answer; always the last event.

    Attributes:
        seed: The seed that was used, so that the answer can be made again.
        tokens: None where they were not asked for or not told, or the prompt is more than tokens.
        routing: None where it was not asked for or not noted.
        guesses: None where the server does not tell.
        reasoning_ended_by: None where there was no reasoning, or the server does not tell.
    """

    stop_reason: StopReason
    usage: Usage
    timings: Timings
    seed: int | None = None
    tokens: TokenIds | None = None
    routing: RecordedRouting | None = None
    guesses: Guesses | None = None
    reasoning_ended_by: ThinkingEnd | None = None


ChatEvent = PrefillProgress | ReasoningDelta | TextDelta | ToolCallDelta | TokenLogprobs | ChatFinished


ALL_LAYERS = -1
"""For `LoadPlan.n_cpu_expert_layers`: the experts of every layer."""


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """How a worker loads one model. JSON of it is the worker's start message.

    Attributes:
        n_ctx_tokens: Context shared by all sequences; 0 takes the model's own, at most 8192.
        n_threads: Decode threads; 0 lets the worker choose for this machine.
        n_gpu_layers: So many of the last layers go to devices, 999 for all; without a device it says nothing.
        chat_template: Overrides the file's own template; None keeps it.
        n_parallel: Sequences decoded together, 1 to 8.
        mmproj_path: The vision tower; None for a model that does not see.
        n_ubatch_tokens: Rows computed at once; 0 is `n_batch_tokens`. Compute memory grows with it.
        n_threads_batch: Threads that read prompts; 0 is as many as decode.
        n_cpu_expert_layers: The experts of so many of the first layers stay in main memory; `ALL_LAYERS`.
        tensor_overrides: Regular expression of tensor names to name of a device, the first match wins; they
            come before `n_cpu_expert_layers`.
        cache_type_k, cache_type_v: Numbers that the context keeps its keys and values in.
        load_mode: "auto" maps the file wherever every device can, "none" reads it, "mlock" keeps it there.
        use_repack: Let the processor rearrange weights for its instructions; a copy that no file backs.
        n_experts_used: Experts that answer for one token; 0 keeps the model's. Others change what it says.
        adapters: LoRA adapters in force from the beginning.
        rpc_devices: Other machines that compute, as "host:port".
        prompt_cache_dir: Where the states of conversations are kept; None keeps none.
        prompt_cache_limit_bytes: What all files there may take together.
        model_sha256: Of the model's files, where the library knows them.
        trace: "live" notes which experts tokens go to while answers are made, which slows them a little; with
            "replay" it is found out afterwards, by who asks.
        speculation: Where guesses of the next tokens come from, of which a decode call checks several:
            "lookup" in what was said, "draft" by a smaller model, "mtp" by layers of the model itself; "auto"
            takes what there is and the memory allows.
        draft_path: The smaller model; None for none.
        n_draft_max: Most guesses of one decode call, over all answers; each reserves one row of logits.
        is_draft_adaptive: Guess only as much as pays by measurement; False is for tests and measurements.
    """

    model_path: Path
    n_ctx_tokens: int = 0
    n_batch_tokens: int = 512
    n_threads: int = 0
    n_gpu_layers: int = 999
    n_parallel: int = 4
    chat_template: str | None = None
    name: str = ""
    mmproj_path: Path | None = None

    n_ubatch_tokens: int = 0
    n_threads_batch: int = 0
    n_cpu_expert_layers: int = 0
    tensor_overrides: tuple[tuple[str, str], ...] = ()
    cache_type_k: KvType = "f16"
    cache_type_v: KvType = "f16"
    load_mode: LoadMode = "auto"
    use_repack: bool = True
    n_experts_used: int = 0
    adapters: tuple[Adapter, ...] = ()
    rpc_devices: tuple[str, ...] = ()

    prompt_cache_dir: Path | None = None
    prompt_cache_limit_bytes: int = 8 * 1024**3
    model_sha256: tuple[str, ...] = field(
        default=(), compare=False
    )  # known later or not, it is the same model

    trace: TraceMode = "replay"

    speculation: Speculation = "auto"
    draft_path: Path | None = None
    n_draft_max: int = 16
    is_draft_adaptive: bool = True


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What a loaded model turned out to be.

    Attributes:
        can_think: The template opens or switches a thinking block.
        can_see: Messages may carry images.
        takes_effort: The template has a word for how hard to think.
        system_info: llama.cpp's own line about processor features and backends.
        placement: None for an engine that is not ours.
        speculation: Where guesses come from; "off" where there are none.
        template_sha256: Of the chat template in use; empty without one, or where it is not told.
    """

    name: str
    architecture: str
    n_ctx_tokens: int
    n_ctx_train_tokens: int
    n_layers: int
    n_experts: int
    n_experts_used: int
    can_think: bool
    n_threads: int
    system_info: str
    engine: str
    can_see: bool = False
    takes_effort: bool = False
    speculation: Speculation = "off"

    placement: Placement | None = None
    template_sha256: str = ""


@dataclass(frozen=True, slots=True)
class EngineState:
    """One engine as its users see it.

    Attributes:
        load_permille: 0 to 1000 while `status` is "loading".
        error: Why it is "failed"; an error of `model_manager.errors`, made into a sentence by `ui.text`.
    """

    name: str
    status: EngineStatus
    load_permille: int = 0
    info: EngineInfo | None = None
    error: Exception | None = None
