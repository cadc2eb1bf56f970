"""Pictures of the real program on a virtual screen: `make screenshots`, then look at them.

python -m tests.helpers.screenshots FOLDER
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.helpers.screen import Program, Screen

LOOKS = [
    # name, theme, language, width, height
    ("light-en", "light", "en", 1280, 820),
    ("dark-en", "dark", "en", 1280, 820),
    ("light-zh", "light", "zh_CN", 1280, 820),
    ("dark-zh-small", "dark", "zh_CN", 700, 560),
]
MARKDOWN = "Write a Python function that adds two numbers, with an example."


def coterie(data_dir: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "app", "--data-dir", str(data_dir), *arguments]
    subprocess.run(command, check=True, capture_output=True)


def main(folder: Path) -> None:
    for name, theme, language, width, height in LOOKS:
        with tempfile.TemporaryDirectory() as temporary, Screen(width, height) as screen:
            data_dir = Path(temporary) / "data"
            for key, value in (
                ("theme", theme),
                ("language", language),
                (
                    "sampling_defaults",
                    json.dumps({"max_tokens": 160, "temperature": 0, "think_budget_tokens": 60}),
                ),
            ):
                coterie(data_dir, "settings", "set", key, value)
            coterie(data_dir, "chat", "Name three rivers of Europe.")
            coterie(data_dir, "chat", "-m", "starter-thinking", "为什么天空是蓝色的？")
            with Program(env=screen.environment(), data_dir=data_dir) as program:
                program.wait_for("window ready")
                window = screen.xdotool(
                    "search", "--sync", "--onlyvisible", "--name", "Coterie"
                ).splitlines()[-1]
                screen.xdotool("windowmove", window, "0", "0")
                screen.xdotool("windowsize", "--sync", window, str(width), str(height))
                screen.xdotool("windowfocus", "--sync", window)
                screen.shoot(folder / f"{name}-welcome.png")
                screen.type("What is a mixture of experts?")
                screen.key("Return")
                program.wait_for("ended: complete")
                screen.type(MARKDOWN)
                screen.key("Return")
                program.wait_for("ended: complete")
                screen.shoot(folder / f"{name}-answer.png")
                for shortcut, page in (
                    ("ctrl+j", "downloads"),
                    ("ctrl+l", "models"),
                    ("ctrl+comma", "settings"),
                ):
                    screen.key(shortcut)
                    screen.xdotool("sleep", "1")
                    screen.shoot(folder / f"{name}-{page}.png")
                    screen.key("Escape")
                    screen.xdotool("sleep", "0.3")


main(Path(sys.argv[1]))
