# ruff: noqa: E501  # Markdown as models write it has long lines
"""A rich conversation on the screen or in a picture, for people who judge how the transcript looks.

python -m tests.helpers.transcript_gallery [--dark] [--chinese] [--width 900] [--height 1200] [--grab FILE]
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from storage.records import Generation, Message, Part, Role
from ui import theme
from ui.chat.transcript import Transcript
from ui.i18n import set_language
from ui.values import StreamUpdate

ENGLISH = r"""A **mixture of experts** replaces one big feed-forward layer by many small ones. A *router* picks the
top $k$ for every token, so only a fraction of the weights is used. See [the paper](https://arxiv.org/abs/1701.06538)
or https://example.org/moe for more.

## How the router decides

The gate is a softmax over $W_g x$, where $x \in \mathbb{R}^d$:

$$
G(x)_i = \frac{\exp\left((W_g x)_i\right)}{\sum_{j=1}^{n} \exp\left((W_g x)_j\right)}, \qquad
y = \sum_{i \in \mathrm{TopK}} G(x)_i \, E_i(x)
$$

1. **Score** every expert with `router(x)`.
2. **Keep** the best $k$ and renormalize:
   - their weights add up to one
   - the others cost *nothing*
     - not even a read from memory
3. **Mix** the outputs, which \(\approx\) a dense layer.

- [x] balanced load
- [ ] ~~dropped tokens~~ no longer

```python
class Router(nn.Module):
    '''Chooses the experts of a token.'''

    def __init__(self, width: int, n_experts: int, k: int = 2) -> None:
        super().__init__()
        self.gate = nn.Linear(width, n_experts, bias=False)  # tiny

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        weights, chosen = self.gate(x).softmax(-1).topk(self.k)   # a comment that makes this line too long to fit in
        return weights / weights.sum(-1, keepdim=True), chosen
```

| Model | Experts | Active | Parameters | Note |
|:------|--------:|:------:|-----------:|------|
| Mixtral 8x7B | 8 | 2 | 46.7 B | the first widely used open one |
| Qwen3-30B-A3B | 128 | 8 | 30.5 B | fine-grained, `no shared expert` |
| `starter` | 8 | 2 | 0.4 B | upcycled here, $E_i = E_j$ |

> Sparse models made it possible to run a strong assistant on an ordinary machine.
>
> > Hidden is what happens inside.

---

### In short

Less arithmetic for the same size. ![a diagram](https://example.org/diagram.png) Raw <b>HTML</b> stays text.
"""

CHINESE = r"""**混合专家模型**用许多小的前馈网络代替一个大的。*路由器*为每个词元选出最合适的 $k$ 个专家，所以每一步只用到
一小部分权重。详见[论文](https://arxiv.org/abs/1701.06538)。

## 路由器怎样选择

门控是对 $W_g x$ 的 softmax，其中 $x \in \mathbb{R}^d$：

\[
G(x)_i = \frac{\exp\left((W_g x)_i\right)}{\sum_{j=1}^{n} \exp\left((W_g x)_j\right)}
\]

1. **打分**：每个专家用 `router(x)` 打分。
2. **保留**最好的 $k$ 个并重新归一化：
   - 权重之和为一
   - 其余的专家*不花*任何代价
3. **混合**输出。

```cpp
// 选出前 k 个专家
std::vector<int> top_k(std::span<const float> scores, int k) {
    std::vector<int> order(scores.size());
    std::iota(order.begin(), order.end(), 0);
    return order;  // 简化
}
```

| 模型 | 专家数 | 激活 | 说明 |
|:--|--:|:-:|--|
| Mixtral 8x7B | 8 | 2 | 第一个被广泛使用的开放模型 |
| `starter` | 8 | 2 | 在本机合成，$E_i = E_j$ |

> 稀疏模型让普通的电脑也能运行强大的助手。
"""

REASONING = r"""The user asks about mixtures of experts. Let me recall the gate: $G(x) = \mathrm{softmax}(W_g x)$.

1. Start with the dense layer.
2. Then say what $k$ does to the cost: $O(k d^2)$ instead of $O(n d^2)$.

A short code example and a table would help."""


def message(
    number: int,
    role: Role,
    text: str,
    *,
    reasoning: str = "",
    siblings: tuple[int, ...] = (),
    status: str = "complete",
    stop_reason: str = "stop",
) -> Message:
    """One message of the gallery."""
    parts = [Part("reasoning", reasoning)] if reasoning else []
    if text:
        parts.append(Part("text", text))
    generation = None
    if role == "assistant":
        generation = Generation(
            "Qwen3-30B-A3B-Q4_K_M",
            completion_tokens=812,
            reasoning_tokens=340 if reasoning else 0,
            reasoning_ms=12_300.0 if reasoning else None,
            cached_tokens=1_024,
            ttft_ms=840.0,
            decode_tokens_per_s=42.13,
            stop_reason=stop_reason,
        )
    return Message(
        id=number,
        conversation_id=1,
        parent_id=number - 1 if number > 1 else None,
        role=role,
        status=status,  # type: ignore[arg-type]  # the gallery passes literals of MessageStatus
        created_at=datetime.now(UTC),
        parts=tuple(parts),
        generation=generation,
        sibling_ids=siblings or (number,),
    )


def conversation(*, chinese: bool = False) -> list[Message]:
    """Every kind of message once."""
    question = "什么是混合专家模型？" if chinese else "What is a mixture of experts?"
    longer = (
        "谢谢！请用一句话总结，并给出一段示例代码：\n\n```python\nprint('你好')\n```\n最后一行。"
        if chinese
        else "Thank you! Now in one sentence, please, and look at this:\n\n```python\nprint('hello')\n```\n"
        "I also wonder what *stars* and # signs do here, since a question is shown as it was typed, even when it is long."
    )
    return [
        message(1, "user", question, siblings=(1, 20, 21)),
        message(2, "assistant", CHINESE if chinese else ENGLISH, reasoning=REASONING, siblings=(2, 30)),
        message(3, "user", longer),
        message(4, "assistant", "An answer that was cut", status="interrupted"),
        message(5, "user", "?"),
        message(6, "assistant", "A long one.", stop_reason="length"),
        message(7, "user", "And?"),
        message(8, "assistant", "", status="streaming"),
    ]


def main() -> None:
    """Show the gallery, or write it to a picture."""
    options = argparse.ArgumentParser()
    options.add_argument("--dark", action="store_true")
    options.add_argument("--chinese", action="store_true")
    options.add_argument("--width", type=int, default=900)
    options.add_argument("--height", type=int, default=1200)
    options.add_argument("--scroll", type=int, default=-1)
    options.add_argument("--phase", default="reasoning")
    options.add_argument("--open", action="store_true")
    options.add_argument("--edit", type=int, default=0)
    options.add_argument("--select", action="store_true")
    options.add_argument("--grab")
    chosen = options.parse_args()
    app = QApplication(sys.argv[:1])
    set_language("zh_CN" if chosen.chinese else "en")
    theme.apply("dark" if chosen.dark else "light")
    view = Transcript()
    view.resize(chosen.width, chosen.height)
    view.set_messages(conversation(chinese=chosen.chinese))
    view.show()
    streamed = {
        "prefill": StreamUpdate(8, "prefill", prefill_permille=430),
        "reasoning": StreamUpdate(
            8, "reasoning", reasoning=REASONING, reasoning_tokens=340, reasoning_s=12.2, tokens_per_s=41.0
        ),
        "text": StreamUpdate(
            8,
            "text",
            reasoning=REASONING,
            text="So **far**:\n\n```c\nint main(",
            reasoning_tokens=340,
            reasoning_s=12.2,
            completion_tokens=371,
            tokens_per_s=41.0,
        ),
    }
    view.apply_stream(streamed[chosen.phase])
    if chosen.open:
        view.scene.items[1].toggle_reasoning()
    if chosen.scroll >= 0:
        view.is_following = False
        view.verticalScrollBar().setValue(chosen.scroll)
    if chosen.edit:
        view.edit_message(chosen.edit)
    if chosen.select:
        view.select_all()

    def finish() -> None:
        view.grab().save(chosen.grab)
        app.quit()

    if chosen.grab:
        QTimer.singleShot(1_500, finish)
    sys.exit(app.exec())


if __name__ == "__main__":
    main()
