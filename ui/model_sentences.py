"""What goes wrong with models, in words: one function for each error of `model_manager.errors`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from model_manager import errors as models
from ui import formats, transfer_sentences
from ui.i18n import tr
from ui.transfer_sentences import file_name

_MOST_REASON_CHARACTERS = 200


def _model_manager(_error: models.ModelManagerError) -> str:
    return tr("Something went wrong with the model. Try again or choose another model.")


def _model_is_remote(error: models.ModelIsRemote) -> str:
    return tr("“{name}” is on another server, so there is no file to check here.", name=error.name)


def _cannot_listen(error: models.CannotListen) -> str:
    return tr(
        "Coterie cannot serve at {host}, port {port} ({reason}). Choose another with --port or --host.",
        host=error.host,
        port=error.port,
        reason=error.reason,
    )


# --- engine ----------------------------------------------------------------------------------


def _engine(_error: models.EngineError) -> str:
    return tr("The model reported a problem. Restart it, then try again.")


def _load_failed(error: models.LoadFailed) -> str:
    return tr(
        "“{name}” could not be loaded. Choose another model; the details say why.", name=file_name(error.name)
    )


def _context_too_large(error: models.ContextTooLarge) -> str:
    return tr(
        "The model was trained for {trained} tokens of context, but {asked} were asked for. "
        "Set a context of at most {trained} in the settings.",
        trained=formats.number(error.n_ctx_train_tokens),
        asked=formats.number(error.n_ctx_tokens),
    )


def _draft_mismatch(error: models.DraftMismatch) -> str:
    return tr(
        "“{draft}” cannot guess ahead for “{name}”: {reason}. "
        "Choose a smaller model of the same family, or none.",
        draft=error.draft,
        name=error.name,
        reason=error.reason,
    )


def _no_guessing_layers(error: models.NoGuessingLayers) -> str:
    return tr(
        "“{name}” brings no layers for guessing ahead. "
        "Choose “auto” instead of “mtp”, or a smaller model that guesses.",
        name=error.name,
    )


def _bad_override(error: models.BadOverride) -> str:
    if error.reason:
        return tr(
            "“{pattern}” is no valid pattern for tensors ({reason}). Correct it, then try again.",
            pattern=error.pattern,
            reason=error.reason,
        )
    return tr(
        "No tensor of this model matches “{pattern}”. "
        "Correct the pattern, or reset the placement with “coterie models plan MODEL --reset”.",
        pattern=error.pattern,
    )


def _unknown_device(error: models.UnknownDevice) -> str:
    return tr(
        "There is no device “{device}”. Choose one of these: {known}.",
        device=error.device,
        known=error.known,
    )


def _bad_expert_count(error: models.BadExpertCount) -> str:
    if error.n_experts == 0:
        return tr(
            "This model has no experts, so nothing can be set for them. "
            "Leave that out, or reset it with “coterie models plan MODEL --reset”."
        )
    return tr(
        "The model has {n} experts, so {used} of them cannot be active. Choose a number from 1 to {n}.",
        n=error.n_experts,
        used=error.n_experts_used,
    )


def _adapter_refused(error: models.AdapterRefused) -> str:
    return tr(
        "“{file}” cannot be used as a LoRA adapter ({reason}). Choose a GGUF file of an adapter.",
        file=file_name(error.path),
        reason=error.reason,
    )


def _adapter_mismatch(error: models.AdapterMismatch) -> str:
    return tr(
        "The adapter “{file}” was made for another model than “{name}”. "
        "Remove it, or add it to the model that it was made for.",
        file=file_name(error.path),
        name=error.name,
    )


def _rpc_unreachable(error: models.RpcUnreachable) -> str:
    return tr(
        "No RPC server of llama.cpp answers at {endpoint}, or it serves another program. "
        "Start it there, or take the device out of the model's plan.",
        endpoint=error.endpoint,
    )


def _not_enough_memory(error: models.NotEnoughMemory) -> str:
    values = {
        "name": error.name,
        "needed": formats.size(error.needed_bytes),
        "free": formats.size(error.available_bytes),
        "missing": formats.size(error.needed_bytes - error.available_bytes),
        "fits": formats.number(error.fits_ctx_tokens),
    }
    if error.device != "CPU":
        return tr(
            "“{name}” needs {needed} on {device}, where {free} are free: {missing} too much. "
            "Put fewer layers there, keep more experts in main memory, or set a smaller context.",
            device=error.device,
            **values,
        )
    if error.fits_ctx_tokens:
        return tr(
            "“{name}” needs {needed} of memory, but only {free} are free: {missing} too much. "
            "A context of {fits} tokens would fit; set that, or close other programs.",
            **values,
        )
    return tr(
        "“{name}” needs {needed} of memory, but only {free} are free: {missing} too much, "
        "even with a short context. Close other programs or choose a smaller model.",
        **values,
    )


def _probe_failed(error: models.ProbeFailed) -> str:
    if error.ending == "hung":
        return tr(
            "Looking at “{name}” took too long, so it was not loaded. "
            "The file may be damaged; download it again or choose another model.",
            name=file_name(error.name),
        )
    if error.ending == "memory":
        return tr(
            "“{name}” asked for an absurd amount of memory when it was looked at, so it was not loaded. "
            "The file may be damaged; download it again or choose another model.",
            name=file_name(error.name),
        )
    return tr(
        "“{name}” made llama.cpp crash when it was looked at, so it was not loaded. "
        "The file may be damaged or harmful; download it again from a source you trust.",
        name=file_name(error.name),
    )


def _engine_died(error: models.EngineDied) -> str:
    if error.out_of_memory:
        return tr(
            "“{name}” needed more memory than is free and was ended. Close other programs, "
            "or choose a smaller context or model, then restart it.",
            name=error.name,
        )
    return tr(
        "“{name}” stopped unexpectedly; what you wrote and what it answered is kept. "
        "Restart it, then send your message again.",
        name=error.name,
    )


def _engine_stalled(error: models.EngineStalled) -> str:
    return tr(
        "“{name}” gave no sign of life for {time} and was ended. Restart it, then send your message again.",
        name=error.name,
        time=formats.duration(error.timeout_s),
    )


def _engine_unreachable(error: models.EngineUnreachable) -> str:
    return tr(
        "Nothing answers at {address}. Check that an engine runs there, then try again.",
        address=error.address,
    )


def _engine_broke_off(error: models.EngineBrokeOff) -> str:
    return tr(
        "The answer of {address} broke off; what has arrived is kept. Check that the engine still runs there,"
        " then let it go on.",
        address=error.address,
    )


def _answer_unreadable(error: models.AnswerUnreadable) -> str:
    return tr(
        "What the engine sent is no answer in OpenAI's form ({reason}). Check its address, which mostly ends"
        " in /v1, then try again.",
        reason=error.reason,
    )


def _empty_prompt(_error: models.EmptyPrompt) -> str:
    return tr("There is nothing to answer yet. Write a message first.")


def _prompt_too_long(error: models.PromptTooLong) -> str:
    return tr(
        "The conversation is {prompt} tokens long, but the context holds {context}. Shorten the message, "
        "start a new conversation or set a larger context in the settings.",
        prompt=formats.number(error.prompt_tokens),
        context=formats.number(error.n_ctx_tokens),
    )


def _template_failed(_error: models.TemplateFailed) -> str:
    return tr(
        "The chat template inside this model does not work. Choose another model or another conversion of it."
    )


def _tools_unsupported(_error: models.ToolsUnsupported) -> str:
    return tr("The chat template of this model has no words for tools. Choose another model, or send none.")


def _image_refused(error: models.ImageRefused) -> str:
    return tr(
        "This image cannot be used ({reason}). Choose a PNG, JPEG, GIF or BMP of ordinary size.",
        reason=error.reason,
    )


def _no_vision(_error: models.NoVision) -> str:
    return tr("This model cannot see images. Choose one with a vision file (mmproj), or send the text alone.")


def _grammar_refused(error: models.GrammarRefused) -> str:
    return tr("This grammar cannot be used ({reason}). Correct it, then send again.", reason=error.reason)


def _schema_unsupported(error: models.SchemaUnsupported) -> str:
    return tr(
        "This JSON schema cannot be enforced ({reason}; at “{path}”). Change that part, then send again.",
        reason=error.reason,
        path=error.path or "#",
    )


def _constraint_failed(error: models.ConstraintFailed) -> str:
    return tr(
        "The answer could not go on within its grammar ({reason}). Use a simpler one, or another model.",
        reason=error.reason,
    )


def _decode_failed(error: models.DecodeFailed) -> str:
    return tr(
        "The model could not compute an answer (code {code}). Restart it, then try again.", code=error.code
    )


def _tracing_unavailable(_error: models.TracingUnavailable) -> str:
    return tr(
        "Which experts were used cannot be read with this build of llama.cpp; answers are not affected. "
        "Install the build that this version of Coterie was made for."
    )


def _request_refused(error: models.RequestRefused) -> str:
    if error.status in (401, 403):
        return tr(
            "The engine does not accept the key (error {status}). "
            "Give it the right one with “coterie engines add”, then try again.",
            status=error.status,
        )
    # In the words of another program, which may be anything.
    reason = "".join(filter(str.isprintable, " ".join(error.reason.split())))[:_MOST_REASON_CHARACTERS]
    if not reason:
        return tr(
            "The engine refused the request (error {status}). "
            "Check the settings of this conversation, then try again.",
            status=error.status,
        )
    return tr(
        "The engine refused the request (error {status}: {reason}). "
        "Check the settings of this conversation, then try again.",
        status=error.status,
        reason=reason,
    )


SENTENCES: dict[type[BaseException], Callable[[Any], str]] = transfer_sentences.SENTENCES | {
    models.ModelManagerError: _model_manager,
    models.ModelIsRemote: _model_is_remote,
    models.CannotListen: _cannot_listen,
    models.EngineError: _engine,
    models.LoadFailed: _load_failed,
    models.ContextTooLarge: _context_too_large,
    models.DraftMismatch: _draft_mismatch,
    models.NoGuessingLayers: _no_guessing_layers,
    models.BadOverride: _bad_override,
    models.UnknownDevice: _unknown_device,
    models.BadExpertCount: _bad_expert_count,
    models.AdapterRefused: _adapter_refused,
    models.AdapterMismatch: _adapter_mismatch,
    models.RpcUnreachable: _rpc_unreachable,
    models.NotEnoughMemory: _not_enough_memory,
    models.ProbeFailed: _probe_failed,
    models.EngineDied: _engine_died,
    models.EngineStalled: _engine_stalled,
    models.EngineUnreachable: _engine_unreachable,
    models.EngineBrokeOff: _engine_broke_off,
    models.AnswerUnreadable: _answer_unreadable,
    models.EmptyPrompt: _empty_prompt,
    models.PromptTooLong: _prompt_too_long,
    models.TemplateFailed: _template_failed,
    models.ToolsUnsupported: _tools_unsupported,
    models.ImageRefused: _image_refused,
    models.NoVision: _no_vision,
    models.GrammarRefused: _grammar_refused,
    models.SchemaUnsupported: _schema_unsupported,
    models.ConstraintFailed: _constraint_failed,
    models.DecodeFailed: _decode_failed,
    models.TracingUnavailable: _tracing_unavailable,
    models.RequestRefused: _request_refused,
}
