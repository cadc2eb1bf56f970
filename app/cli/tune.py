"""`coterie models tune`: measures how a model is loaded best on this machine, and keeps that."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from app import tuning
from app.cli.choices import model_name
from app.cli.output import print_json, print_table
from app.cli.progress import ProgressLine
from app.console import Console
from app.errors import Interrupted
from app.keep_awake import keep_awake
from app.services import Services
from app.words import sentence
from model_manager.engine.client import Cancel
from model_manager.tuning import WORTHWHILE, Speed, Trial, Tuning
from ui import tuning_words
from ui.i18n import tr

_LIMIT_S = 60.0


def add_action(action: Callable[[str, Any, str], argparse.ArgumentParser]) -> None:
    """Declare it."""
    parser = action("tune", run, "measure how a model is loaded best here, and load it so from then on")
    parser.add_argument("name", metavar="MODEL")
    parser.add_argument(
        "--seconds", metavar="N", type=_seconds, default=_LIMIT_S, help="begin no trial after so long; 60"
    )


def run(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Measure, print each trial and what came of it; Ctrl+C keeps the plan that was there."""
    entry = services.library.get(model_name(arguments.name, services, console))
    cancel = Cancel()
    line = ProgressLine(console)

    def on_trial(trial: Trial) -> None:
        line.clear()
        if arguments.json:
            print_json(console, {"type": "trial", **_trial_json(trial)})
        else:
            console.out(f"{_trial_words(trial)}\n")
            line.show(tr("Measuring …"))

    line.show(tr("Measuring …"))
    try:
        with keep_awake(), console.on_interrupt(cancel.set):
            found = tuning.measure(
                services.engines,
                services.vetting,
                services.library,
                entry,
                arguments.seconds,
                cancel,
                on_trial,
            )
    except Interrupted:
        line.clear()
        console.err(f"coterie: {tr('Stopped; the model is loaded as before.')}\n")
        raise
    line.clear()
    if arguments.json:
        print_json(console, {"type": "done", "name": entry.name, **_outcome_json(found)})
    else:
        _print_outcome(console, found)
    return 0


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < 86_400:
        raise argparse.ArgumentTypeError(f"{text} is no number of seconds")
    return value


def _trial_words(trial: Trial) -> str:
    changes = ", ".join(tuning_words.change(name, value) for name, value in trial.changes.items())
    if trial.speed is None:
        assert trial.error is not None
        return f"{changes} — {sentence(trial.error)}"
    speed = tuning_words.speed(trial.speed.prefill_tokens_per_s, trial.speed.decode_tokens_per_s)
    verdict = tr("taken") if trial.is_taken else tr("not taken")
    if not trial.is_taken and trial.gain >= WORTHWHILE:
        verdict = tr("not taken: its measurements disagree")
    return f"{changes} — {speed}, {trial.gain:.2f} x, {verdict}"


def _print_outcome(console: Console, found: Tuning) -> None:
    if not found.changes:
        console.out(tr("Nothing made it clearly faster; the model is loaded as before.") + "\n")
    else:
        console.out(tr("From now on it is loaded so; `coterie models plan` shows and changes it.") + "\n")
    rows = [
        [words, tuning_words.speed(speed.prefill_tokens_per_s, speed.decode_tokens_per_s)]
        for words, speed in ((tr("before"), found.before), (tr("now"), found.after))
        if speed is not None
    ]
    print_table(console, rows)


def _trial_json(trial: Trial) -> dict[str, Any]:
    return {
        "changes": dict(trial.changes),
        "gain": trial.gain,
        "is_taken": trial.is_taken,
        "error": type(trial.error).__name__ if trial.error is not None else None,
        **_speed_json(trial.speed),
    }


def _outcome_json(found: Tuning) -> dict[str, Any]:
    return {
        "changes": found.changes,
        "gain": found.gain,
        "before": _speed_json(found.before),
        "after": _speed_json(found.after),
    }


def _speed_json(speed: Speed | None) -> dict[str, float | None]:
    return asdict(speed) if speed is not None else dict.fromkeys(Speed.__dataclass_fields__)
