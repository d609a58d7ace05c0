"""Interchange interventions: states of one run in the place of those of another."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pyfastlm.memorization.tracing.result import Floats
from pyfastlm.memorization.tracing.stream import Recorded, Stream


class Exchange(NamedTuple):
    """In run ``base``, the states at ``positions`` of one level are those of run ``source``."""

    base: int
    source: int
    positions: tuple[int, ...]


class Drops(NamedTuple):
    """Means over the corrupted prompts: singly [N, H] clean and corrupted runs, and all positions [H]."""

    clean: Floats
    corrupted: Floats
    whole: Floats


def exchanges(draws: int, positions: Sequence[int], prefix_length: int) -> list[Exchange]:
    """All of one level: into the clean run (0), into each corrupted one (1..draws), and whole prompts."""
    runs = range(1, draws + 1)
    singly = [(run, (position,)) for run in runs for position in positions]
    return [
        *(Exchange(0, run, place) for run, place in singly),
        *(Exchange(run, 0, place) for run, place in singly),
        *(Exchange(0, run, tuple(range(prefix_length))) for run in runs),
    ]


def logp_after(
    stream: Stream,
    tokens: Tensor,
    recorded: Recorded,
    level: int,
    asked: Sequence[Exchange],
    first: int,
    rows: int,
) -> Floats:
    """[len(asked), T - first] nats of the tokens from ``first`` on, ``rows`` exchanges at once.

    Args:
        stream: the model.
        tokens: [runs, T], the clean run first.
        recorded: what :meth:`Stream.record` gave for them.
        level: of the stream.
        asked: the exchanges.
        first: place of the first token that is watched.
        rows: of a batch.
    """
    states = recorded.states[level]
    found = []
    for part in _batches(asked, rows):
        base = torch.tensor([one.base for one in part], device=states.device)
        mixed = states[base]  # a copy
        for row, one in enumerate(part):
            places = list(one.positions)
            mixed[row, places] = states[one.source, places]
        logp = stream.resume(tokens[base], level, mixed, first)
        found.append(logp.double().cpu().numpy())
    return np.concatenate(found)


def _batches(asked: Sequence[Exchange], rows: int) -> Iterator[Sequence[Exchange]]:
    for start in range(0, len(asked), rows):
        yield asked[start : start + rows]


def levels(
    stream: Stream,
    tokens: Tensor,
    recorded: Recorded,
    layers: Iterable[int],
    positions: Sequence[int],
    prefix_length: int,
    rows: int,
) -> Iterator[tuple[Drops, Drops]]:
    """Level by level: how much probability, and how many nats, the exchanges take or give back."""
    draws = len(tokens) - 1
    asked = exchanges(draws, positions, prefix_length)
    before = recorded.logp[:, prefix_length - 1 :].double().cpu().numpy()
    singly = draws * len(positions)
    for level in layers:
        after = logp_after(stream, tokens, recorded, level, asked, prefix_length, rows)
        start = before[[one.base for one in asked]]
        made = []
        for change in (np.exp(start) - np.exp(after), start - after):
            clean, back, whole = np.split(change, [singly, 2 * singly])
            shape = (draws, len(positions), -1)
            made.append(Drops(clean.reshape(shape).mean(0), -back.reshape(shape).mean(0), whole.mean(0)))
        yield made[0], made[1]
