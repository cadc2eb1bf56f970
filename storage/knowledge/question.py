"""A question in the language of FTS5: any of its words, in any of their forms.

A question has words that no answer has, so one of them is enough; BM25 counts those most that are rare. Words
that say nothing of what is asked are left out. The index holds words as they stand, so a word is looked for
by its beginning: "routing" finds router and routed. With the questions of `benchmarks.questions` the right
passage is among the first five 19 times of 24; asked for with whole words, small ones too, it was 10 times.
"""

from __future__ import annotations

import re
from typing import Final

from storage.terms import Term, terms_of

_SMALL: Final = (
    "a about after all an and any are as at be been before but by can could did do does for from had has have"
    " how i if in into is it its may me more most my no not of on one or our should so some such than that"
    " the their them then there these they this to was we were what when where which while who why will with"
    " would you your"
)
_SAY_NOTHING: Final = frozenset(_SMALL.split())
_WORD: Final = re.compile(r"[A-Za-z]+")
_ENDING: Final = re.compile(r"(?:ations?|ions?|ings?|ers?|ors?|ments?|ed|es|ly|s|e)$")
_LEAST_BEGINNING: Final = 4


def expression_of(question: str) -> str:
    """What FTS5 is asked; empty where there is nothing to look for."""
    terms = terms_of(question)
    telling = [term for term in terms if _plain_word(term) not in _SAY_NOTHING]
    found = (expression for term in telling or terms for expression in _alternatives(term))
    return " OR ".join(dict.fromkeys(found))


def _alternatives(term: Term) -> list[str]:
    if term.is_cjk and len(term.text) > 1:  # a question seldom holds a whole run of an answer
        return [f'"{term.text[i : i + 2]}"' for i in range(len(term.text) - 1)]
    word = _plain_word(term)
    if len(word) < _LEAST_BEGINNING:
        return [term.expression]
    ending = _ENDING.search(word, _LEAST_BEGINNING)
    return [f'"{word[: ending.start()] if ending else word}" *']


def _plain_word(term: Term) -> str:
    """In lower case; "" for names of code, phrases, other languages: they are looked for as they stand."""
    words = _WORD.findall(term.text)
    bare = re.sub(r"^\W+|\W+$", "", term.text)
    return bare.lower() if words == [bare] else ""
