"""Collections, documents, passages and two answers side by side, to show."""

from __future__ import annotations

from ui.knowledge.values import CitedPassage, CollectionRow, DocumentRow, SourceRows
from ui.values import ComparedText, Comparison

COLLECTIONS = (
    CollectionRow("Papers about mixtures", 4, 212, 212, "starter-dense"),
    CollectionRow("工作笔记", 31, 1204, 480, "starter-dense"),
    CollectionRow("A collection with a name that is longer than there is room for it in a button", 1, 3),
)
SOURCES = (
    SourceRows(
        "/home/user/Documents/papers",
        (
            DocumentRow("/home/user/Documents/papers/2022 Switch Transformers.pdf", 118),
            DocumentRow("/home/user/Documents/papers/surveys/混合专家模型综述.docx", 64),
            DocumentRow(
                "/home/user/Documents/papers/scans/1991 Adaptive Mixtures of Local Experts.pdf",
                0,
                "“1991 Adaptive Mixtures of Local Experts.pdf” holds no text; it may be empty or a scan.",
            ),
        ),
    ),
    SourceRows("/home/user/notes/routing.md", (DocumentRow("/home/user/notes/routing.md", 30),)),
)
PASSAGES = (
    CitedPassage(
        1,
        "2022 Switch Transformers.pdf:p5 “Switch Transformers” > Simplifying Sparse Routing",
        "/home/user/Documents/papers/2022 Switch Transformers.pdf",
        "The router computes logits for all experts and normalizes them by a softmax. Each token is then"
        " sent to the experts with the largest values.\n\nA load-balancing loss keeps the experts busy.",
    ),
    CitedPassage(
        2,
        "routing.md:12 Routing > Cost",
        "/home/user/notes/routing.md",
        "Only the chosen experts are computed, so the time for a token follows the active parameters.",
    ),
)
PROGRESS = ("Computing vectors: 480 of 1,204", 398)
COMPARISON = Comparison(
    4,
    2,
    (
        ("Model", "starter", "Qwen3-30B-A3B-Instruct-2507-UD-Q4_K_XL"),
        ("Tokens", "122", "140"),
        ("Thought", "-", "64"),
        ("Tokens/s", "61.0", "18.4"),
        ("seed", "7", "-"),
        ("temperature", "0.8", "0.2"),
    ),
    (
        ComparedText("reasoning", 0.0, (), (("First the idea, then an example.", True),)),
        ComparedText(
            "text",
            0.71,
            (
                ("A mixture of experts is a network", False),
                (" of many small networks", True),
                (". A router chooses", False),
                (" two", True),
                (" of them for each token.", False),
            ),
            (
                ("A mixture of experts is a network", False),
                (" whose layers hold several feed-forward networks, the experts", True),
                (". A router chooses", False),
                (" some", True),
                (" of them for each token.", False),
            ),
        ),
    ),
)
