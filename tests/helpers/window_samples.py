"""Values such as the window is given, for tests and pictures of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from PySide6.QtCore import QBuffer, QByteArray, QIODevice
from PySide6.QtGui import QColor, QImage, QPainter

from model_manager import errors
from model_manager.types import DeviceMemory, DownloadSnapshot, EngineInfo, ModelEntry, Placement
from storage.records import Conversation, Generation, Message, Part, PartKind, SearchHit

NOW = datetime.now(UTC)
TITLES = (
    ("What a mixture of experts is", 0),
    ("Reading Middlemarch with a friend who is impatient with long sentences and wants summaries", 0),
    ("Duplicate files in Python", 1),
    ("专家混合模型如何选择专家", 1),
    ("Trip to Kyoto in late November", 3),
    ("Letter to the landlord", 5),
    ("Why is the sky dark at night?", 12),
    ("Bread with little yeast", 20),
    ("", 26),
    ("SQLite and write-ahead logs", 48),
    ("Names for a cat", 75),
)
MODELS = (
    ModelEntry(
        "starter",
        (Path("/home/ada/.cache/coterie/starter.gguf"),),
        512_000_000,
        "llama",
        8,
        2,
        8192,
        "Q4_1",
        sha256=("0" * 64,),
        is_starter=True,
        is_ours=True,
    ),
    ModelEntry(
        "starter-thinking",
        (Path("/home/ada/.cache/coterie/starter.gguf"),),
        512_000_000,
        "llama",
        8,
        2,
        8192,
        "Q4_1",
        is_starter=True,
    ),
    ModelEntry(
        "Qwen3-30B-A3B-Instruct-2507-UD-Q4_K_XL",
        tuple(Path(f"/home/ada/models/Qwen3-30B-A3B-{i:05}-of-00003.gguf") for i in (1, 2, 3)),
        17_720_000_000,
        "qwen3moe",
        128,
        8,
        262_144,
        "Q4_K_XL",
        sha256=("0" * 64,),
        is_ours=True,
        tags=("daily",),
        state="verified",
        used_at=NOW,
        decode_tokens_per_s=17.9,
    ),
    ModelEntry(
        "gpt-oss-20b-mxfp4",
        (Path("/media/disk/gone/gpt-oss-20b-mxfp4.gguf"),),
        12_100_000_000,
        "gpt-oss",
        32,
        4,
        131_072,
        "MXFP4",
        is_missing=True,
        state="missing",
        missing_paths=(Path("/media/disk/gone/gpt-oss-20b-mxfp4.gguf"),),
    ),
    ModelEntry(
        "SmolLM2-135M-Instruct.Q4_1",
        (Path("/home/ada/models/SmolLM2-135M-Instruct.Q4_1.gguf"),),
        98_000_000,
        "llama",
        0,
        0,
        8192,
        "Q4_1",
    ),
)
PLACEMENT = Placement(
    (DeviceMemory("CPU", weights_bytes=455_000_000, kv_bytes=189_000_000, compute_bytes=27_000_000),)
)
INFO = EngineInfo(
    "starter", "llama", 8192, 8192, 30, 8, 2, False, 2, "AVX2 = 1", "llama.cpp", placement=PLACEMENT
)
ANSWER = """A **mixture of experts** is a network in which only a few parts work on each word.

1. A small *router* looks at the word and scores every expert.
2. The best two of eight compute, the others rest.

```python
chosen = scores.topk(2).indices
```

