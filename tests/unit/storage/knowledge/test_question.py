"""What a question becomes for the index of passages."""

from __future__ import annotations

import pytest

from storage.knowledge.question import expression_of


@pytest.mark.parametrize(
    ("question", "expression"),
    [
        ("How are experts chosen?", '"expert" * OR "chosen" *'),
        ("Routing, routers and routed!", '"rout" *'),
        ("Why does the KV cache grow", '"KV" OR "cach" * OR "grow" *'),
        ("What is it?", '"what" * OR "is" OR "it?"'),  # nothing else is asked for
        ("get_logits_ith", '"get_logits_ith" *'),
        ("use --n-cpu-moe now", '"use" OR "--n-cpu-moe" OR "now" *'),
        ('the "mixture of experts"', '"mixture of experts"'),
        ("混合专家", '"混合" OR "合专" OR "专家"'),
        ("déjà vu", '"déjà" OR "vu" *'),
        ('" AND OR NEAR( ^*', '"near" *'),
        ("?!", ""),
    ],
)
def test_expressions(question: str, expression: str) -> None:
    assert expression_of(question) == expression
