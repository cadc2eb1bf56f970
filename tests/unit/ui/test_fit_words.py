from __future__ import annotations

from ui import fit_words


def test_a_bar_is_as_long_as_what_is_free() -> None:
    assert fit_words.bar([25, 25, 10, 0, 0], 100, 20) == "[AAAAAEEEEEKK        ] "
    assert fit_words.bar([100, 100, 0, 0, 0], 100, 10) == "[AAAAAAAAAA]!"
    assert fit_words.bar([0, 0, 0, 0, 0], 0, 4) == "[    ] "
    # Parts that are too small for a letter of their own are not lost together.
    assert fit_words.bar([4, 4, 4, 4, 4], 100, 10).count(" ") == 9


def test_the_rate_of_what_pages_is_said() -> None:
    words = fit_words.verdict("pages", 20 * 10**9, 4 * 10**9, 0, 1.5)
    assert "1.5 tokens/s" in words
    assert "slowly" in fit_words.verdict("pages", 20 * 10**9, 4 * 10**9, 0)


def test_a_context_says_how_long_another_may_be() -> None:
    assert fit_words.context("usual", 8192, 65536, 131072) == "the usual length; up to 65,536 tokens fit"
    assert fit_words.context("smaller_values", 8192, 8192, 131072) == "in half the size, so that it fits"
    beyond = fit_words.context("asked", 262144, 131072, 131072)
    assert beyond == "as you asked; it was trained for 131,072 tokens"
    assert fit_words.context("asked", 4096, 0, 0) == "as you asked"
