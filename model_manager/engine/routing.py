"""Where tokens went: the experts of every layer that has any, as values and as JSON.

The JSON is that of `POST /coterie/v1/routing` and of `coterie inspect --routing`; see docs/api.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from model_manager.errors import RequestRefused

RoutingSource = Literal["replay", "live"]
NO_EXPERT: Final = -1
_WEIGHT_DIGITS: Final = 6


@dataclass(frozen=True, slots=True, eq=False)
class Routing:
    """What the routers of a model chose for some tokens that follow each other.

    Attributes:
        n_layers: Of the model, those without experts included.
        n_experts: In each layer that has any; 0 for a dense model.
        n_experts_used: For each token.
        token_ids: The tokens that went in, in order.
        texts: What each of them stands for; a part of a character is U+FFFD.
        layers: Numbers of the layers that have experts, ascending.
        experts: int16, (len(layers), n_tokens, n_ranks); the strongest first, `NO_EXPERT` behind the last
            where a layer uses fewer than others.
        weights: float32, of the same shape; what each expert's output was multiplied by, 0 behind the last.
        source: "live" was seen while the answer was made. "replay" was computed again from its tokens: where
            two experts are nearly equal another batch shape may round to the other one.
    """

    n_layers: int
    n_experts: int
    n_experts_used: int
    token_ids: tuple[int, ...]
    texts: tuple[str, ...]
    layers: tuple[int, ...]
    experts: NDArray[np.int16]
    weights: NDArray[np.float32]
    source: RoutingSource

    @property
    def n_tokens(self) -> int:
        """How many tokens."""
        return len(self.token_ids)


def stacked(
    tables: Sequence[NDArray[np.generic]], padding: float, kind: type[np.generic], n_tokens: int
) -> NDArray[Any]:
    """Tables of one shape a layer, (n_tokens, n_used), as one array; layers may use different numbers."""
    n_ranks = max((table.shape[1] for table in tables), default=0)
    result = np.full((len(tables), n_tokens, n_ranks), padding, kind)
    for layer, table in enumerate(tables):
        result[layer, :, : table.shape[1]] = table
    return result


def joined(parts: Sequence[Routing]) -> Routing:
    """Stretches of tokens that follow each other as one.

    Raises:
        ValueError: There is none, or they are not of one model.
    """
    first = parts[0]
    if any(part.layers != first.layers for part in parts):
        raise ValueError("the parts have different layers")
    return Routing(
        n_layers=first.n_layers,
        n_experts=first.n_experts,
        n_experts_used=first.n_experts_used,
        token_ids=tuple(token_id for part in parts for token_id in part.token_ids),
        texts=tuple(text for part in parts for text in part.texts),
        layers=first.layers,
        experts=np.concatenate([part.experts for part in parts], axis=1),
        weights=np.concatenate([part.weights for part in parts], axis=1),
        source=first.source,
    )


# --- JSON ------------------------------------------------------------------------------------------------


def routing_body(routing: Routing) -> dict[str, Any]:
    """As JSON values: lists by layer, token and rank."""
    weights = np.round(routing.weights.astype(np.float64), _WEIGHT_DIGITS)
    n_used = (routing.experts != NO_EXPERT).sum(axis=2).max(axis=1, initial=0)
    return {
        "n_layers": routing.n_layers,
        "n_experts": routing.n_experts,
        "n_experts_used": routing.n_experts_used,
        "tokens": [
            {"id": token_id, "text": text}
            for token_id, text in zip(routing.token_ids, routing.texts, strict=True)
        ],
        "layers": list(routing.layers),
        "experts": [table[:, :n].tolist() for table, n in zip(routing.experts, n_used, strict=True)],
        "weights": [table[:, :n].tolist() for table, n in zip(weights, n_used, strict=True)],
        "source": routing.source,
    }


def routing_from(body: Mapping[str, Any]) -> Routing:
    """The inverse of `routing_body`, to the last digit that it writes.

    Raises:
        RequestRefused: The answer is not of this form.
    """
    try:
        tokens = body["tokens"]
        shape = (len(tokens), -1 if tokens else 0)
        experts = [np.array(table, np.int16).reshape(shape) for table in body["experts"]]
        weights = [np.array(table, np.float32).reshape(shape) for table in body["weights"]]
        if not len(experts) == len(weights) == len(body["layers"]):
            raise ValueError("not one table a layer")
        return Routing(
            n_layers=int(body["n_layers"]),
            n_experts=int(body["n_experts"]),
            n_experts_used=int(body["n_experts_used"]),
            token_ids=tuple(int(token["id"]) for token in tokens),
            texts=tuple(str(token["text"]) for token in tokens),
            layers=tuple(int(layer) for layer in body["layers"]),
            experts=stacked(experts, NO_EXPERT, np.int16, len(tokens)),
            weights=stacked(weights, 0, np.float32, len(tokens)),
            source="live" if body["source"] == "live" else "replay",
        )
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        raise RequestRefused(502, f"not a routing: {error!r}") from None
