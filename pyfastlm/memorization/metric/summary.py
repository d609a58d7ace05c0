"""What the rows of each sequence come to."""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np

from pyfastlm.memorization.metric.lengths import LengthRow


class Summary(NamedTuple):
    """One sequence, over all its prompts.

    Lengths are in tokens, and copied ones count as 0: ``longest``, ``varied`` (without trivial ones) and
    ``mean``. ``over_16`` and ``over_32`` are shares of the prompts with room for so many tokens, NaN without
    any; ``at_limit`` the share that could not have given more. ``copied`` and ``ties`` count prompts.
    """

    sequence_id: str
    transform: str | None
    prompts: int
    longest: int
    varied: int
    mean: float
    over_16: float
    over_32: float
    at_limit: float
    copied: int
    ties: int


def summaries(rows: Sequence[LengthRow]) -> list[Summary]:
    """One for each sequence; its rows stand together."""
    return [_summary(key, [*of]) for key, of in groupby(rows, key=lambda row: row[:2])]


def _summary(key: tuple[str, str | None], rows: Sequence[LengthRow]) -> Summary:
    limit = np.array([row.limit for row in rows])
    lengths = np.array([row.length for row in rows])
    copied = np.array([row.copied for row in rows])
    trivial = np.array([row.trivial for row in rows])
    own = np.where(copied, 0, lengths)

    def over(least: int) -> float:
        room = limit >= least
        return float((own >= least)[room].mean()) if room.any() else float("nan")

    return Summary(
        *key,
        prompts=len(rows),
        longest=int(own.max()),
        varied=int(np.where(trivial, 0, own).max()),
        mean=float(own.mean()),
        over_16=over(16),
        over_32=over(32),
        at_limit=float((lengths >= limit).mean()),
        copied=int(copied.sum()),
        ties=sum(row.tie for row in rows),
    )
