"""A GRU that reads a sequence and says it again from its last state."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pyfastlm.errors import InputError
from pyfastlm.onion.copying import Copier
from pyfastlm.onion.seeding import seeded
from pyfastlm.ops._dispatch import Impl


@dataclass(frozen=True, slots=True)
class CopierConfig:
    """The shape of a :class:`GRUCopier`, and where its weights come from.

    Attributes:
        size: N, of the state and of the embeddings.
        n_symbols, min_len, max_len: of the task.
        no_input: the decoder reads the same "no input" at each step, not the tokens before.
        seed: of the first weights and of the training.
        steps: of training so far.
    """

    size: int
    n_symbols: int = 30
    min_len: int = 2
    max_len: int = 9
    no_input: bool = False
    seed: int = 0
    steps: int = 0

    def __post_init__(self) -> None:
        for name, least in (
            ("size", 1),
            ("n_symbols", 2),
            ("min_len", 1),
            ("max_len", self.min_len),
            ("seed", 0),
            ("steps", 0),
        ):
            if getattr(self, name) < least:
                raise InputError(f"{name}: expected at least {least}, got {getattr(self, name)}")


class GRUCopier(nn.Module):
    """One GRU for reading and for saying, an embedding and an output layer; torch's first weights.

    Tokens are int64 [B, L]; past ``lengths`` [B] any symbol may stand. Symbols are 0 to V-1, ``SOS`` is V,
    and "no input" V+1.

    Attributes:
        embedding: ``nn.Embedding(V+2, N)``.
        rnn: ``nn.GRU(N, N, batch_first=True)``, which holds weights and is not called.
        fc: ``nn.Linear(N, V)``.
        config: :class:`CopierConfig`.
        impl: of :func:`pyfastlm.ops.gru_scan`, which computes what ``rnn`` would.
    """

    def __init__(self, config: CopierConfig, *, impl: Impl = "auto") -> None:
        super().__init__()
        self.config, self.impl = config, impl
        with seeded(config.seed):
            self.embedding = nn.Embedding(config.n_symbols + 2, config.size)
            self.rnn = nn.GRU(config.size, config.size, batch_first=True)
            self.fc = nn.Linear(config.size, config.n_symbols)

    def copier(self) -> Copier:
        """The weights as the scan wants them, for one step of training: gradients reach all of them."""
        weight_ih, weight_hh, bias_ih, bias_hh = self.rnn.all_weights[0]
        table = F.linear(self.embedding.weight, weight_ih, bias_ih)
        return Copier(
            table, weight_hh, bias_hh, self.fc.weight, self.fc.bias, self.config.no_input, self.impl
        )  # fmt: skip

    @torch.no_grad()
    def frozen(self) -> Copier:
        """A copy that does not change with the model. Encoding keeps no graph, and the gradient of what is
        decoded reaches the state only; none of a weight is computed."""
        now = self.copier()
        names = ("table", "weight_hh", "bias_hh", "weight", "bias")
        return replace(now, **{name: getattr(now, name).detach().clone() for name in names})

    def encode(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """The state [B, N] after the last token of each row."""
        return self.copier().encode(tokens, lengths)

    def decode(self, state: Tensor, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Logits [B, L, V] of the tokens from ``state`` [B, N], with the true tokens before as input unless
        ``no_input``; of no meaning past a length."""
        return self.copier().decode(state, tokens, lengths)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Logits [B, L, V]: what :meth:`decode` makes of what :meth:`encode` made, in one scan."""
        return self.copier().forward(tokens, lengths)

    def generate(self, state: Tensor, lengths: Tensor) -> Tensor:
        """The tokens [B, max(lengths)] that the model says from ``state``, reading what it said; 0 past a
        length. No gradient."""
        return self.copier().generate(state, lengths)
