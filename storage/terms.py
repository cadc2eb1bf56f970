"""How text becomes what the search index holds, and a query what it is asked.

SQLite's `unicode61` splits at everything that is not a letter or digit and folds case and accents. Two things
are added here:

- Chinese, Japanese and Korean have no spaces, so each run of them is indexed as its overlapping pairs of
  characters and its last character alone: 混合专家 becomes "混合 合专 专家 家". Then every substring of two
  characters or more is a phrase of whole tokens, and one character is a prefix.
- Whatever stands between two spaces in a query is one phrase, so that `get_logits_ith` and `--n-cpu-moe` are
  found as such, and `logits` finds the first as well.

Text and queries must be treated alike, and an entry can only be taken out of the index with the text that it
was made from. So whoever changes `indexed` adds a migration that empties the index; a store that finds it
empty fills it again.
"""

from __future__ import annotations

import re
import unicodedata

# Explicit ranges rather than Unicode properties: those of Python change with its version. Bopomofo, kana,
# Hangul, Han with its extensions, and the halfwidth forms.
CJK = (
    "\u1100-\u11ff\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303b\u3041-\u3096\u309d-\u309f\u30a1-\u30fa"
    "\u30fc-\u318f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uffdc"
    "\U0001aff0-\U0001b16f\U00020000-\U000323af"
)
CJK_RUN = re.compile(f"[{CJK}]+")
_PHRASE_OR_WORD = re.compile(r'"([^"]+)"|(\S+)')
# A query is typed by a person; a pasted page is cut before it costs anything.
_MAX_QUERY_CHARACTERS = 400
_MAX_TERMS = 24


class Term:
    """A stretch of a query that must occur as it is.

    Attributes:
        text: Without quotes; letters and digits, and what joins them.
        is_cjk: Characters that stand without spaces; matched anywhere.
        is_prefix: Its last word may go on: it is what is being typed.
    """

    __slots__ = ("is_cjk", "is_prefix", "text")

    def __init__(self, text: str, *, is_cjk: bool, is_prefix: bool) -> None:
        self.text = text
        self.is_cjk = is_cjk
        self.is_prefix = is_prefix

    @property
    def expression(self) -> str:
        """The term in the language of FTS5."""
        if self.is_cjk:
            pairs = " ".join(self.text[i : i + 2] for i in range(len(self.text) - 1))
            return f'"{pairs}"' if pairs else f'"{self.text}" *'
        return f'"{self.text}"' + (" *" if self.is_prefix else "")


def indexed(text: str) -> str:
    """What is given to the index in place of `text`."""
    return CJK_RUN.sub(lambda run: f" {_pairs(run.group())} ", unicodedata.normalize("NFC", text))


def terms_of(query: str) -> list[Term]:
    """The terms that must all occur; empty when nothing in the query can be looked for."""
    query = unicodedata.normalize("NFC", _printable(query[:_MAX_QUERY_CHARACTERS]))
    terms: list[Term] = []
    for match in _PHRASE_OR_WORD.finditer(query):
        phrase, word = match.groups()
        is_last = match.end() == len(query.rstrip())
        terms += _terms_of_word(phrase or word, may_go_on=is_last and phrase is None)
    return terms[:_MAX_TERMS]


def _terms_of_word(word: str, *, may_go_on: bool) -> list[Term]:
    terms: list[Term] = []
    end = 0
    for run in CJK_RUN.finditer(word):
        terms += _plain_term(word[end : run.start()], is_prefix=False)
        terms.append(Term(run.group(), is_cjk=True, is_prefix=True))
        end = run.end()
    return terms + _plain_term(word[end:], is_prefix=may_go_on)


def _plain_term(text: str, *, is_prefix: bool) -> list[Term]:
    text = text.replace('"', " ").strip()
    if not any(map(_is_token_character, text)):
        return []
    # After punctuation the word has ended ("c++"), and one letter alone would be the prefix of half the
    # language.
    ends_open = len(text) >= 2 and all(map(_is_token_character, text[-2:]))
    return [Term(text, is_cjk=False, is_prefix=is_prefix and ends_open)]


def _is_token_character(character: str) -> bool:
    """As `unicode61` sees it: letters, numbers and private use. Source: https://sqlite.org/fts5.html#unicode61."""
    return unicodedata.category(character)[0] in "LN" or unicodedata.category(character) == "Co"


def _pairs(run: str) -> str:
    return " ".join(run[i : i + 2] for i in range(len(run)))


def _printable(query: str) -> str:
    """NUL would end the query inside SQLite, a lone surrogate cannot be sent to it."""
    return "".join(" " if unicodedata.category(c) in ("Cc", "Cs") else c for c in query)
