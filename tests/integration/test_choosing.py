"""Grammars, likelihoods and least lengths in the decode loop, with the real starter."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from model_manager.engine.constraint import Constraint
from model_manager.engine.jobs import CONTINUE, Feed, Verdict
from model_manager.engine.llama.context import LlamaContext
from model_manager.engine.llama.grammar import Grammar
from model_manager.engine.llama.model import load as load_model
from model_manager.engine.scheduler import Scheduler
from model_manager.engine.schema import schema_grammar
from model_manager.errors import ConstraintFailed, GrammarRefused
from model_manager.types import LoadPlan, SamplingParams
from tests.helpers.answers import Recorder
from tests.helpers.schemas import is_valid, schemas

QUESTION = "<|im_start|>user\nIs the sea salty? Tell me more about it.<|im_end|>\n<|im_start|>assistant\n"
COLOURS = 'root ::= "red" | "green" | "blue and yellow"'


@pytest.fixture(scope="module")
def model(dense_path: Path) -> Iterator[LlamaContext]:
    loaded = load_model(
        LoadPlan(dense_path, n_ctx_tokens=1024, n_parallel=8, n_threads=1), lambda _permille: None
    )
    yield loaded
    loaded.model.close()


@pytest.fixture
def scheduler(model: LlamaContext) -> Iterator[Scheduler]:
    running = Scheduler(model)
    running.start()
    yield running
    running.close()


class Asker:
    def __init__(self, model: LlamaContext, scheduler: Scheduler) -> None:
        self._model = model
        self._scheduler = scheduler
        self.vocabulary = model.vocabulary

    def __call__(
        self, constraint: Constraint | None = None, recorder: Recorder | None = None, **sampling: object
    ) -> Recorder:
        recorder = recorder or Recorder()
        params = SamplingParams(**{"temperature": 0.0, "max_tokens": 32, "seed": 5, **sampling})
        tokens = self.vocabulary.tokenize(QUESTION, special=True)
        recorder.job = self._scheduler.submit(tokens, params, recorder, constraint=constraint)
        return recorder

    def constraint(self, grammar: str, **options: object) -> Constraint:
        return Constraint(Grammar(self.vocabulary, grammar).begin(), **options)


@pytest.fixture
def ask(model: LlamaContext, scheduler: Scheduler) -> Asker:
    return Asker(model, scheduler)


# --- grammars ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_grammar_is_obeyed_and_its_end_ends_the_answer(ask: Asker, temperature: float) -> None:
    answer = ask(ask.constraint(COLOURS), temperature=temperature)
    assert answer.wait().stop_reason == "stop"
    assert answer.text in ("red", "green", "blue and yellow")


def test_grammar_allows_what_the_model_would_say_anyway(ask: Asker) -> None:
    free, bound = ask(), ask(ask.constraint("root ::= [^\\x00]*"))
    free.wait()
    bound.wait()
    assert bound.token_ids == free.token_ids


def test_seed_makes_a_bound_answer_again(ask: Asker) -> None:
    grammar = 'root ::= [a-z ]{20,40} "."'
    first, second, other = (ask(ask.constraint(grammar), temperature=1.2, seed=seed) for seed in (3, 3, 4))
    for answer in (first, second, other):
        assert answer.wait().stop_reason == "stop"
        assert 21 <= len(answer.text) <= 41
        assert answer.text.endswith(".")
    assert first.token_ids == second.token_ids != other.token_ids


def test_grammar_reaches_characters_of_several_tokens(ask: Asker) -> None:
    answer = ask(ask.constraint('root ::= "\U0001f99c" [\u4e00-\u9fff]{2}'), temperature=1.0)
    answer.wait()
    assert answer.text.startswith("\U0001f99c")
    assert len(answer.text) == 3


def test_bound_answers_do_not_disturb_free_ones(ask: Asker) -> None:
    alone = ask()
    alone.wait()
    free = ask()
    bound = [ask(ask.constraint(COLOURS), temperature=1.0, seed=seed) for seed in range(6)]
    free.wait()
    assert free.token_ids == alone.token_ids
    for answer in bound:
        answer.wait()
        assert answer.text in ("red", "green", "blue and yellow")


def test_penalties_and_bound_answers_go_together(ask: Asker) -> None:
    answer = ask(ask.constraint('root ::= ("na " | "no "){8}'), repeat_penalty=1.5, temperature=0.7)
    answer.wait()
    assert len(answer.text) == 24


def test_tokens_that_are_fed_pass_the_grammar_by(ask: Asker) -> None:
    """As the end of a reasoning is: it is free until then, and bound from there on."""
    constraint = ask.constraint(COLOURS, holds=False)
    end = tuple(ask.vocabulary.tokenize(" So:", special=False))

    def decide(recorder: Recorder, _token_id: int) -> Verdict:
        if len(recorder.token_ids) == 4:
            constraint.follow(is_free=False)
            return Feed(end)
        return Feed(())

    answer = ask(constraint, Recorder(decide))
    assert answer.wait().stop_reason == "stop"
    assert answer.text.partition(" So:")[2] in ("red", "green", "blue and yellow")


def test_reasoning_may_open_and_is_free(ask: Asker) -> None:
    """And a line break may stand behind it."""
    opening, breaks = (ask.vocabulary.tokenize(text, special=False)[0] for text in ("Yes", "\n\n"))
    constraint = ask.constraint(COLOURS, openings=frozenset([opening]), breaks=frozenset([breaks]))

    def decide(recorder: Recorder, _token_id: int) -> Verdict:
        constraint.follow(is_free=len(recorder.token_ids) < 5)
        return CONTINUE

    answer = ask(constraint, Recorder(decide), logit_bias={opening: 50.0, breaks: 50.0})
    answer.wait()
    assert answer.token_ids[0] == opening
    assert answer.token_ids[5] == breaks
    assert any(answer.text.endswith(f"\n\n{colour}") for colour in ("red", "green", "blue and yellow"))


def test_exit_stands_in_place_of_all_that_is_bound(ask: Asker) -> None:
    leaving = ask.vocabulary.tokenize("Yes", special=False)[0]
    answer = ask(
        ask.constraint(COLOURS, exits=frozenset([leaving])), logit_bias={leaving: 30.0}, max_tokens=6
    )
    answer.wait()
    assert answer.text.startswith("Yes")
    assert answer.text not in ("Yesred", "Yesgreen", "Yesblue and yellow")
    assert len(answer.token_ids) == 6


def test_a_part_in_the_middle_can_be_bound(ask: Asker) -> None:
    """As the arguments of a tool call are: free before, free after."""
    constraint = Constraint()
    digits = Grammar(ask.vocabulary, 'root ::= "<" [0-9]{3} ">"')

    def decide(recorder: Recorder, _token_id: int) -> Verdict:
        if len(recorder.token_ids) == 3:
            constraint.bind(digits.begin())
        return CONTINUE

    answer = ask(constraint, Recorder(decide))
    free = ask()
    answer.wait()
    free.wait()
    assert answer.token_ids[:3] == free.token_ids[:3]
    before, _, rest = answer.text.partition("<")
    assert before
    assert rest[:3].isdigit()
    assert rest[3] == ">"
    assert len(rest) > 4


def test_markers_are_not_taken_for_their_spelling(ask: Asker) -> None:
    marker = int(ask.vocabulary.control_ids[0])
    answer = ask(ask.constraint("root ::= [^\\x00]*"), logit_bias={marker: 100.0})
    answer.wait()
    assert marker not in answer.token_ids


def test_cancel_under_a_grammar(ask: Asker) -> None:
    answer = ask(ask.constraint("root ::= [a-z ]*"), logit_bias={}, max_tokens=None)
    assert answer.started.wait(30)
    assert answer.job is not None
    answer.job.cancel()
    assert answer.wait().stop_reason in ("cancelled", "stop")


def test_grammar_that_can_be_read_in_ever_more_ways_ends_its_answer_only(
    ask: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model_manager.engine.constraint.MAX_STEP_S", 0.2)
    grammar = 'root ::= "a" root "b" | "a" root "c" | "d"'
    letter = ask.vocabulary.tokenize("a", special=False)[0]
    other = ask()
    answer = ask(ask.constraint(grammar), logit_bias={letter: 60.0}, max_tokens=200)
    assert isinstance(answer.wait().error, ConstraintFailed)
    assert other.wait().error is None


@pytest.mark.parametrize("text", ["root ::= (", "start ::= [a]", "root ::= root [a] | [b]", "root ::= x"])
def test_wrong_grammar_is_refused(model: LlamaContext, text: str) -> None:
    with pytest.raises(GrammarRefused):
        Grammar(model.vocabulary, text)


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(schemas, st.integers(0, 2**31))
def test_any_schema_is_met_where_the_answer_came_to_its_end(
    ask: Asker, schema: dict[str, Any], seed: int
) -> None:
    answer = ask(ask.constraint(schema_grammar(schema)), temperature=1.3, seed=seed)
    ending = answer.wait()
    if ending.stop_reason == "stop":
        assert is_valid(schema, json.loads(answer.text))
    else:
        assert ending.stop_reason == "length", ending.error


# --- likelihoods -------------------------------------------------------------------------------------------


def test_likelihoods_are_a_distribution_and_greedy_takes_the_likeliest(ask: Asker) -> None:
    answer = ask(top_logprobs=20)
    answer.wait()
    assert len(answer.logprobs) == len(answer.token_ids) + (answer.wait().stop_reason == "stop")
    for token_id, told in zip(answer.token_ids, answer.logprobs, strict=False):
        assert told.chosen.token_id == token_id == told.top[0].token_id
        assert told.chosen.piece == ask.vocabulary.piece(token_id)
        values = [one.logprob for one in told.top]
        assert values == sorted(values, reverse=True)
        assert 0 < sum(math.exp(value) for value in values) <= 1 + 1e-6


def test_likelihoods_over_the_vocabulary_sum_to_one() -> None:
    from model_manager.engine.logprobs import logprobs_of

    class Spelled:
        def piece(self, token_id: int, *, special: bool = False) -> bytes:
            return str((token_id, special)).encode()

    logits = np.random.default_rng(1).normal(0, 10, 5000).astype(np.float32)
    told = logprobs_of(logits, 7, 5000, Spelled())
    assert sum(math.exp(one.logprob) for one in told.top) == pytest.approx(1, abs=1e-6)
    logits[9] = -np.inf
    assert logprobs_of(logits, 9, 0, Spelled()).chosen.logprob == -9999.0


def test_asking_for_likelihoods_changes_nothing(ask: Asker) -> None:
    plain, told = ask(temperature=0.9), ask(temperature=0.9, top_logprobs=0)
    plain.wait()
    told.wait()
    assert told.token_ids == plain.token_ids
    assert all(one.top == () for one in told.logprobs)


def test_likelihoods_are_those_before_the_grammar(ask: Asker) -> None:
    free, bound = ask(top_logprobs=1), ask(ask.constraint(COLOURS), top_logprobs=1)
    free.wait()
    bound.wait()
    assert bound.logprobs[0].top == pytest.approx(free.logprobs[0].top) or (
        bound.logprobs[0].top[0].token_id == free.logprobs[0].top[0].token_id
    )
    assert bound.logprobs[0].chosen.logprob < bound.logprobs[0].top[0].logprob


# --- rarer samplers ---------------------------------------------------------------------------------------


def test_repeating_a_passage_costs(ask: Asker) -> None:
    """A grammar keeps the model in a loop, from which only the words are free to choose."""
    loop = 'root ::= ("the cat " | "a dog " | "one bird "){12}'
    plain, careful = ask(ask.constraint(loop)), ask(ask.constraint(loop), dry_multiplier=4.0)
    plain.wait()
    careful.wait()
    assert careful.text != plain.text
    told = ask(temperature=1.2, top_n_sigma=1.0, xtc_probability=0.5, seed=3)
    again = ask(temperature=1.2, top_n_sigma=1.0, xtc_probability=0.5, seed=3)
    assert told.wait().error is None
    again.wait()
    assert told.token_ids == again.token_ids


# --- least lengths -----------------------------------------------------------------------------------------


def test_answer_cannot_end_before_its_least_length(ask: Asker) -> None:
    ends = {int(token): 100.0 for token in ask.vocabulary.end_ids}
    assert ask(logit_bias=ends).wait().completion_tokens == 0
    assert ask(logit_bias=ends, min_tokens=9).wait().completion_tokens == 9
    ending = ask(logit_bias=ends, ignore_end=True).wait()
    assert (ending.completion_tokens, ending.stop_reason) == (32, "length")
