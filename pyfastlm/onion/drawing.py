"""Unique random sequences: what drawing one after the other into a set gives, many at a time."""

from collections.abc import Callable

import numpy as np
import torch

from pyfastlm.errors import InputError
from pyfastlm.onion.sequences import PAD, Ints, Sequences, keys

Draw = Callable[[np.random.Generator, int], tuple[Ints, Ints]]  # rng, how many -> tokens [M, L], lengths [M]
PATIENCE = 32  # rounds of drawing without anything new


def unique(
    draw: Draw,
    n: int,
    n_symbols: int,
    rng: np.random.Generator,
    *,
    without: Ints,
    most: Ints | None = None,
    exist: bool = False,
) -> tuple[Sequences, Ints]:
    """The first ``n`` different sequences that ``draw`` brings, in the order of their first coming.

    Args:
        draw: independent random sequences, and their lengths.
        without: sorted numbers of sequences (:func:`pyfastlm.onion.sequences.keys`) that are left out.
        most: [L+1] how many of each length may be taken; further ones are left out.
        exist: it is known that there are ``n``.

    Returns:
        The sequences, and their numbers, sorted.

    Raises:
        InputError: nothing new came any more, and ``exist`` is False.
    """
    tokens, lengths = draw(rng, 0)
    names = np.empty(0, np.int64)
    barren = 0
    while len(names) < n:
        size = max(4096, (n - len(names)) * 3 // 2, len(names) if barren else 0)
        more, its_lengths = draw(rng, size)
        named = keys(more, its_lengths, n_symbols)
        fresh = ~_member(named, without)
        names = np.concatenate([names, named[fresh]])
        tokens, lengths = np.concatenate([tokens, more[fresh]]), np.concatenate([lengths, its_lengths[fresh]])
        first = np.sort(np.unique(names, return_index=True)[1])
        if most is not None:
            first = first[_rank(lengths[first]) < most[lengths[first]]]
        found = len(first)
        barren = barren + 1 if found == len(names) - int(fresh.sum()) else 0
        names, tokens, lengths = names[first], tokens[first], lengths[first]
        if barren == PATIENCE and not exist:
            raise InputError(f"n: expected at most {found}, got {n}: there are no more such sequences")
    names, tokens, lengths = names[:n], tokens[:n], lengths[:n]
    tokens[np.arange(tokens.shape[1]) >= lengths[:, None]] = PAD
    return Sequences(torch.from_numpy(tokens), torch.from_numpy(lengths)), np.sort(names)


def _member(named: Ints, of: Ints) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    if not len(of):
        return np.zeros(len(named), np.bool_)
    place = np.minimum(np.searchsorted(of, named), len(of) - 1)
    found: np.ndarray[tuple[int, ...], np.dtype[np.bool_]] = of[place] == named
    return found


def _rank(groups: Ints) -> Ints:
    """How many of its own group come before each."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    starts = np.searchsorted(ordered, ordered)
    rank = np.empty(len(groups), np.int64)
    rank[order] = np.arange(len(groups)) - starts
    return rank


def any_sequence(n_symbols: int, shortest: int, longest: int) -> Draw:
    """Length uniform from ``shortest`` to ``longest``, symbols independent and uniform."""

    def draw(rng: np.random.Generator, size: int) -> tuple[Ints, Ints]:
        lengths = rng.integers(shortest, longest + 1, size)
        return rng.integers(0, n_symbols, (size, longest)), lengths

    return draw


def all_different(n_symbols: int, length: int) -> Draw:
    """``length`` symbols, none of them twice."""

    def draw(rng: np.random.Generator, size: int) -> tuple[Ints, Ints]:
        return _distinct(rng, size, n_symbols, length), np.full(size, length, np.int64)

    return draw


def one_thrice(n_symbols: int, length: int) -> Draw:
    """``length`` symbols, one of them three times, the others once."""

    def draw(rng: np.random.Generator, size: int) -> tuple[Ints, Ints]:
        symbols = _distinct(rng, size, n_symbols, length - 2)
        symbols = np.concatenate([symbols, symbols[:, :1], symbols[:, :1]], axis=1)
        return rng.permuted(symbols, axis=1), np.full(size, length, np.int64)

    return draw


def none_thrice(n_symbols: int, length: int) -> Draw:
    """``length`` independent symbols, given that none of them comes three times or more."""

    def draw(rng: np.random.Generator, size: int) -> tuple[Ints, Ints]:
        tokens = rng.integers(0, n_symbols, (size, length))
        ordered = np.sort(tokens, axis=1)
        kept = tokens[~(ordered[:, 2:] == ordered[:, :-2]).any(axis=1)]
        return kept, np.full(len(kept), length, np.int64)

    return draw


def _distinct(rng: np.random.Generator, size: int, n_symbols: int, length: int) -> Ints:
    return np.argsort(rng.random((size, n_symbols)), axis=1)[:, :length].astype(np.int64, copy=False)
