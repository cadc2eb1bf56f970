"""Questions about `docs/decisions`, each with words that only the right passage has.

They are asked in other words than the passages', as people ask who have not read them.
"""

from __future__ import annotations

from typing import Final

QUESTIONS: Final = (
    (
        "How is it enforced that lower layers do not import the user interface?",
        "fails on an arrow that points up",
    ),
    (
        "What happens to the window if the inference process is killed for lack of RAM?",
        "take a worker down and never",
    ),
    ("Why not use the official downloader for model files?", "has no cancel"),
    ("Can I get an old answer back after asking again?", "editing or regenerating adds a sibling"),
    ("Does the application phone home or look for new versions?", "no telemetry and no update check"),
    ("Will my access token leak when a server redirects the request?", "never along a redirect to another"),
    (
        "Can I use the terminal while the graphical program is running?",
        "it sends its command line to the owner",
    ),
    ("Where are error messages for users written?", "makes the sentence, with the next step"),
    ("How long does it take to build the native library?", "A compile takes five minutes"),
    (
        "How can one try the program without downloading gigabytes?",
        "cannot be tried, tested or shown offline",
    ),
    ("Why not render chats with an embedded browser?", "Web views freeze on long reasoning"),
    ("How many milliseconds are tokens batched before sending?", "gathers events for up to 50 ms"),
    (
        "What do blind people get from the message list?",
        "describes itself as a list whose items are the messages",
    ),
    (
        "Is the state of a chat stored on disk so that it need not be recomputed?",
        "one file a conversation, mode 0600",
    ),
    ("Do local websites pose a danger to the API server?", "through DNS rebinding"),
    ("How does the program know how much RAM a model needs?", "is asked of llama.cpp itself"),
    ("What does parsing cost for every token?", "A token costs 5 µs"),
    (
        "What can I do when the conversation is longer than the model can read?",
        "a person chooses: a larger context",
    ),
    ("How are pictures represented in the prompt?", "negative number made from the image's SHA-256"),
    ("Does speculative decoding change the output?", "Nothing is accepted by probability"),
    ("Why was an approximate nearest neighbour index rejected?", "An approximate index (HNSW)"),
    ("Can the chat history be protected by a password?", "offers no encryption of its own"),
    ("Is it faster to fetch a file over more than one stream?", "up to four fetch a file"),
    ("Why do conversions of models misbehave with tools?", "most frequent fault of conversions"),
)
