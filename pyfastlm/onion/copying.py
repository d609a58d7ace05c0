"""What a copier computes, from weights that are at hand: encode, decode, both in one scan, run freely."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from pyfastlm.onion.sequences import PAD
from pyfastlm.ops import gru_scan
from pyfastlm.ops._dispatch import Impl


@dataclass(frozen=True, slots=True, eq=False)
class Copier:
    """The numbers of a GRU copier as the scan wants them.

    Attributes:
        table: [V+2, 3N], the input side of the gates for each symbol, for SOS and for "no input".
        weight_hh, bias_hh: [3N, N] and [3N], of the recurrence.
        weight, bias: [V, N] and [V], from a state to the logits of the next symbol.
        no_input: the decoder is told nothing of what came before.
        impl: of :func:`pyfastlm.ops.gru_scan`.
    """

    table: Tensor
    weight_hh: Tensor
    bias_hh: Tensor
    weight: Tensor
    bias: Tensor
    no_input: bool
    impl: Impl

    @property
    def sos(self) -> int:
        """The id that begins decoding."""
        return len(self.weight)

    @property
    def nothing(self) -> int:
        """The id that stands for no input."""
        return len(self.weight) + 1

    def encode(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """The state [B, N] after the last token of each row of ``tokens`` [B, L]."""
        scanned = gru_scan(self.table, tokens, self.weight_hh, self.bias_hh, lengths=lengths, impl=self.impl)
        return scanned.last

    def decode(self, state: Tensor, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Logits [B, L, V] of each token of ``tokens`` [B, L] from ``state`` [B, N]; the true tokens before
        it are read, or nothing, as the model was made. Of no meaning past ``lengths`` [B]."""
        scanned = gru_scan(
            self.table, self.heard(tokens), self.weight_hh, self.bias_hh, state, lengths=lengths,
            impl=self.impl,
        )  # fmt: skip
        return F.linear(scanned.states, self.weight, self.bias)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """:meth:`encode` and :meth:`decode` in one scan of twice the steps: the weights are the same."""
        rows, longest = tokens.shape
        places = lengths.unsqueeze(1) + torch.arange(longest, device=tokens.device)  # of the decoder's steps
        both = torch.cat([tokens, tokens], dim=1).scatter(1, places, self.heard(tokens))
        scanned = gru_scan(
            self.table, both, self.weight_hh, self.bias_hh, lengths=2 * lengths, impl=self.impl
        )
        starts = torch.arange(rows, device=tokens.device).unsqueeze(1) * 2 * longest
        said = scanned.states.flatten(0, 1).index_select(0, (starts + places).flatten())
        return F.linear(said, self.weight, self.bias).view(rows, longest, -1)

    @torch.no_grad()
    def generate(self, state: Tensor, lengths: Tensor) -> Tensor:
        """The tokens [B, max(lengths)] that the model says, reading what it said itself; 0 past a length."""
        rows, longest = len(lengths), int(lengths.max()) if len(lengths) else 0
        said = torch.full((rows, longest), PAD, device=state.device)
        if self.no_input:
            return self.decode(state, said, lengths).argmax(-1).where(real_places(said, lengths), PAD)
        heard = torch.full((rows, 1), self.sos, device=state.device)
        for step in range(longest):
            state = gru_scan(self.table, heard, self.weight_hh, self.bias_hh, state, impl=self.impl).last
            heard = F.linear(state, self.weight, self.bias).argmax(-1, keepdim=True)
            said[:, step : step + 1] = heard
        return said.where(real_places(said, lengths), PAD)

    def heard(self, tokens: Tensor) -> Tensor:
        """What the decoder reads [B, L]: SOS and the tokens but the last; or "no input" at each step."""
        if self.no_input:
            return torch.full_like(tokens, self.nothing)
        return F.pad(tokens[:, :-1], (1, 0), value=self.sos)


def sequence_loss(logits: Tensor, tokens: Tensor, lengths: Tensor) -> Tensor:
    """Mean cross entropy in nats of the real tokens; ``logits`` [B, L, V], ``tokens`` [B, L]."""
    real = real_places(tokens, lengths)
    return F.cross_entropy(logits[real], tokens[real])


def real_places(tokens: Tensor, lengths: Tensor) -> Tensor:
    """[B, L] bool: which places of ``tokens`` [B, L] are within ``lengths`` [B]."""
    return torch.arange(tokens.shape[1], device=tokens.device) < lengths.unsqueeze(1)
