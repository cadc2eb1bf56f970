"""What may be typed, and what is said to the rest."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from app.cli.parser import HelpWanted, parse
from app.errors import BadUsage


def test_nothing_means_the_window() -> None:
    arguments = parse([])
    assert arguments.run is None
    assert (arguments.data_dir, arguments.verbosity, arguments.json) == (None, 0, False)


@pytest.mark.parametrize(
    "argv",
    [
        ["--data-dir", "D", "-vv", "--json", "models", "list"],
        ["models", "list", "--data-dir", "D", "-vv", "--json"],
        ["--data-dir", "D", "models", "-vv", "list", "--json"],
    ],
)
def test_common_options_may_stand_anywhere(argv: list[str]) -> None:
    arguments = parse(argv)
    assert (arguments.data_dir, arguments.verbosity, arguments.json) == ("D", 2, True)


def test_chat_takes_its_options() -> None:
    options = [
        "-m",
        "M",
        "-c",
        "3",
        "--max-tokens",
        "9",
        "--seed",
        "0",
        "--temperature",
        "0",
        "--think",
        "on",
    ]
    arguments = parse(["chat", *options, "--think-budget", "20", "Hello"])
    assert (arguments.model, arguments.conversation, arguments.prompt) == ("M", 3, "Hello")
    assert (arguments.max_tokens, arguments.seed, arguments.temperature) == (9, 0, 0.0)
    assert (arguments.think, arguments.think_budget) == ("on", 20)


def test_chat_without_a_prompt_leaves_all_to_the_defaults() -> None:
    arguments = parse(["chat"])
    unset = ("model", "conversation", "prompt", "max_tokens", "seed", "temperature", "think", "think_budget")
    assert [getattr(arguments, name) for name in unset] == [None] * len(unset)


@pytest.mark.parametrize(
    "argv",
    [
        ["nonsense"],
        ["chat", "--max-tokens", "0", "Hi"],
        ["chat", "--max-tokens", "many", "Hi"],
        ["chat", "--temperature", "-1", "Hi"],
        ["chat", "--temperature", "nan", "Hi"],
        ["chat", "--think", "perhaps", "Hi"],
        ["chat", "-c", "first", "Hi"],
        ["chat", "Hi", "there"],
        ["models"],
        ["models", "download"],
        ["models", "pause", "first"],
        ["conversations", "search"],
        ["conversations", "show", "first"],
        ["settings", "set", "offline"],
        ["list", "--no-such-option"],
    ],
)
def test_nonsense_is_bad_usage(argv: list[str]) -> None:
    with pytest.raises(BadUsage, match=r"^usage: coterie[^\0]*\ncoterie"):
        parse(argv)


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["--help"], "conversations"),
        (["chat", "-h"], "--think-budget"),
        (["models", "download", "--help"], "REF"),
        (["--version"], f"coterie {version('coterie')}\n"),
    ],
)
def test_help_is_an_answer(argv: list[str], text: str) -> None:
    with pytest.raises(HelpWanted) as wanted:
        parse(argv)
    assert text in str(wanted.value)


@pytest.mark.parametrize(
    "argv",
    [["inspect"], ["inspect", "3"], ["inspect", "3", "--routing", "--tokens"], ["inspect", "x", "--tokens"]],
)
def test_inspect_wants_an_answer_and_one_thing(argv: list[str]) -> None:
    with pytest.raises(BadUsage):
        parse(argv)


@pytest.mark.parametrize(
    "argv",
    [
        ["models", "tune", "m", "--seconds", "x"],
        ["serve", "--port", "x"],
        ["adapters", "add", "m", "f", "--scale", "x"],
    ],
)
def test_a_value_that_cannot_be_is_said_without_names_of_functions(argv: list[str]) -> None:
    with pytest.raises(BadUsage, match=r": invalid value: 'x'$"):
        parse(argv)
