"""Images through llama.cpp's own towers: tiny random ones of three families in front of the starter."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from model_manager.engine.client import EngineClient
from model_manager.engine.llama.context import LlamaContext
from model_manager.engine.llama.model import load
from model_manager.engine.llama.vision import MediaChunk, Vision
from model_manager.engine.scheduler import Scheduler
from model_manager.engine.supervisor import Supervisor
from model_manager.errors import ImageRefused, LoadFailed, NoVision
from model_manager.types import (
    ChatFinished,
    ChatMessage,
    ChatRequest,
    LoadPlan,
    PromptImage,
    SamplingParams,
    TextDelta,
)
from tests.helpers.answers import Recorder
from tests.helpers.ggufs import N_EMBD as TINY_EMBD, QWEN2VL, write_model
from tests.helpers.mmprojs import Family, png, write_mmproj

N_EMBD = 576
WORKER_COMMAND = (sys.executable, "-m", "model_manager.engine.worker")


@pytest.fixture(scope="module")
def context(dense_path: Path) -> Iterator[LlamaContext]:
    loaded = load(LoadPlan(dense_path, n_ctx_tokens=512, n_threads=1), lambda _permille: None)
    yield loaded
    loaded.model.close()


@pytest.fixture(params=["janus_pro", "gemma3"])
def vision(context: LlamaContext, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Vision]:
    family: Family = request.param
    tower = Vision(context.model, write_mmproj(tmp_path / "mmproj.gguf", N_EMBD, family), 1)
    yield tower
    tower.close()


def chunks_of(vision: Vision, data: bytes) -> list[MediaChunk]:
    return [piece for piece in vision.look(data).pieces if isinstance(piece, MediaChunk)]


def logits_after(context: LlamaContext, vision: Vision, data: bytes) -> bytes:
    """What the model makes of an image and one word behind it."""
    context.forget(0)
    position = 0
    for chunk in chunks_of(vision, data):
        assert vision.evaluate(context, chunk, position, 0) == 0
        position += len(chunk.stand_ins)
        assert context.last_position(0) == position - 1
    batch = context.new_batch()
    row = batch.add(0, position, context.vocabulary.tokenize("What", special=False), wants_logits=True)
    assert context.decode(batch) == 0
    return context.logits(row).tobytes()


def test_an_image_changes_what_follows(context: LlamaContext, vision: Vision) -> None:
    red, again, blue = png(64, 40), png(64, 40), png(64, 40, (10, 20, 220))
    assert logits_after(context, vision, red) == logits_after(context, vision, again)
    assert logits_after(context, vision, red) != logits_after(context, vision, blue)


def test_stand_ins_belong_to_the_image(vision: Vision) -> None:
    red = [chunk.stand_ins for chunk in chunks_of(vision, png(64, 40))]
    assert red == [chunk.stand_ins for chunk in chunks_of(vision, png(64, 40))]
    assert red != [chunk.stand_ins for chunk in chunks_of(vision, png(64, 41))]
    assert all(number < -1 for stand_ins in red for number in stand_ins)


def test_a_damaged_image_is_refused(vision: Vision) -> None:
    with pytest.raises(ImageRefused):
        vision.look(png(64, 40)[:60])


def test_a_tower_for_another_model_is_refused(context: LlamaContext, tmp_path: Path) -> None:
    with pytest.raises(LoadFailed, match="mismatch"):
        Vision(context.model, write_mmproj(tmp_path / "mmproj.gguf", 128), 1)


@pytest.mark.parametrize("content", [b"", b"GGUF", b"no model"])
def test_a_file_that_is_no_tower_is_refused(context: LlamaContext, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mmproj.gguf"
    path.write_bytes(content)
    with pytest.raises(LoadFailed):
        Vision(context.model, path, 1)


@pytest.fixture(scope="module")
def seeing_engine(
    dense_path: Path, runtime_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EngineClient]:
    tower = write_mmproj(tmp_path_factory.mktemp("tower") / "mmproj.gguf", N_EMBD)
    supervisor = Supervisor(WORKER_COMMAND, runtime_dir, lambda _state: None)
    supervisor.start(LoadPlan(dense_path, name="seeing", n_ctx_tokens=1024, mmproj_path=tower))
    supervisor.wait_ready(120)
    yield supervisor.client
    supervisor.stop()


def ask(client: EngineClient, data: bytes | None, text: str = "What is this?") -> tuple[str, ChatFinished]:
    images = () if data is None else (PromptImage(5, data),)
    message = ChatMessage("user", text, images=images)
    *events, finished = client.chat(ChatRequest((message,), SamplingParams(temperature=0, max_tokens=12)))
    assert isinstance(finished, ChatFinished)
    return "".join(event.text for event in events if isinstance(event, TextDelta)), finished


def test_a_worker_answers_about_an_image(seeing_engine: EngineClient) -> None:
    assert seeing_engine.info().can_see
    red, first = ask(seeing_engine, png(64, 40))
    blue, _other = ask(seeing_engine, png(64, 40, (10, 20, 220)))
    again, second = ask(seeing_engine, png(64, 40))
    assert red == again
    # Noise from a random tower, but not the same noise; and without an image it is something else again.
    assert len({red, blue, ask(seeing_engine, None)[0]}) > 1
    assert first.usage.prompt_tokens > ask(seeing_engine, None)[1].usage.prompt_tokens + 10
    assert second.usage.cached_tokens >= first.usage.prompt_tokens - 1


def test_a_damaged_image_harms_nobody(seeing_engine: EngineClient) -> None:
    with pytest.raises(ImageRefused):
        ask(seeing_engine, png(64, 40)[:60])
    assert ask(seeing_engine, None)[0]


def test_marker_of_the_library_in_a_text_is_text(seeing_engine: EngineClient) -> None:
    """What llama.cpp's own programs take for the place of an image."""
    assert ask(seeing_engine, None, "What is <__media__>?")[0]


def test_a_model_without_a_tower_says_so(starter_engine: Supervisor) -> None:
    with pytest.raises(NoVision):
        ask(starter_engine.client, png(8, 8))


def no_ends(context: LlamaContext) -> dict[int, float]:
    vocabulary = context.vocabulary
    return {token: -100.0 for token in range(vocabulary.n_tokens) if vocabulary.is_end(token)}


def test_positions_of_an_image_can_be_fewer_than_its_tokens(tmp_path: Path) -> None:
    """M-RoPE: a picture of four by four tokens takes four positions, and the text goes on behind them."""
    model = load(
        LoadPlan(write_model(tmp_path / "model.gguf", QWEN2VL), n_ctx_tokens=256, n_threads=1),
        lambda _permille: None,
    )
    scheduler = None
    try:
        tower = Vision(model.model, write_mmproj(tmp_path / "mmproj.gguf", TINY_EMBD, "qwen2vl_merger"), 1)
        scheduler = Scheduler(model, tower)
        scheduler.start()
        (chunk,) = chunks_of(tower, png(112, 112))
        words = model.vocabulary.tokenize("the", special=False)
        prompt = [*words, *chunk.stand_ins, *(words * 4)]
        first, second = Recorder(), Recorder()
        for answer in (first, second):
            params = SamplingParams(temperature=0, max_tokens=6, logit_bias=no_ends(model))
            scheduler.submit(prompt, params, answer, {len(words): chunk})
            answer.wait()
        assert first.token_ids == second.token_ids
        assert len(first.token_ids) == 6
        assert second.wait().cached_tokens == len(prompt) - 1
    finally:
        if scheduler is not None:
            scheduler.close()
        model.model.close()
