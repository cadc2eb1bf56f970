from __future__ import annotations

import io
import json
import re
import zlib
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from storage.exchange.carried import Carried, CarriedMessage, CarriedTrace
from storage.exchange.exporters import fine_tuning, markdown, web_page
from storage.exchange.exporters.entropy import mean_entropy_bits
from storage.exchange.exporters.fine_tuning import Quality
from storage.exchange.exporters.labels import Labels
from storage.exchange.near_duplicates import NearDuplicates
from storage.records import Generation, Part
from ui.page_markdown import to_html

LABELS = Labels(
    "You", "Assistant", "System", "Reasoning", "Untitled", "Cut off.", "Image", "File", "Tool", "Result"
)
PNG = b"\x89PNG\r\n\x1a\n\0"


def message(
    key: str, parent: str | None, role: str, text: str, reasoning: str = "", **more: object
) -> CarriedMessage:
    said = [Part("reasoning", reasoning)] * bool(reasoning) + [Part("text", text)]
    parts = (*more.pop("before", ()), *said)  # type: ignore[misc]  # parts
    made = Generation("model <1>") if role == "assistant" else None
    return CarriedMessage(key, parent, role, parts, generation=made, **more)  # type: ignore[arg-type]  # drawn


def conversation(*messages: CarriedMessage, **more: object) -> Carried:
    return Carried("coterie:1", more.pop("title", "A title"), tuple(messages), **more)  # type: ignore[arg-type]  # drawn


ATTACK = "<script>alert(1)</script><img src=x onerror=alert(1)>\" ' & </pre></details></body>\0"
ATTACHED = (
    Part("image", name=ATTACK + ".png", data=PNG),
    Part("image", name="x.exe", data=b"MZ"),
    Part("file", ATTACK, ATTACK + ".txt"),
    Part("file", name="data.zip", data=b"PK"),
)
USED = (Part("tool_call", f'{{"x": "{ATTACK}"}}', ATTACK, "1"), Part("tool_result", ATTACK, call_id="1"))
TALK = conversation(
    message("q", None, "user", ATTACK, before=ATTACHED),
    message("x", "q", "assistant", "Not shown"),
    message("a", "q", "assistant", f"Text\n```html\n{ATTACK}\n```\nmore", f"Thought {ATTACK}"),
    message("b", "a", "user", "~~~\nnever closed"),
    message("c", "b", "assistant", "Half", status="interrupted", before=USED),
    title=ATTACK,
    system_prompt=ATTACK,
    head_key="c",
)


def page_of(talk: Carried, **how: Any) -> str:
    file = io.StringIO()
    web_page.write(talk, file, LABELS, **how)
    return file.getvalue()


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.text: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.mark.parametrize("is_paper", [False, True])
def test_html_is_whole_and_everything_in_it_is_escaped(is_paper: bool) -> None:
    page = page_of(TALK, is_paper=is_paper)
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    assert "script" not in reader.tags
    assert not [name for name, _ in reader.attributes if name.startswith("on")]
    assert [value for name, value in reader.attributes if name == "src"] == [
        "data:image/png;base64,iVBORw0KGgoA"
    ]
    assert "\0" not in page
    visible = ATTACK.replace("\0", "\ufffd")
    # Title twice, instruction, question, reasoning, code; name and text of the file, of the call, the result.
    assert "".join(reader.text).count(visible) == 11
    assert "Not shown" not in page
    assert "Cut off." in page
    assert not re.search(r"https?://", page)


MARKDOWN_ATTACKS = r"""
[run](javascript:alert(1)) [data](data:text/html;base64,PHNjcmlwdD4=) [file](file:///etc/passwd)
<javascript:alert(1)>
![picture](https://tracker.example/x.png) ![x](javascript:alert(1)) [a](https://example.org "t\" onclick=\"x")
<img src=x onerror=alert(1)> <b onclick=alert(1)>bold</b>

<script>alert(1)</script>

| a | b |
|---|---|
| <i>1</i> | `<u>` |
"""


@pytest.mark.parametrize("is_paper", [False, True])
def test_rendered_markdown_runs_nothing_and_loads_nothing(is_paper: bool) -> None:
    talk = conversation(
        message("q", None, "user", MARKDOWN_ATTACKS),
        message("a", "q", "assistant", MARKDOWN_ATTACKS, MARKDOWN_ATTACKS),
        system_prompt=MARKDOWN_ATTACKS,
    )
    reader = Reader()
    reader.feed(page_of(talk, is_paper=is_paper, render=to_html))
    assert reader.open == []
    assert not {"script", "img", "b", "i", "u"} & reader.tags
    assert {"table", "a", "code"} <= reader.tags
    assert not [name for name, _ in reader.attributes if name.startswith("on") or name == "src"]
    addresses = {value for name, value in reader.attributes if name == "href"}
    assert addresses == {"https://tracker.example/x.png", "https://example.org"}


def test_html_sets_code_apart_also_where_it_is_not_closed() -> None:
    page = page_of(TALK)
    assert page.count("<pre ") == page.count("</pre>") == 5
    assert "<code>never closed</code>" in page


def test_markdown_folds_reasoning_and_the_fold_cannot_be_ended_from_inside() -> None:
    file = io.StringIO()
    markdown.write(TALK, file, LABELS)
    text = file.getvalue()
    folded = text[text.index("<details>") : text.rindex("</details>")]
    assert "> Thought <script>" in folded
    assert folded.count("</details") == 0 or "&lt;/details>" in folded
    assert text.count("\n<details>\n") == 4
    assert text.count("\n</details>\n") == 4
    assert "## model <1>" in text
    assert "Not shown" not in text
    assert text.endswith("Half\n\n*Cut off.*\n")


