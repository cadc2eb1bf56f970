"""What goes wrong with models, in words: one function for each error of `model_manager.errors`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from model_manager import errors as models
from ui import formats
from ui.i18n import tr


def _file(path: Path | str) -> str:
    return Path(path).name or str(path)


def _host(url: str) -> str:
    return urlsplit(url).hostname or url


# --- files -----------------------------------------------------------------------------------


def _not_gguf(error: models.NotGguf) -> str:
    return tr("“{file}” is not a GGUF model. Choose a file that ends in .gguf.", file=_file(error.path))


def _truncated_gguf(error: models.TruncatedGguf) -> str:
    return tr(
        "“{file}” is incomplete: its end is missing. Download or copy it again.", file=_file(error.path)
    )


def _damaged_gguf(error: models.DamagedGguf) -> str:
    return tr("“{file}” is damaged and cannot be read. Download or copy it again.", file=_file(error.path))


def _unsupported_gguf(error: models.UnsupportedGguf) -> str:
    return tr(
        "“{file}” is a kind of GGUF that Coterie cannot read. Look for a newer conversion of the model.",
        file=_file(error.path),
    )


def _missing_shard(error: models.MissingShard) -> str:
    return tr(
        "The model is split into several files, and “{file}” is missing. "
        "Put it beside the others or download the model again.",
        file=_file(error.path),
    )


def _model_file(error: models.ModelFileError) -> str:
    return tr("“{file}” cannot be used as a model. Choose another file.", file=_file(error.path))


def _model_not_found(error: models.ModelNotFound) -> str:
    return tr(
        "The library has no model named “{name}”. Choose another model or import its file.", name=error.name
    )


def _model_name_taken(error: models.ModelNameTaken) -> str:
    return tr(
        "The library already has a model named “{name}” ({path}). "
        "Remove that entry or rename the new file, then try again.",
        name=error.name,
        path=error.path,
    )


def _cannot_remove_starter(error: models.CannotRemoveStarter) -> str:
    return tr(
        "“{name}” belongs to Coterie and cannot be removed. Choose another model if you do not want it.",
        name=error.name,
    )


def _starter_unavailable(_error: models.StarterUnavailable) -> str:
    return tr(
        "The starter model is not on this computer. "
        "Run “make setup” in Coterie's folder once, or download another model."
    )


def _hash_mismatch(error: models.HashMismatch) -> str:
    return tr(
        "“{file}” is not what its source says it should be: the checksum differs. "
        "Do not use this copy; download it again.",
        file=_file(error.path),
    )


# --- network ---------------------------------------------------------------------------------


def _invalid_reference(error: models.InvalidReference) -> str:
    if error.choices:
        return tr(
            "“{ref}” could mean several files. Name one of them: {choices}.",
            ref=error.ref,
            choices=", ".join(error.choices[:8]) + (", …" if len(error.choices) > 8 else ""),
        )
    return tr(
        "“{ref}” names no model file. Write owner/repository, owner/repository:Q4_K_M, "
        "a web address or the path of a file.",
        ref=error.ref,
    )


def _host_refused(error: models.HostRefused) -> str:
    return tr(
        "The server pointed to {host}, which you never named, so nothing was sent there. "
        "If you trust that host, set it as the hub's address in the settings.",
        host=error.host,
    )


def _offline(error: models.Offline) -> str:
    return tr(
        "Coterie is working offline, so nothing was sent to {host}. "
        "Turn off “Work offline” in the settings, then try again.",
        host=error.host,
    )


def _hub_error(error: models.HubError) -> str:
    return tr(
        "{host} answered with error {status}. Try again later.", host=_host(error.url), status=error.status
    )


def _access_denied(error: models.AccessDenied) -> str:
    return tr(
        "{host} refused access to this model (error {status}). Accept its licence there, "
        "set your access token as HF_TOKEN, then try again.",
        host=_host(error.url),
        status=error.status,
    )


def _not_on_hub(error: models.NotOnHub) -> str:
    return tr("{host} has no such model or file. Check the spelling.", host=_host(error.url))


def _rate_limited(error: models.RateLimited) -> str:
    return tr("{host} asks for a pause. Wait a few minutes, then try again.", host=_host(error.url))


def _hub_unavailable(error: models.HubUnavailable) -> str:
    return tr(
        "{host} cannot be reached. "
        "Check the connection and the hub's address in the settings, then try again.",
        host=error.host,
    )


def _transfer_stalled(error: models.TransferStalled) -> str:
    return tr(
        "No data came from {host} for {time}, so the download stopped; what has arrived is kept. "
        "Try again to go on from there.",
        host=_host(error.url),
        time=formats.duration(error.timeout_s),
    )


def _transfer_cancelled(_error: models.TransferCancelled) -> str:
    return tr("The download was stopped; what has arrived is kept. Resume it whenever you like.")


def _remote_file_changed(error: models.RemoteFileChanged) -> str:
    return tr(
        "The file at {host} was replaced while it was being downloaded. "
        "Start the download again to get the new one.",
        host=_host(error.url),
    )


def _size_mismatch(error: models.SizeMismatch) -> str:
    return tr(
        "{host} sent {received} where {expected} were promised. "
        "Try again; if it happens again, use another source.",
        host=_host(error.url),
        received=formats.size(error.received_bytes),
        expected=formats.size(error.expected_bytes),
    )


def _unsafe_filename(error: models.UnsafeFilename) -> str:
    return tr(
        "A file named “{filename}” is not safe to save on this computer. Choose another file.",
        filename=error.filename,
    )


def _not_enough_disk(error: models.NotEnoughDisk) -> str:
    return tr(
        "{needed} are needed in {path}, but only {free} are free. "
        "Make room or choose another models folder, then try again.",
        needed=formats.size(error.needed_bytes),
        free=formats.size(error.free_bytes),
        path=error.path,
    )


def _cannot_write(error: models.CannotWrite) -> str:
    return tr(
        "Coterie cannot write to {path}. Check its permissions and the free space, or choose another folder.",
        path=error.path,
    )


def _model_manager(_error: models.ModelManagerError) -> str:
    return tr("Something went wrong with the model. Try again or choose another model.")


# --- engine ----------------------------------------------------------------------------------


def _engine(_error: models.EngineError) -> str:
    return tr("The model reported a problem. Restart it, then try again.")


def _load_failed(error: models.LoadFailed) -> str:
    return tr(
        "“{name}” could not be loaded. Choose another model; the details say why.", name=_file(error.name)
    )


def _context_too_large(error: models.ContextTooLarge) -> str:
    return tr(
        "The model was trained for {trained} tokens of context, but {asked} were asked for. "
        "Set a context of at most {trained} in the settings.",
        trained=formats.number(error.n_ctx_train_tokens),
        asked=formats.number(error.n_ctx_tokens),
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
    return tr(
        "The engine refused the request (error {status}). "
        "Check the settings of this conversation, then try again.",
        status=error.status,
    )


SENTENCES: dict[type[BaseException], Callable[[Any], str]] = {
    models.ModelManagerError: _model_manager,
    models.ModelFileError: _model_file,
    models.NotGguf: _not_gguf,
    models.TruncatedGguf: _truncated_gguf,
    models.DamagedGguf: _damaged_gguf,
    models.UnsupportedGguf: _unsupported_gguf,
    models.MissingShard: _missing_shard,
    models.ModelNotFound: _model_not_found,
    models.ModelNameTaken: _model_name_taken,
    models.CannotRemoveStarter: _cannot_remove_starter,
    models.StarterUnavailable: _starter_unavailable,
    models.HashMismatch: _hash_mismatch,
    models.InvalidReference: _invalid_reference,
    models.Offline: _offline,
    models.HostRefused: _host_refused,
    models.HubError: _hub_error,
    models.AccessDenied: _access_denied,
    models.NotOnHub: _not_on_hub,
    models.RateLimited: _rate_limited,
    models.HubUnavailable: _hub_unavailable,
    models.TransferStalled: _transfer_stalled,
    models.TransferCancelled: _transfer_cancelled,
    models.RemoteFileChanged: _remote_file_changed,
    models.SizeMismatch: _size_mismatch,
    models.UnsafeFilename: _unsafe_filename,
    models.NotEnoughDisk: _not_enough_disk,
    models.CannotWrite: _cannot_write,
    models.EngineError: _engine,
    models.LoadFailed: _load_failed,
    models.ContextTooLarge: _context_too_large,
    models.EngineDied: _engine_died,
    models.EngineStalled: _engine_stalled,
    models.EngineUnreachable: _engine_unreachable,
    models.EmptyPrompt: _empty_prompt,
    models.PromptTooLong: _prompt_too_long,
    models.TemplateFailed: _template_failed,
    models.ImageRefused: _image_refused,
    models.NoVision: _no_vision,
    models.GrammarRefused: _grammar_refused,
    models.SchemaUnsupported: _schema_unsupported,
    models.ConstraintFailed: _constraint_failed,
    models.DecodeFailed: _decode_failed,
    models.TracingUnavailable: _tracing_unavailable,
    models.RequestRefused: _request_refused,
}