So a large model can be as fast as a small one: $t \\propto k / n$.
"""


def conversations() -> list[Conversation]:
    return [
        Conversation(i, title, NOW - timedelta(days=days), NOW - timedelta(days=days, minutes=i), head_id=1)
        for i, (title, days) in enumerate(TITLES, 1)
    ]


def messages() -> list[Message]:
    made = Generation(
        "starter", prompt_tokens=31, completion_tokens=122, reasoning_tokens=40, decode_tokens_per_s=61.0
    )
    return [
        Message(
            1, 1, None, "user", "complete", NOW, (Part("text", "What is a mixture of experts?"),), None, (1,)
        ),
        Message(
            2,
            1,
            1,
            "assistant",
            "complete",
            NOW,
            (Part("reasoning", "The person asks for a definition; be short."), Part("text", ANSWER)),
            made,
            (2, 3),
        ),
    ]


def picture(width: int, height: int, color: str) -> bytes:
    """A PNG of one colour with a lighter square."""
    image = QImage(width, height, QImage.Format.Format_RGB32)
    image.fill(QColor(color))
    painter = QPainter(image)
    painter.fillRect(width // 4, height // 4, width // 2, height // 2, QColor(color).lighter(150))
    painter.end()
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]  # the format is text
    return bytes(data.data())


def attached() -> tuple[Part, ...]:
    """Images, one of which cannot be drawn, and a file with a long name."""
    return (
        Part("image", name="router.png", data=picture(640, 400, "#35658f")),
        Part("image", name="tall.png", data=picture(120, 600, "#8f5b35")),
        Part("file", "words", "notes about mixtures of experts, second edition, with comments.txt"),
        Part("image", name="damaged.png", data=b"\x89PNG"),
    )


def messages_with_parts() -> list[Message]:
    """A question with images and files, an answer that used tools."""
    question, answer = messages()
    used = (
        Part("reasoning", "Look it up."),
        Part("tool_call", '{"query": "mixture of experts", "limit": 3}', "web_search", "c1"),
        Part("tool_result", "Such layers route each token to a few experts.", "web_search", "c1"),
        Part("tool_call", "print(8 // 2)", "python", "c2"),
        Part("text", "A router chooses **two of eight** experts for each word."),
    )
    asked = tuple(replace(part, data=None) for part in attached())
    return [replace(question, parts=(*asked, *question.parts)), replace(answer, parts=used)]


def hits() -> list[SearchHit]:
    def hit(i: int, part: PartKind, title: str, snippet: str) -> SearchHit:
        marked = snippet.replace("[", "\ue000").replace("]", "\ue001")
        return SearchHit(i, i, part, marked, title, NOW - timedelta(days=i))

    return [
        hit(
            0,
            "text",
            "What a mixture of experts is",
            "… a router scores every [expert], two work …",
        ),
        hit(
            1,
            "reasoning",
            "专家混合模型如何选择专家",
            "路由器为每个[专家]打分，只让两个[专家]计算…",
        ),
        hit(
            9,
            "reasoning",
            "Reading Middlemarch with a friend who is impatient",
            "… no [expert] in the sense of the word that Casaubon would use, and yet his learning is …",
        ),
    ]


def downloads() -> list[DownloadSnapshot]:
    qwen = "unsloth/Qwen3-30B-A3B-Instruct-2507-GGUF:Q4_K_XL"
    return [
        DownloadSnapshot(
            1,
            qwen,
            "Qwen3-30B-A3B-Instruct-2507-UD-Q4_K_XL",
            "running",
            7_312_000_000,
            17_720_000_000,
            38.4e6,
            271,
        ),
        DownloadSnapshot(
            2, "ggml-org/gpt-oss-20b-GGUF", "gpt-oss-20b-mxfp4", "paused", 2_000_000_000, 12_100_000_000
        ),
        DownloadSnapshot(3, "a/b", "granite-4.0-h-tiny-Q4_K_M", "queued", 0, None),
        DownloadSnapshot(
            4,
            "c/d",
            "DeepSeek-V2-Lite-Chat.Q5_K_M",
            "failed",
            900_000_000,
            11_900_000_000,
            error=errors.NotEnoughDisk(11_000_000_000, 4_200_000_000, Path("/home/ada/models")),
        ),
        DownloadSnapshot(
            5,
            "e/f",
            "LFM2-8B-A1B-Q4_K_M",
            "verifying",
            5_040_000_000,
            5_040_000_000,
            verified_bytes=3_100_000_000,
        ),
        DownloadSnapshot(6, "g/h", "SmolLM2-135M-Instruct.Q4_1", "done", 98_000_000, 98_000_000),
    ]
