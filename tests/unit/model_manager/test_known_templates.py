"""References for chat templates: hashes that are those of llama.cpp's own, and differences that are found."""

from __future__ import annotations

import tomllib
from pathlib import Path

from model_manager import catalogue, known_templates
from model_manager.known_templates import check, references
from tests.helpers.known_templates import TARGET, TEMPLATES, content

ROOT = Path(known_templates.__file__).parent.parent


def text_of(name: str) -> str:
    return (TEMPLATES / f"{name}.jinja").read_text("utf-8")


def test_the_file_is_what_the_templates_say() -> None:
    assert TARGET.read_text("utf-8") == content(), "run python -m tests.helpers.known_templates"
    data = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["package-data"]
    assert known_templates.FILENAME in data["model_manager"]


def test_the_catalogue_names_references_that_there_are() -> None:
    wanted = {entry.template for entry in catalogue.entries()} - {""}
    assert len(wanted) >= 8
    assert all(references()[name].lines for name in wanted)


def test_only_hashes_are_shipped() -> None:
    shipped = TARGET.read_text("utf-8")
    assert "{%" not in shipped
    assert "<|" not in shipped


def test_a_template_is_known_whatever_its_line_ends_are() -> None:
    text = text_of("openai-gpt-oss-120b")
    for version in (text, text.replace("\n", "\r\n"), text.rstrip() + "\n\n", text.replace("\n", "  \n")):
        found = check(version, "openai-gpt-oss-120b")
        assert (found.verdict, found.known_as, found.changes) == ("same", "openai-gpt-oss-120b", ())


def test_without_an_expectation_any_reference_will_do() -> None:
    assert check(text_of("Qwen-Qwen3-0.6B")).known_as == "Qwen-Qwen3-0.6B"
    assert check("{{ messages }}").verdict == "unknown"
    assert check(None, "GLM-4.7-Flash").verdict == "none"
    assert check("{{ messages }}", "no such reference").verdict == "unknown"


def test_the_lines_that_differ_are_shown() -> None:
    lines = text_of("GLM-4.7-Flash").splitlines()
    changed = [*lines[:4], "{# mine #}", *lines[4:9], *lines[11:]]
    found = check("\n".join(changed), "GLM-4.7-Flash")
    assert found.verdict == "different"
    added, missing = found.changes
    assert (added.at_line, added.n_missing, added.lines) == (5, 0, ("{# mine #}",))
    assert (missing.n_missing, missing.lines) == (2, ())


def test_the_template_of_another_model_is_named() -> None:
    found = check(text_of("Qwen-Qwen3-0.6B"), "openai-gpt-oss-120b")
    assert (found.verdict, found.known_as) == ("different", "Qwen-Qwen3-0.6B")
