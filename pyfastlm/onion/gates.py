"""How far the gates of a copier are open while it reads and says a sequence."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.onion.model import GRUCopier
from pyfastlm.onion.sequences import Sequences
from pyfastlm.ops import gru_scan


@dataclass(frozen=True, slots=True, eq=False)
class Gates:
    """Means over sequences of one length.

    Attributes:
        update: [2 len, N] float64, mean of 1 - z: the share of the state that each step writes anew, of
            reading (the first half) and of saying (the second), taught.
        order: [N] int64, channels by their mean ``update`` while reading, largest first.
        n: sequences.
    """

    update: NDArray[np.float64]
    order: NDArray[np.int64]
    n: int


@torch.no_grad()
def update_gates(model: GRUCopier, data: Sequences, length: int, *, n: int = 1000) -> Gates:
    """The gates of ``model`` for the first ``n`` sequences of ``length`` symbols in ``data``.

    Raises:
        InputError: there is no such sequence.
    """
    held = data.of_length(length)
    if not len(held) or n < 1:
        raise InputError(f"length: expected that of some sequence, and n at least 1, got {length} and {n}")
    held = held.rows(torch.arange(min(n, len(held))))
    copier = model.frozen()
    tokens = held.tokens[:, :length]
    ids = torch.cat([tokens, copier.heard(tokens)], dim=1)
    states = gru_scan(copier.table, ids, copier.weight_hh, copier.bias_hh, impl=copier.impl).states
    before = F.pad(states[:, :-1], (0, 0, 1, 0))  # the state that each step begins with
    size = states.shape[2]
    of_z = slice(size, 2 * size)
    z = F.linear(before, copier.weight_hh[of_z], copier.bias_hh[of_z]) + copier.table[ids][..., of_z]
    update = (1 - torch.sigmoid(z)).double().mean(dim=0).numpy()
    order = np.argsort(-update[:length].mean(axis=0), kind="stable")
    return Gates(update, order, len(held))
