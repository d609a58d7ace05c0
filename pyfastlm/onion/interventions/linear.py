"""Linear subspaces: a rotation in which each channel belongs to one variable of the sequence, or to none.

The interchange: z = Q h of the corrupted sequence, but the channels of a repaired variable are taken from
the z of a sequence that has this variable right; h' = Q^T z. Computed as h + Q^T (mask * Q (donor - h)),
which is the same, and exactly h where donor and h are.
"""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from pyfastlm.errors import InputError
from pyfastlm.onion.interventions.base import Intervention, Plan
from pyfastlm.onion.interventions.corruption import Corrupted, Edits, Lengths, among
from pyfastlm.onion.interventions.masks import HardMask
from pyfastlm.onion.interventions.rotation import Rotation
from pyfastlm.onion.model import CopierConfig
from pyfastlm.onion.seeding import seeded
from pyfastlm.onion.sequences import Sequences

PENALTY = 1e-3


class Linear(Intervention):
    """``rotation`` [N, N] and ``mask`` [N, V+1] of V ``n_variables``, and how they edit."""

    def __init__(self, config: CopierConfig, n_variables: int, seed: int) -> None:
        super().__init__(config)
        self.n_variables = n_variables
        with seeded(seed):
            self.rotation = Rotation(self.size)
            self.mask = HardMask(self.size, n_variables)

    def edit(self, states: Tensor, plan: Plan) -> Tensor:
        """See :meth:`Intervention.edit`."""
        rotation: Tensor = self.rotation()
        taken = plan.variables.to(states.dtype) @ self.mask()[:, :-1].T  # [D, N]
        held = states[: len(plan.corrupted.tokens)]
        change = ((states[plan.source] - held[plan.row]) @ rotation.T) * taken
        return held + torch.zeros_like(held).index_add(0, plan.row, change) @ rotation

    @torch.no_grad()
    def orthogonality(self) -> float:
        """Largest entry of |Q Q^T - 1|, in float64."""
        matrix = self.rotation().double()
        return float((matrix @ matrix.T - torch.eye(self.size, dtype=torch.float64)).abs().max())

    def channels(self) -> tuple[int, ...]:
        """How many channels each variable has, "none" last: [V+1], N in all."""
        chosen = self.mask.logits.argmax(dim=1)
        return tuple(torch.bincount(chosen, minlength=self.n_variables + 1).tolist())

    def penalty(self) -> Tensor:
        """1e-3 times the preference of the mask for variables, which moves unneeded channels to "none"."""
        return PENALTY * self.mask.penalty()

    def _variables(self, places: Tensor) -> Tensor:
        """[D, L] bool as [D, V]."""
        return F.pad(places, (0, self.n_variables - places.shape[1]))


class LinearUnigram(Linear):
    """A variable for each place of the sequence.

    The donor of swapped sequences is the partner, whose corrupted sequence has the original token at all
    swapped places and its own tokens elsewhere. Where one token was drawn anew there is no partner; the donor
    is then a random sequence of the same length with the original token at this place.
    """

    own_lengths: ClassVar[Lengths] = "max"
    own_edits: ClassVar[Edits] = "half"

    def __init__(self, config: CopierConfig, *, seed: int = 0) -> None:
        super().__init__(config, config.max_len, seed)

    def plan(self, corrupted: Corrupted, generator: Generator | None = None) -> Plan:
        """See :meth:`Intervention.plan`."""
        _fits(corrupted, self.max_len)
        original, edited = corrupted.original, corrupted.edited
        row = torch.arange(len(edited))
        if corrupted.partner is not None:
            return Plan(corrupted, original.rows(row[:0]), corrupted.partner, row, self._variables(edited))
        extra = Sequences(among(edited, original.tokens, self.n_symbols, generator), original.lengths)
        return Plan(corrupted, extra, row + len(row), row, self._variables(edited))


class LinearBigram(Linear):
    """A variable for each two neighbouring places; the last place of a shorter sequence and its end are one.

    Each edited place p has a donor of its own: a random sequence of the same length with the original tokens
    at p - 1, p and p + 1. Variables p - 1 and p, the two that p is part of, come from it. (With one donor for
    many edits, most of its tokens would be original, and the mere exchange of states a success. Of sequences
    of three symbols or less it is often one as it is: see ``Report.whole``.) Where p - 1 is edited too,
    variable p - 1 comes from that place's donor: in both it is right.
    """

    own_lengths: ClassVar[Lengths] = "max"
    own_edits: ClassVar[Edits] = "one"

    def __init__(self, config: CopierConfig, *, seed: int = 0) -> None:
        if config.max_len < 2:
            raise InputError(f"max_len: expected at least 2 for a pair of places, got {config.max_len}")
        super().__init__(config, config.max_len - 1, seed)

    def plan(self, corrupted: Corrupted, generator: Generator | None = None) -> Plan:
        """See :meth:`Intervention.plan`."""
        _fits(corrupted, self.max_len)
        original, edited = corrupted.original, corrupted.edited
        row, place = edited.nonzero(as_tuple=True)
        distance = torch.arange(edited.shape[1]) - place.unsqueeze(1)
        donors = among(distance.abs() <= 1, original.tokens[row], self.n_symbols, generator)
        before = (distance == -1) & ~edited[row]
        return Plan(
            corrupted,
            Sequences(donors, original.lengths[row]),
            len(edited) + torch.arange(len(row)),
            row,
            self._variables((distance == 0) | before),
        )


def _fits(corrupted: Corrupted, max_len: int) -> None:
    longest = corrupted.tokens.shape[1]
    if longest > max_len:
        raise InputError(f"corrupted: expected sequences of at most {max_len} tokens, got {longest}")
