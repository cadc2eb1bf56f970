"""Errors in words: what happened in one sentence, and what to do next in another.

Every lower floor raises facts; this is the only place that turns them into language.
"""

from __future__ import annotations

from model_manager import errors as models
from storage import errors as storage
from ui import model_sentences, quantize_sentences, storage_sentences
from ui.i18n import marked, tr
from ui.values import Notice, NoticeLevel


def sentence(error: BaseException) -> str:
    """What happened and the next step, in the language in use.

    The nearest class with words of its own speaks, so a subclass may leave it to its base.
    """
    for kind in type(error).__mro__:
        if kind in _SENTENCES:
            return _SENTENCES[kind](error)
    return tr(
        "Something unexpected went wrong ({kind}). Try again; if it happens again, see the log.",
        kind=type(error).__name__,
    )


def notice_for(error: BaseException) -> Notice:
    """The sentence with the one button that helps most, and the technical text as detail."""
    level: NoticeLevel = "info" if isinstance(error, _HARMLESS) else "error"
    action, action_id = "", ""
    for kind in type(error).__mro__:
        if kind in _ACTIONS:
            action, action_id = _ACTIONS[kind]
            break
    return Notice(level, sentence(error), tr(action) if action else "", action_id, _detail(error))


def has_words_for(kind: type[BaseException]) -> bool:
    """Whether this very class, not one of its bases, has a sentence."""
    return kind in _SENTENCES


def _detail(error: BaseException) -> str:
    if isinstance(error, models.EngineDied):
        ending = f"signal {error.signal}" if error.signal is not None else f"exit code {error.exit_code}"
        return f"{ending}\n{error.last_words}".strip()
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


_SENTENCES = model_sentences.SENTENCES | quantize_sentences.SENTENCES | storage_sentences.SENTENCES

_HARMLESS = (models.TransferCancelled, models.EmptyPrompt)

_RETRY = (marked("Try again"), "retry")
_RESTART = (marked("Restart the model"), "restart_engine")
_CHOOSE = (marked("Choose a model"), "choose_model")
_DOWNLOADS = (marked("Open downloads"), "open_downloads")
_SETTINGS = (marked("Open settings"), "open_settings")
_LOG = (marked("Show the log"), "show_log")

_ACTIONS: dict[type[BaseException], tuple[str, str]] = {
    models.ModelManagerError: _CHOOSE,
    models.StarterUnavailable: _DOWNLOADS,
    models.KeptByStore: ("", ""),
    models.StoreNotFound: ("", ""),
    models.HashMismatch: _DOWNLOADS,
    models.TruncatedGguf: _DOWNLOADS,
    models.DamagedGguf: _DOWNLOADS,
    models.MissingShard: _DOWNLOADS,
    models.InvalidReference: _DOWNLOADS,
    models.Offline: _SETTINGS,
    models.HostRefused: _SETTINGS,
    models.HubError: _DOWNLOADS,
    models.HubUnavailable: _SETTINGS,
    models.HubFailing: _DOWNLOADS,
    models.ProxyUnusable: _SETTINGS,
    models.BadCertificateFile: _SETTINGS,
    models.TransferStalled: _DOWNLOADS,
    models.TransferCancelled: _DOWNLOADS,
    models.RemoteFileChanged: _DOWNLOADS,
    models.SizeMismatch: _DOWNLOADS,
    models.UnsafeFilename: _DOWNLOADS,
    models.NotEnoughDisk: _SETTINGS,
    models.CannotWrite: _SETTINGS,
    models.FileInUse: _DOWNLOADS,
    models.CannotListen: ("", ""),
    models.EngineError: _RESTART,
    models.LoadFailed: _CHOOSE,
    models.ContextTooLarge: _SETTINGS,
    models.BadOverride: _CHOOSE,
    models.DraftMismatch: _CHOOSE,
    models.UnknownDevice: _CHOOSE,
    models.BadExpertCount: _CHOOSE,
    models.AdapterRefused: _CHOOSE,
    models.AdapterMismatch: _CHOOSE,
    models.RpcUnreachable: _RETRY,
    models.NotEnoughMemory: _SETTINGS,
    models.ProbeFailed: _CHOOSE,
    models.EngineUnreachable: _RETRY,
    models.AnswerUnreadable: _RETRY,
    models.EmptyPrompt: ("", ""),
    models.PromptTooLong: _SETTINGS,
    models.TemplateFailed: _CHOOSE,
    models.RequestRefused: _RETRY,
    storage.StorageError: _RETRY,
    storage.DatabaseCorrupt: _LOG,
    storage.DatabaseTooNew: ("", ""),
    storage.NoSuchConversation: ("", ""),
    storage.NoSuchMessage: ("", ""),
    storage.NoSuchSetting: ("", ""),
    storage.NoSuchCollection: ("", ""),
    storage.NoSuchSource: ("", ""),
    storage.NoSuchPassage: ("", ""),
    storage.DocumentRefused: ("", ""),
    OSError: _RETRY,
    Exception: _LOG,
}