def test_a_conversation_without_anything() -> None:
    empty = conversation(title=" ")
    assert '<h1 dir="auto">Untitled</h1>' in page_of(empty)
    file = io.StringIO()
    markdown.write(empty, file, LABELS)
    assert file.getvalue() == "# Untitled\n"


GOOD = conversation(
    message("q", None, "user", "Question?"),
    message("a", "q", "assistant", "Answer.", "Because."),
    message("b", "a", "user", "And?"),
    message("c", "b", "assistant", "Half", status="interrupted"),
    system_prompt="Be good.",
)


def lines(
    *talks: Carried, shape: str = "openai", with_reasoning: bool = False, **quality: object
) -> tuple[list[object], dict[str, int]]:
    file = io.StringIO()
    selection = fine_tuning.write(
        talks,
        file,
        shape,
        Quality(**quality),
        with_reasoning=with_reasoning,  # type: ignore[arg-type]  # drawn
    )
    found = [json.loads(line) for line in file.getvalue().splitlines()]
    assert selection.n_written == len(found)
    return found, dict(selection.left_out)


def test_the_use_of_tools_in_the_shape_for_training() -> None:
    parts = (
        Part("reasoning", "Look."),
        Part("tool_call", '{"q": 1}', "search", "c1"),
        Part("tool_result", "found", call_id="c1"),
        Part("text", "Found."),
    )
    talk = conversation(
        message("q", None, "user", "Where?"),
        CarriedMessage("a", "q", "assistant", parts, generation=Generation("m")),
    )
    (found,), _ = lines(talk)
    call = {"id": "c1", "type": "function", "function": {"name": "search", "arguments": '{"q": 1}'}}
    assert found == {
        "messages": [
            {"role": "user", "content": "Where?"},
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "found"},
            {"role": "assistant", "content": "Found."},
        ]
    }


def test_the_shapes_for_training() -> None:
    (found,), left_out = lines(GOOD)
    assert found == {
        "messages": [
            {"role": "system", "content": "Be good."},
            {"role": "user", "content": "Question?"},
            {"role": "assistant", "content": "Answer."},
        ]
    }
    assert left_out == {}
    (found,), _ = lines(GOOD, shape="sharegpt", with_reasoning=True)
    assert found == {
        "conversations": [
            {"from": "system", "value": "Be good."},
            {"from": "human", "value": "Question?"},
            {"from": "gpt", "value": "<think>\nBecause.\n</think>\n\nAnswer."},
        ]
    }


def test_what_is_not_good_enough_is_left_out() -> None:
    bad = replace(GOOD, messages=(GOOD.messages[0], replace(GOOD.messages[1], more={"rating": -1})))
    assert lines(conversation(message("q", None, "user", "Q"))) == ([], {"no_answer": 1})
    assert lines(GOOD, min_characters=8) == ([], {"too_short": 1})
    assert lines(GOOD, max_characters=10) == ([], {"too_long": 1})
    assert lines(bad, min_rating=1) == ([], {"low_rating": 1})
    assert len(lines(bad)[0]) == 1
    assert lines(GOOD, GOOD, similarity=1.0)[1] == {"near_duplicate": 1}


def test_what_the_model_was_unsure_of_is_left_out() -> None:
    def answer(shares: list[list[float]]) -> Carried:
        logprobs = np.log(np.array(shares, "<f4"))
        trace = CarriedTrace("top_logprobs", "<f4", logprobs.shape, zlib.compress(logprobs.tobytes()))
        return replace(GOOD, messages=(GOOD.messages[0], replace(GOOD.messages[1], traces=(trace,))))

    sure, unsure = answer([[0.999, 0.001]]), answer([[0.25, 0.25], [0.5, 0.5]])
    assert mean_entropy_bits(unsure.messages[1]) == pytest.approx(1.25)
    assert lines(sure, unsure, GOOD, max_entropy_bits=1.0)[1] == {"unsure": 1}
    damaged = replace(unsure.messages[1], traces=(CarriedTrace("top_logprobs", "<f4", (2, 2), b"x"),))
    assert mean_entropy_bits(damaged) is None


def text_of(n_words: int, *, from_word: int = 0) -> str:
    return " ".join(f"word{number}" for number in range(from_word, from_word + n_words))


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        (text_of(400), True),
        (text_of(390), True),
        (text_of(400).upper() + "!", True),
        (text_of(200) + " " + text_of(200, from_word=1000), False),
        (text_of(400, from_word=1000), False),
    ],
)
def test_nearly_the_same_is_found(other: str, is_same: bool) -> None:
    seen = NearDuplicates(0.8)
    assert seen.add(text_of(400))
    assert seen.add(other) is not is_same


def test_nearly_the_same_in_chinese() -> None:
    seen = NearDuplicates(0.7)
    text = "混合专家模型把每个词元送到少数几个专家那里去计算因此参数很多而每一步的计算却很少" * 1
    assert seen.add(text)
    assert not seen.add(text + "。")
    assert seen.add("今天天气很好我们去公园散步然后回家做饭吃完饭看了一部老电影就睡觉了")
    assert seen.add("")
    assert not seen.add("")
