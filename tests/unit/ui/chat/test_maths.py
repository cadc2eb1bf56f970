"""Setting formulas: what works is a picture, what does not is an error of ours."""

from __future__ import annotations

import pytest

from ui.chat.maths import CannotSet, typeset


@pytest.mark.parametrize(
    "latex", ["x^2", r"\frac{a}{b}", r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\text{中文}"]
)
def test_a_formula_has_a_size_around_its_base_line(latex: str) -> None:
    formula = typeset(latex, is_display=True)
    assert formula.width_em > 0.2
    assert formula.ascent_em > 0.2
    assert "<symbol" not in formula.svg, "QtSvg draws no symbols"


@pytest.mark.parametrize(
    "latex", [r"\frac{", "{" * 300 + "x" + "}" * 300, "x" * 5_000, r"\begin{x}", r"\left(" * 100]
)
def test_what_cannot_be_set_is_an_error(latex: str) -> None:
    with pytest.raises(CannotSet):
        typeset(latex, is_display=True)
