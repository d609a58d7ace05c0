"""Sequences with some tokens exchanged, which an intervention on the state is to undo."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Generator, Tensor

from pyfastlm.errors import InputError
from pyfastlm.onion.sequences import Sequences

Edits = Literal["one", "half"]
Lengths = Literal["all", "max"]
P = 0.5  # of a place to be swapped


@dataclass(frozen=True, slots=True, eq=False)
class Corrupted:
    """A batch before and after.

    Attributes:
        original: the sequences [B, L] that the decoder is to say.
        tokens: [B, L] what the encoder reads, of the same lengths.
        edited: [B, L] bool, the places that were drawn; the token may be the same by chance.
        partner: [B] the row that each was swapped with; None where tokens were drawn anew.
    """

    original: Sequences
    tokens: Tensor
    edited: Tensor
    partner: Tensor | None


def replace_one(batch: Sequences, n_symbols: int, generator: Generator | None = None) -> Corrupted:
    """One place of each row, uniform within its length, gets a uniform symbol; the same one in 1 of V."""
    draws = torch.rand(len(batch), generator=generator, dtype=torch.float64)
    place = (draws * batch.lengths).long()
    edited = torch.arange(batch.tokens.shape[1]) == place.unsqueeze(1)
    tokens = batch.tokens.where(~edited, _symbols(batch.tokens, n_symbols, generator))
    return Corrupted(batch, tokens, edited, None)


def swap(batch: Sequences, generator: Generator | None = None, *, p: float = P) -> Corrupted:
    """Rows in random pairs; each place within both lengths is swapped with probability ``p``, each by itself.

    Raises:
        InputError: the number of rows is odd.
    """
    if len(batch) % 2:
        raise InputError(f"batch: expected an even number of rows to swap in pairs, got {len(batch)}")
    partner = pairs(len(batch), generator)
    common = torch.minimum(batch.lengths, batch.lengths[partner])
    rows, longest = batch.tokens.shape
    first = torch.minimum(torch.arange(rows), partner)  # both of a pair look at the draws of the first
    chosen = torch.rand(rows, longest, generator=generator)[first] < p
    edited = chosen & (torch.arange(longest) < common.unsqueeze(1))
    return Corrupted(batch, batch.tokens.where(~edited, batch.tokens[partner]), edited, partner)


def pairs(rows: int, generator: Generator | None = None) -> Tensor:
    """[rows] int64: the other one of each row's pair, in a random perfect pairing."""
    left, right = torch.randperm(rows, generator=generator).chunk(2) if rows else (torch.empty(0).long(),) * 2
    partner = torch.empty(rows, dtype=torch.int64)
    partner[left], partner[right] = right, left
    return partner


def corrupt(batch: Sequences, edits: Edits, n_symbols: int, generator: Generator | None = None) -> Corrupted:
    """``one``: :func:`replace_one`; ``half``: :func:`swap`.

    Raises:
        InputError: there is no such kind; or ``half``, and the number of rows is odd.
    """
    if edits == "one":
        return replace_one(batch, n_symbols, generator)
    if edits == "half":
        return swap(batch, generator)
    raise InputError(f"edits: expected 'one' or 'half', got {edits!r}")


def among(kept: Tensor, tokens: Tensor, n_symbols: int, generator: Generator | None = None) -> Tensor:
    """``tokens`` [D, L] where ``kept`` [D, L], uniform symbols elsewhere."""
    return tokens.where(kept, _symbols(tokens, n_symbols, generator))


def chosen_lengths(data: Sequences, lengths: Lengths, max_len: int) -> Sequences:
    """Those of a condition: ``all``, or those of ``max_len`` only for ``max``.

    Raises:
        InputError: there is no such condition, or no such sequence.
    """
    if lengths == "all":
        return data
    if lengths != "max":
        raise InputError(f"lengths: expected 'all' or 'max', got {lengths!r}")
    found = data.of_length(max_len)
    if not len(found):
        raise InputError(f"lengths: there is no sequence of {max_len} symbols")
    return found


def _symbols(like: Tensor, n_symbols: int, generator: Generator | None) -> Tensor:
    return torch.randint(0, n_symbols, like.shape, generator=generator)
