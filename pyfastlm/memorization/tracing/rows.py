"""A trace for people: one row for each generated token."""

from typing import Any, NamedTuple

import numpy as np

from pyfastlm.memorization.tracing.result import Trace


class TokenRow(NamedTuple):
    """One generated token and what it depends on.

    Attributes:
        place: 0 to H - 1.
        text: of the token.
        probability: after the true prompt, and the true tokens before it.
        greedy: whether the model would write it.
        total: the drop when the whole prompt is corrupted.
        peak: the largest drop by a single state.
        layer: level of that state.
        position: its place in the prompt.
        trigger: text of the token there.
        depends: whether it counts as dependent on the prompt.
    """

    place: int
    text: str
    probability: float
    greedy: bool
    total: float
    peak: float
    layer: int
    position: int
    trigger: str
    depends: bool


def token_rows(trace: Trace, tokenizer: Any) -> list[TokenRow]:
    """The generated tokens of ``trace`` in their order."""
    texts = [tokenizer.decode([token]) for token in trace.tokens.tolist()]
    total, peak, depends = trace.total, trace.peak, trace.depends
    rows = []
    for place, logp in enumerate(trace.logp):
        layer, position = trace.strongest(place)
        rows.append(
            TokenRow(
                place,
                texts[trace.prefix_length + place],
                float(np.exp(logp)),
                bool(trace.greedy[place]),
                float(total[place]),
                float(peak[place]),
                layer,
                position,
                texts[position],
                bool(depends[place]),
            )
        )
    return rows
