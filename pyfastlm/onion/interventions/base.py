"""What the interventions have in common: they say what else is to be encoded, and edit states."""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor, nn

from pyfastlm.errors import InputError
from pyfastlm.onion.codes import Code
from pyfastlm.onion.interventions.corruption import Corrupted, Edits, Lengths
from pyfastlm.onion.interventions.masks import HardMask
from pyfastlm.onion.model import CopierConfig
from pyfastlm.onion.scoring import exact
from pyfastlm.onion.sequences import Sequences


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A corrupted batch [B] and where its repair comes from.

    The states of the B corrupted sequences and of the E ``extra`` ones are one pool [B+E, N]. Donor d gives
    its state, number ``source[d]`` of the pool, to row ``row[d]``, for the ``variables[d]`` [V] that are set.
    No two donors of a row give the same variable. Without donors the tensors are empty.
    """

    corrupted: Corrupted
    extra: Sequences
    source: Tensor
    row: Tensor
    variables: Tensor

    def encode(self, copier: Code) -> Tensor:
        """The pool [B+E, N]."""
        pool = self._pool()
        return copier.encode(pool.tokens, pool.lengths)

    def whole(self) -> Tensor:
        """[B] bool: some donor of the row is the whole original."""
        donors, originals = self._pool().rows(self.source), self.corrupted.original.rows(self.row)
        same = exact(donors.tokens, originals) & (donors.lengths == originals.lengths)
        found = torch.zeros(len(self.corrupted.tokens), dtype=torch.bool)
        found[self.row[same]] = True
        return found

    def _pool(self) -> Sequences:
        tokens = torch.cat([self.corrupted.tokens, self.extra.tokens])
        return Sequences(tokens, torch.cat([self.corrupted.original.lengths, self.extra.lengths]))


class Intervention(nn.Module):
    """An edit of states that is learned.

    Made for the models of a configuration: states of ``size`` numbers, ``n_symbols``, and sequences of up to
    ``max_len``. ``own_lengths`` and ``own_edits`` are the condition under which the paper's code trains and
    scores it.
    """

    own_lengths: ClassVar[Lengths]
    own_edits: ClassVar[Edits]

    def __init__(self, config: CopierConfig) -> None:
        super().__init__()
        self.size, self.n_symbols, self.max_len = config.size, config.n_symbols, config.max_len

    @abstractmethod
    def plan(self, corrupted: Corrupted, generator: Generator | None = None) -> Plan:
        """What has to be encoded to repair a batch whose sequences have at most ``max_len`` tokens."""

    @abstractmethod
    def edit(self, states: Tensor, plan: Plan) -> Tensor:
        """The repaired states [B, N], from the pool ``states`` [B+E, N] of the plan."""

    def rated(self, mask_rate: float) -> Iterator[tuple[Tensor, float]]:
        """What is learned, each with its relative learning rate: ``mask_rate`` for the logits of a mask."""
        for module in self.modules():
            rate = mask_rate if isinstance(module, HardMask) else 1.0
            yield from ((parameter, rate) for parameter in module.parameters(recurse=False))

    def penalty(self) -> Tensor:
        """What is added to the loss."""
        return torch.zeros(())

    def repair(self, copier: Code, corrupted: Corrupted, generator: Generator | None = None) -> Tensor:
        """Encode with a frozen model, and edit: states [B, N] from which it should say the original.

        Raises:
            InputError: the states are of another size.
        """
        plan = self.plan(corrupted, generator)
        states = plan.encode(copier)
        if states.shape[1] != self.size:
            raise InputError(f"model: expected states of {self.size} numbers, got {states.shape[1]}")
        return self.edit(states, plan)
