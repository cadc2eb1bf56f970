from __future__ import annotations

import pytest

from ui.plain_card import plain_card


def test_a_card_becomes_text() -> None:
    card = """---
license: mit
tags: [gguf]
---
# Title <img src=x onerror=alert(1)>

Some **bold** words and a [link](https://example.org/page).

<script>alert("no")</script>
<!-- a comment -->

- one
- two

| quant | size |
|---|---|
| Q4_K_M | 4 GB |

```sh
run <model>
```
"""
    text = plain_card(card)
    assert text.splitlines()[0] == "# Title"
    assert "Some bold words and a link (https://example.org/page)." in text
    assert "Q4_K_M  |  4 GB" in text
    assert "    run <model>" in text
    for hidden in ("license", "alert", "comment", "<img", "---\nlicense"):
        assert hidden not in text


@pytest.mark.parametrize(
    "card", ["", "---", "---\nno end", "<", "<!--", "<script>", "```", "\x1b[2J\x07\u202eevil", "[" * 5000]
)
def test_odd_cards_do_no_harm(card: str) -> None:
    text = plain_card(card)
    assert not set(text) & set("\x1b\x07\u202e")


def test_long_cards_end() -> None:
    assert len(plain_card("# x\n\n<b>" * 100_000)) <= 400_000
