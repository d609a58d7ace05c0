"""The onion: the same directions for a token wherever it stands, at a size that the place decides."""

from typing import ClassVar

import torch
from torch import Generator, Tensor, nn

from pyfastlm.onion.interventions.base import Intervention, Plan
from pyfastlm.onion.interventions.corruption import Corrupted, Edits, Lengths
from pyfastlm.onion.model import CopierConfig
from pyfastlm.onion.seeding import seeded

FIRST_GAMMA, FIRST_LIN, FIRST_G, FIRST_B = 0.9, 1.0, 1.0, 0.0


class Onion(Intervention):
    """h' = h + (tanh E[y] - tanh E[x]) * s(p), summed over the edited places p, where x stands for y.

    s(p) = g * gamma^p + p * lin + b, of a number for each channel.

    Args:
        config: of the model.
        scale: False is the control: gamma = 1 and lin = 0 are held, so that s is the same at every place.
        lin: False holds lin = 0.
        seed: of the first embedding.
    """

    own_lengths: ClassVar[Lengths] = "all"
    own_edits: ClassVar[Edits] = "one"

    def __init__(self, config: CopierConfig, *, scale: bool = True, lin: bool = True, seed: int = 0) -> None:
        super().__init__(config)
        with seeded(seed):
            self.embedding = nn.Embedding(self.n_symbols, self.size)
        self.gamma = self._channels(FIRST_GAMMA if scale else 1.0, learned=scale)
        self.lin = self._channels(FIRST_LIN if scale and lin else 0.0, learned=scale and lin)
        self.g, self.b = self._channels(FIRST_G), self._channels(FIRST_B)

    def scales(self, places: Tensor) -> Tensor:
        """s(p) [D, N] for ``places`` [D]."""
        p = places.unsqueeze(1).to(self.gamma.dtype)
        return self.g * self.gamma**p + p * self.lin + self.b

    def plan(self, corrupted: Corrupted, generator: Generator | None = None) -> Plan:
        """See :meth:`Intervention.plan`: nothing but the corrupted sequences is encoded."""
        none = torch.empty(0, dtype=torch.int64)
        return Plan(corrupted, corrupted.original.rows(none), none, none, none.reshape(0, self.max_len))

    def edit(self, states: Tensor, plan: Plan) -> Tensor:
        """See :meth:`Intervention.edit`."""
        corrupted = plan.corrupted
        row, place = corrupted.edited.nonzero(as_tuple=True)
        symbols = torch.tanh(self.embedding.weight)
        right, wrong = corrupted.original.tokens[row, place], corrupted.tokens[row, place]
        change = (symbols[right] - symbols[wrong]) * self.scales(place)
        return states.index_add(0, row, change)

    def _channels(self, value: float, *, learned: bool = True) -> nn.Parameter:
        return nn.Parameter(torch.full((self.size,), value), requires_grad=learned)
