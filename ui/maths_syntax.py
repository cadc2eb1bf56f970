r"""How formulas stand in Markdown: `$...$`, `$$...$$`, `\(...\)` and `\[...\]`."""

from __future__ import annotations

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from mdit_py_plugins.dollarmath import dollarmath_plugin


def add_maths(parser: MarkdownIt) -> None:
    """Make tokens "math_inline", "math_inline_double" and "math_block" of formulas."""
    parser.use(
        dollarmath_plugin,
        allow_labels=False,
        allow_space=False,
        allow_digits=False,
        allow_blank_lines=False,
        double_inline=True,
    )
    parser.inline.ruler.before("escape", "math_brackets", _brackets)
    parser.block.ruler.before(
        "fence",
        "math_brackets_block",
        _bracket_block,
        {"alt": ["paragraph", "reference", "blockquote", "list"]},
    )


def _brackets(state: StateInline, silent: bool) -> bool:
    r"""Inline rule for `\(x\)` and `\[x\]`."""
    opener = state.src[state.pos : state.pos + 2]
    if opener not in ("\\(", "\\["):
        return False
    end = state.src.find("\\)" if opener == "\\(" else "\\]", state.pos + 2)
    content = state.src[state.pos + 2 : end] if end >= 0 else ""
    if not content.strip():
        return False
    if not silent:
        token = state.push("math_inline" if opener == "\\(" else "math_inline_double", "math", 0)
        token.content, token.markup = content, opener
    state.pos = end + 2
    return True


def _bracket_block(state: StateBlock, line: int, end_line: int, silent: bool) -> bool:
    r"""Block rule for `\[`, lines, `\]`."""
    start = state.bMarks[line] + state.tShift[line]
    if state.is_code_block(line) or not state.src.startswith("\\[", start):
        return False
    last = line
    while last < end_line and not state.isEmpty(last):
        # Only the first line may hold a closer in its middle: that is a paragraph.
        content = state.src[state.bMarks[last] + state.tShift[last] : state.eMarks[last]].rstrip()
        if content.endswith("\\]") and (last > line or len(content) > 3):
            break
        if state.sCount[last] < state.blkIndent:
            return False
        last += 1
    else:
        return False
    if silent:
        return True
    source = state.getLines(line, last + 1, state.sCount[line], False).strip()
    if "\\]" in source[2:-2]:
        return False
    state.line = last + 1
    token = state.push("math_block", "math", 0)
    token.content, token.markup, token.block = source[2:-2], "\\[", True
    token.map = [line, last + 1]
    return True
