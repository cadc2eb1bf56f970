"""Writes the hashes of the templates in `tests/data/templates` into the program.

python -m tests.helpers.known_templates
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import model_manager
from model_manager import catalogue
from model_manager.known_templates import FILENAME, digest_of, line_digests

TEMPLATES = Path(__file__).parents[1] / "data" / "templates"
TARGET = Path(model_manager.__file__).parent / FILENAME


def content() -> str:
    """What the file should hold."""
    wanted = {entry.template for entry in catalogue.entries()}
    templates: dict[str, Any] = {}
    for path in sorted(TEMPLATES.glob("*.jinja")):
        text = path.read_text("utf-8")
        templates[path.stem] = {"sha256": digest_of(text)}
        if path.stem in wanted:
            templates[path.stem]["lines"] = "".join(line_digests(text))
    source = "llama.cpp@0c1e57098 models/templates, hashes only; see known_templates.py"
    return json.dumps({"source": source, "templates": templates}, indent=1) + "\n"


if __name__ == "__main__":
    TARGET.write_text(content(), "utf-8")
