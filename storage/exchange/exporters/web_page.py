"""HTML: one page that needs nothing else, for reading and printing.

Everything that anybody wrote is escaped; the page has no script, and its policy forbids loading anything.
Where nothing renders Markdown, only code blocks are set apart and the rest stands as it was written.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Callable
from typing import IO

from storage.exchange.carried import Carried, CarriedMessage
from storage.exchange.exporters.branches import shown_branch
from storage.exchange.exporters.labels import Labels
from storage.exchange.foreign import image_format
from storage.knowledge.places import place
from storage.records import Part

# HTML cannot hold these, not even as a reference.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]")
_FENCE = re.compile(r"^[ ]{0,3}(`{3,}|~{3,})([^`\n]*)$", re.MULTILINE)
_PAPER_STYLE = """
:root { color-scheme: light dark; }
body { font-family: sans-serif; font-size: 10pt; color: #000; }
h4 { color: #666; } .text { white-space: pre-wrap; } .note { color: #555; font-style: italic; }
pre, code { font-family: monospace; font-size: 8.5pt; } pre { white-space: pre-wrap; background: #f4f4f4; }
blockquote { color: #444; } .fold { font-weight: bold; }
table { border-color: #bbb; border-style: solid; border-collapse: collapse; } td, th { padding: 3px 6px; }
"""
_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem;
  color: #1d1d1f; background: #fff; }
h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: .85rem; color: #6b6b70; margin: 0 0 .35rem; }
section { margin: 1.6rem 0; } .user { background: #f2f2f4; border-radius: .6rem; padding: .8rem 1rem; }
.text { white-space: pre-wrap; overflow-wrap: anywhere; }
pre { background: #f6f6f8; border: 1px solid #e3e3e7; border-radius: .4rem; padding: .7rem; overflow-x: auto;
  font: 13px/1.45 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
code { font: .88em ui-monospace, monospace; } pre code { font: inherit; }
details { color: #55555a; border-left: 3px solid #d8d8dd; padding-left: .8rem; margin: .6rem 0; }
summary { cursor: pointer; } table { border-collapse: collapse; }
td, th { border: 1px solid #d8d8dd; padding: .25rem .55rem; } .markdown > :first-child { margin-top: 0; }
.markdown > :last-child { margin-bottom: 0; }
.markdown { overflow-wrap: anywhere; } img { max-width: 100%; } .note { color: #6b6b70; font-style: italic; }
@media (prefers-color-scheme: dark) { body { color: #e8e8ea; background: #1b1b1d; }
  .user { background: #29292c; } pre { background: #232326; border-color: #38383c; }
  h2, .note { color: #a0a0a6; } img.maths { filter: invert(1); }
  td, th { border-color: #44444a; }
  details { color: #b5b5ba; border-color: #44444a; } }
@media print { body { max-width: none; margin: 0; color: #000; background: #fff; } h2 { break-after: avoid; }
  pre { break-inside: avoid; } .user { background: none; border: 1px solid #ccc; }
  details::details-content { content-visibility: visible; block-size: auto; } }
"""


def write(
    conversation: Carried,
    file: IO[str],
    labels: Labels,
    *,
    is_paper: bool = False,
    render: Callable[[str], str] | None = None,
) -> None:
    """The whole page.

    Args:
        conversation: Its shown branch is written.
        file: Where to.
        labels: Words.
        is_paper: In what Qt's rich text understands, with nothing folded.
        render: Makes safe HTML of Markdown; None: the text stands as it was written.
    """
    page = _Page(file, labels, is_paper, render)
    title = _escaped(conversation.title.strip() or labels.untitled)
    file.write(
        f'<!DOCTYPE html>\n<html lang="{_escaped(labels.language)}">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:;'
        " style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_PAPER_STYLE if is_paper else _STYLE}</style>\n</head>\n<body>\n"
        f'<h1 dir="auto">{title}</h1>\n'
    )
    if conversation.system_prompt:
        page.begin("system", labels.system)
        page.text(conversation.system_prompt)
        file.write("</section>\n")
    for message in shown_branch(conversation):
        page.message(message)
    file.write("</body>\n</html>\n")


class _Page:
    def __init__(
        self, file: IO[str], labels: Labels, is_paper: bool, render: Callable[[str], str] | None
    ) -> None:
        self._file = file
        self._labels = labels
        self._is_paper = is_paper
        self._render = render

    def begin(self, role: str, speaker: str) -> None:
        tag = "h4" if self._is_paper else "h2"  # Qt sizes headings by their level alone
        self._file.write(f'<section class="{role}">\n<{tag} dir="auto">{_escaped(speaker)}</{tag}>\n')

    def message(self, message: CarriedMessage) -> None:
        labels, file = self._labels, self._file
        speaker = {"user": labels.user, "assistant": labels.assistant, "system": labels.system}[message.role]
        if message.generation is not None:
            speaker = message.generation.model_name
        self.begin(message.role, speaker)
        for part in message.parts:
            self._part(part)
        for one in message.citations:
            cited = f"[{one.number}] {place(one.path, one.title, one.passage)}"
            file.write(f'<p class="note" dir="auto">{_escaped(cited)}</p>\n')
        if message.status != "complete":
            file.write(f'<p class="note">{_escaped(labels.unfinished)}</p>\n')
        file.write("</section>\n")

    def text(self, text: str) -> None:
        if self._render is not None:
            rendered = self._render(_CONTROLS.sub("\ufffd", text))
            self._file.write(f'<div class="markdown" dir="auto">\n{rendered}</div>\n')
        else:
            _write_text(text, self._file)

    def _part(self, part: Part) -> None:
        labels, name = self._labels, _escaped(part.name)
        match part.kind:
            case "text":
                self.text(part.text)
            case "reasoning" if part.text.strip():
                self._begin_fold(_escaped(labels.reasoning))
                self.text(part.text.strip())
                self._end_fold()
            case "image":
                self._image(part)
            case "file":
                self._folded(f"{labels.file}: {name}", part.text)
            case "tool_call":
                self._folded(f"{labels.tool_call}: {name}", part.text)
            case "tool_result":
                self._folded(labels.tool_result, part.text)

    def _folded(self, head: str, code: str) -> None:
        """A fold with a text as it stands; only its head where there is none."""
        if not code.strip():
            self._file.write(f'<p class="note" dir="auto">{head}</p>\n')
            return
        self._begin_fold(head)
        _write_code(code, self._file)
        self._end_fold()

    def _begin_fold(self, head: str) -> None:
        """Begin one below a head in HTML."""
        fold, tag = ("blockquote", "p") if self._is_paper else ("details", "summary")
        self._file.write(f'<{fold}>\n<{tag} class="fold" dir="auto">{head}</{tag}>\n')

    def _end_fold(self) -> None:
        self._file.write(f"</{'blockquote' if self._is_paper else 'details'}>\n")

    def _image(self, image: Part) -> None:
        kind = None if image.data is None else image_format(image.data)
        if kind is not None and image.data is not None:
            data = base64.b64encode(image.data).decode()
            self._file.write(
                f'<p><img alt="{_escaped(image.name)}" src="data:image/{kind};base64,{data}"></p>\n'
            )


def _write_text(text: str, file: IO[str]) -> None:
    """Fenced code as code, the rest as it stands."""
    end = 0
    opening: re.Match[str] | None = None
    for fence in _FENCE.finditer(text):
        if opening is None:
            _write_plain(text[end : fence.start()], file)
            opening = fence
        elif fence[1].startswith(opening[1]) and not fence[2].strip():
            _write_code(text[opening.end() : fence.start()], file)
            opening, end = None, fence.end()
    if opening is not None:  # it was cut off before its end
        _write_code(text[opening.end() :], file)
    else:
        _write_plain(text[end:], file)


def _write_plain(text: str, file: IO[str]) -> None:
    text = text.strip("\r\n")
    if text.strip():
        file.write(f'<div class="text" dir="auto">{_escaped(text)}</div>\n')


def _write_code(text: str, file: IO[str]) -> None:
    file.write(f'<pre dir="ltr"><code>{_escaped(text.strip(chr(10)))}</code></pre>\n')


def _escaped(text: str) -> str:
    return html.escape(_CONTROLS.sub("\ufffd", text))
