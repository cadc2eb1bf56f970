"""What an answer must be, from a file that the command line names: a JSON schema or a grammar."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from app.errors import BadUsage
from model_manager.types import Likelihood, OutputFormat, TokenLogprobs
from ui.i18n import tr


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare them."""
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument(
        "--schema", metavar="FILE", type=Path, help="every answer is JSON that meets this JSON schema"
    )
    shape.add_argument("--grammar", metavar="FILE", type=Path, help="every answer obeys this grammar (GBNF)")
    parser.add_argument(
        "--logprobs",
        metavar="N",
        type=int,
        choices=range(21),
        help="with --json: how likely each token was, and N alternatives, 0 to 20",
    )


def output_format(arguments: argparse.Namespace) -> OutputFormat | None:
    """What was asked for; None is any text.

    Raises:
        BadUsage: The file cannot be read, or holds no schema.
    """
    if arguments.logprobs is not None and not arguments.json:
        raise BadUsage(tr("--logprobs needs --json: the numbers have no place in a plain answer."))
    if arguments.grammar is not None:
        return OutputFormat(grammar=_read(arguments.grammar))
    if arguments.schema is None:
        return None
    try:
        schema = json.loads(_read(arguments.schema))
    except (ValueError, RecursionError) as error:
        reason = str(error) or type(error).__name__
        raise BadUsage(
            tr("“{file}” is not JSON ({reason}). Give a JSON schema.", file=arguments.schema, reason=reason)
        ) from error
    if not isinstance(schema, (dict, bool)):
        raise BadUsage(tr("“{file}” is JSON, but no schema: that is an object.", file=arguments.schema))
    return OutputFormat(schema=schema)


def logprobs_line(told: TokenLogprobs) -> dict[str, Any]:
    """The line of JSON about one token; it comes before the token's text."""
    return {"type": "logprobs", **_likelihood(told.chosen), "top": [_likelihood(one) for one in told.top]}


def _likelihood(one: Likelihood) -> dict[str, Any]:
    return {
        "id": one.token_id,
        "token": one.piece.decode("utf-8", "replace"),
        "bytes": list(one.piece),
        "logprob": one.logprob,
    }


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise BadUsage(
            tr("“{file}” cannot be read: {reason}.", file=path, reason=error.strerror or error)
        ) from error
    except UnicodeDecodeError as error:
        raise BadUsage(tr("“{file}” is not a text in UTF-8.", file=path)) from error
