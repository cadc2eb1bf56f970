from __future__ import annotations

from dataclasses import dataclass

from model_manager.engine.reasoning import Nudge, ThinkingBudget

CLOSING, NUDGE = (2, 10), (5, 6)


@dataclass
class Thinker:
    reasoning_tokens: int = 0
    in_reasoning: bool = True


def test_budget_is_over_once_a_block() -> None:
    thinker, budget = Thinker(), ThinkingBudget(2, CLOSING)
    fed = []
    for thinker.reasoning_tokens in range(1, 5):
        fed.append(budget.due(thinker))
    assert fed == [(), CLOSING, (), ()]
    thinker.in_reasoning = False
    assert budget.due(thinker) == ()
    thinker.in_reasoning = True
    assert budget.due(thinker) == CLOSING


def test_conclude_ends_the_reasoning_at_the_next_token() -> None:
    thinker, budget = Thinker(1), ThinkingBudget(None, CLOSING)
    assert budget.due(thinker) == ()
    budget.conclude()
    assert budget.due(thinker) == CLOSING


def test_who_ended_it_is_noted() -> None:
    spent, asked, neither = (ThinkingBudget(tokens, CLOSING) for tokens in (2, 9, 9))
    asked.conclude()
    for budget in (spent, asked, neither):
        budget.due(Thinker(3))
    assert [budget.ended_by for budget in (spent, asked, neither)] == ["budget", "person", None]


def test_conclude_does_nothing_to_an_answer() -> None:
    budget = ThinkingBudget(None, CLOSING)
    budget.conclude()
    assert budget.due(Thinker(in_reasoning=False)) == ()


def test_nudge_comes_once_before_the_end() -> None:
    thinker, budget = Thinker(), ThinkingBudget(8, CLOSING, Nudge(5, NUDGE))
    fed = {}
    for thinker.reasoning_tokens in range(1, 12):
        if due := budget.due(thinker):
            fed[thinker.reasoning_tokens] = due
    assert fed == {5: NUDGE, 8: CLOSING}


def test_nudge_needs_no_end() -> None:
    budget = ThinkingBudget(None, CLOSING, Nudge(3, NUDGE))
    assert [budget.due(Thinker(n)) for n in (2, 3, 4, 100)] == [(), NUDGE, (), ()]
