"""Every error has words of its own, in both languages, with its numbers made readable."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from model_manager import errors as models
from storage import errors as stores
from ui import i18n
from ui.text import has_words_for, notice_for, sentence

ARGUMENTS: dict[str, Any] = {
    "path": Path("/data/models/a.gguf"),
    "reason": "why not",
    "name": "starter",
    "expected_sha256": "0" * 64,
    "actual_sha256": "1" * 64,
    "ref": "owner/repo",
    "choices": (),
    "missing": ("a-00002-of-00003.gguf",),
    "host": "hub.example",
    "status": 418,
    "url": "https://hub.example/a.gguf",
    "timeout_s": 90.0,
    "expected_bytes": 4_370_000_000,
    "received_bytes": 12,
    "filename": "../a",
    "needed_bytes": 23_000_000_000,
    "free_bytes": 1_200_000_000,
    "n_ctx_tokens": 32_768,
    "n_ctx_train_tokens": 8192,
    "exit_code": None,
    "signal": 9,
    "last_words": "ggml: boom",
    "out_of_memory": False,
    "address": "http://127.0.0.1:8080",
    "prompt_tokens": 9000,
    "code": -3,
    "conversation_id": 7,
    "message_id": 8,
    "draft": "starter-dense",
    "download_id": 9,
    "key": "colour",
    "found_version": 9,
    "known_version": 4,
    "pattern": "blk[.]99",
    "device": "CUDA0",
    "known": "CPU, RPC0",
    "n_experts_used": 12,
    "n_experts": 8,
    "endpoint": "10.0.0.2:50052",
    "available_bytes": 8_000_000_000,
    "fits_ctx_tokens": 16_384,
    "ending": "crashed",
    "port": 8733,
    "proxy": "http://proxy.example:3128",
    "passage_id": 12,
    "why": "encrypted",
    "type_name": "IQ2_XS",
    "tensor": "blk.0.ffn_up.weight",
    "size_bytes": 4_000_000_000,
    "store": "ollama",
    "store_name": "qwen3:8b",
    "where": "lmstudio",
    "detail": "../a",
    "is_cut_off": False,
}


def subclasses(base: type[Exception]) -> Iterator[type[Exception]]:
    yield base
    for kind in base.__subclasses__():
        yield from subclasses(kind)


def all_kinds() -> list[type[Exception]]:
    modules = (
        "model_manager.errors",
        "model_manager.transfer_errors",
        "model_manager.quantize_errors",
        "storage.errors",
    )
    kinds = {*subclasses(models.ModelManagerError), *subclasses(stores.StorageError)}
    return sorted((kind for kind in kinds if kind.__module__ in modules), key=lambda kind: kind.__name__)


def make(kind: type[Exception], **changes: Any) -> Exception:
    names = [] if kind.__init__ is Exception.__init__ else list(inspect.signature(kind).parameters)
    return kind(*[(ARGUMENTS | changes)[name] for name in names])


@pytest.mark.parametrize("language", ["en", "zh_CN"])
@pytest.mark.parametrize("kind", all_kinds())
def test_every_error_has_its_own_sentence(kind: type[Exception], language: str) -> None:
    assert has_words_for(kind)
    i18n.set_language(language)
    words = sentence(make(kind))
    assert "{" not in words
    assert words.count("。" if language == "zh_CN" else ".") >= 1, "what happened, and what to do next"
    assert words == words.strip()


def test_no_two_errors_say_the_same() -> None:
    words = {kind.__name__: sentence(make(kind)) for kind in all_kinds()}
    assert len(set(words.values())) == len(words)


def test_a_subclass_without_words_borrows_its_base() -> None:
    class Odd(models.NotGguf):
        pass

    assert sentence(Odd(Path("/a/b.bin"))) == sentence(models.NotGguf(Path("/a/b.bin")))


def test_numbers_are_readable() -> None:
    words = sentence(models.NotEnoughDisk(23_000_000_000, 1_234_000_000, Path("/data")))
    assert "23.0 GB" in words
    assert "1.23 GB" in words
    assert "8,192" in sentence(models.ContextTooLarge(32_768, 8192))
    assert "1 min 30 s" in sentence(models.TransferStalled("https://hub.example/x", 90))


def test_ambiguous_reference_names_the_choices() -> None:
    words = sentence(models.InvalidReference("a/b", tuple(f"Q{n}" for n in range(20))))
    assert "Q0, Q1" in words
    assert "Q8" not in words


def test_out_of_memory_is_said_as_such() -> None:
    assert "memory" in sentence(make(models.EngineDied, out_of_memory=True))
    assert "memory" not in sentence(make(models.EngineDied))


def test_unknown_exceptions_get_a_general_sentence() -> None:
    notice = notice_for(ZeroDivisionError("division by zero"))
    assert "ZeroDivisionError" in notice.sentence
    assert notice.detail == "ZeroDivisionError: division by zero"
    assert notice.action_id == "show_log"


def test_urls_show_their_host_alone() -> None:
    assert "secret" not in sentence(models.NotOnHub(404, "https://hub.example/a?secret=1"))


@pytest.mark.parametrize("kind", all_kinds())
def test_every_notice_is_whole(kind: type[Exception]) -> None:
    notice = notice_for(make(kind))
    assert bool(notice.action) == bool(notice.action_id)
    assert notice.action_id in (
        "",
        "restart_engine",
        "retry",
        "choose_model",
        "open_downloads",
        "open_settings",
        "show_log",
    )


@pytest.mark.parametrize(
    ("error", "action_id"),
    [
        (make(models.EngineDied), "restart_engine"),
        (make(models.EngineStalled), "restart_engine"),
        (make(models.LoadFailed), "choose_model"),
        (make(models.Offline), "open_settings"),
        (make(models.StarterUnavailable), "open_downloads"),
        (make(stores.DatabaseDiskFull), "retry"),
        (PermissionError(13, "Permission denied"), "retry"),
    ],
)
def test_the_button_fits(error: Exception, action_id: str) -> None:
    assert notice_for(error).action_id == action_id


def test_last_words_are_the_detail() -> None:
    assert notice_for(make(models.EngineDied)).detail == "signal 9\nggml: boom"


def test_what_does_not_fit_is_told_by_how_much_and_what_would() -> None:
    words = sentence(models.NotEnoughMemory("m", "CPU", 12_000_000_000, 8_000_000_000, 16_384))
    assert "12.0 GB" in words
    assert "8.00 GB" in words
    assert "4.00 GB" in words
    assert "16,384 tokens" in words
    assert "even with a short context" in sentence(models.NotEnoughMemory("m", "CPU", 12, 8, 0))
    assert "CUDA0" in sentence(models.NotEnoughMemory("m", "CUDA0", 12, 8, 0))


@pytest.mark.parametrize(("ending", "words"), [("hung", "long"), ("memory", "memory"), ("crashed", "crash")])
def test_a_probe_that_failed_says_how(ending: str, words: str) -> None:
    assert words in sentence(make(models.ProbeFailed, ending=ending))


def test_a_pattern_of_nothing_is_not_a_wrong_pattern() -> None:
    assert sentence(models.BadOverride("x(", "unbalanced")) != sentence(models.BadOverride("x("))
    assert sentence(models.BadExpertCount(3, 0)) != sentence(models.BadExpertCount(9, 8))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (models.ModelNotFound("/mnt/a.gguf"), "There is no model file at /mnt/a.gguf."),
        (models.ModelNotFound("jan/tiny"), "The library has no model named “jan/tiny”."),
        (models.StoreNotFound("jan", ("hub", "jan")), "“jan” keeps no models on this computer"),
        (models.StoreNotFound("/mnt", ("hub", "jan")), "There is no folder of models at “/mnt”."),
        (models.NotOffered("o/r:Q9", ("Q4_K_M",)), "“o/r:Q9” is not offered. Choose one of these: Q4_K_M."),
        (models.NotOffered("o/r"), "“o/r” holds no model in GGUF files. Choose another repository."),
        (
            models.NotOffered("o/r", (), ("a-2-of-2.gguf",)),
            "and the hub lacks “a-2-of-2.gguf”. Choose another",
        ),
    ],
)
def test_what_is_not_there_is_called_by_what_it_is(error: Exception, words: str) -> None:
    assert words in sentence(error)


def test_an_export_that_was_cut_off_is_told_from_what_is_none() -> None:
    words = {sentence(make(stores.UnknownExport, is_cut_off=is_cut_off)) for is_cut_off in (True, False)}
    assert len(words) == 2
