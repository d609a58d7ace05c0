"""Readers of a state: linear, a perceptron, a fresh GRU, and one that peels token by token."""

from abc import abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

from pyfastlm.errors import InputError
from pyfastlm.onion.copying import real_places
from pyfastlm.onion.model import CopierConfig, GRUCopier
from pyfastlm.onion.seeding import seeded
from pyfastlm.onion.sequences import PAD

WIDE = 4  # hidden channels for each channel of a state
FIRST_GAMMA, FIRST_LIN, FIRST_G, FIRST_B = 0.9, 0.1, 1.0, 0.0


class Probe(nn.Module):
    """Reads states [B, N] of models of a configuration, whose sequences have up to ``max_len`` tokens."""

    def __init__(self, config: CopierConfig) -> None:
        super().__init__()
        self.config = config

    @abstractmethod
    def decode(self, states: Tensor, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Logits [B, L, V] of the tokens [B, L], given the true ones before; of no meaning past a length."""

    @abstractmethod
    def generate(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Tokens [B, max(lengths)], given those that it said itself; 0 past a length. No gradient."""


class _AllAtOnce(Probe):
    """Reads every place by itself; ``read`` is [B, N] to [B, max_len * V]."""

    read: nn.Module

    def decode(self, states: Tensor, tokens: Tensor, lengths: Tensor) -> Tensor:
        """See :meth:`Probe.decode`; the true tokens are not looked at."""
        logits: Tensor = self.read(states)
        return logits.view(len(states), self.config.max_len, -1)[:, : tokens.shape[1]]

    @torch.no_grad()
    def generate(self, states: Tensor, lengths: Tensor) -> Tensor:
        """See :meth:`Probe.generate`."""
        said = torch.empty(len(states), int(lengths.max()), dtype=torch.int64)
        return _cut(self.decode(states, said, lengths).argmax(-1), lengths)


class LinearProbe(_AllAtOnce):
    """A linear map for each place."""

    def __init__(self, config: CopierConfig, *, seed: int = 0) -> None:
        super().__init__(config)
        with seeded(seed):
            self.read = nn.Linear(config.size, config.max_len * config.n_symbols)


class MLPProbe(_AllAtOnce):
    """One hidden layer of ``hidden`` ReLU channels, 4 N by default, for all places."""

    def __init__(self, config: CopierConfig, *, hidden: int | None = None, seed: int = 0) -> None:
        super().__init__(config)
        with seeded(seed):
            self.read = _perceptron(config.size, hidden, config.max_len * config.n_symbols)


class GRUProbe(Probe):
    """A fresh GRU that begins at the state. It hears the tokens before, or nothing with ``no_input``,
    whatever the model does."""

    def __init__(self, config: CopierConfig, *, no_input: bool = False, seed: int = 0) -> None:
        super().__init__(config)
        shape = CopierConfig(
            config.size, config.n_symbols, config.min_len, config.max_len, no_input=no_input, seed=seed
        )
        self.model = GRUCopier(shape)

    def decode(self, states: Tensor, tokens: Tensor, lengths: Tensor) -> Tensor:
        """See :meth:`Probe.decode`."""
        return self.model.decode(states, tokens, lengths)

    def generate(self, states: Tensor, lengths: Tensor) -> Tensor:
        """See :meth:`Probe.generate`."""
        return self.model.generate(states, lengths)


class PeelingProbe(Probe):
    """For p = 0, 1, ...: logits = MLP(LayerNorm(h)), then h <- h - E[token] * (g gamma^p + p lin + b).

    One perceptron for all places: it reads whatever token is outermost. The token taken off is the true one
    when taught, and the likeliest when free.
    """

    def __init__(self, config: CopierConfig, *, hidden: int | None = None, seed: int = 0) -> None:
        super().__init__(config)
        size = config.size
        with seeded(seed):
            self.embedding = nn.Embedding(config.n_symbols, size)
            self.read = nn.Sequential(nn.LayerNorm(size), _perceptron(size, hidden, config.n_symbols))
        firsts = (FIRST_GAMMA, FIRST_LIN, FIRST_G, FIRST_B)
        self.gamma, self.lin, self.g, self.b = (nn.Parameter(torch.full((size,), x)) for x in firsts)

    def decode(self, states: Tensor, tokens: Tensor, lengths: Tensor) -> Tensor:
        """See :meth:`Probe.decode`. The states at all places are known beforehand, and read at once."""
        places = torch.arange(tokens.shape[1])
        taken = (self.embedding(tokens) * self._scales(places)).cumsum(dim=1)
        taken = torch.nn.functional.pad(taken[:, :-1], (0, 0, 1, 0))
        logits: Tensor = self.read(states.unsqueeze(1) - taken)
        return logits

    @torch.no_grad()
    def generate(self, states: Tensor, lengths: Tensor) -> Tensor:
        """See :meth:`Probe.generate`."""
        said = []
        for scale in self._scales(torch.arange(int(lengths.max()))):
            said.append(self.read(states).argmax(-1))
            states = states - self.embedding(said[-1]) * scale
        return _cut(torch.stack(said, dim=1), lengths)

    def _scales(self, places: Tensor) -> Tensor:
        p = places.unsqueeze(1).to(self.gamma.dtype)
        return self.g * self.gamma**p + p * self.lin + self.b


def _perceptron(size: int, hidden: int | None, out: int) -> nn.Sequential:
    hidden = WIDE * size if hidden is None else hidden
    if hidden < 1:
        raise InputError(f"hidden: expected at least 1, got {hidden}")
    return nn.Sequential(nn.Linear(size, hidden), nn.ReLU(), nn.Linear(hidden, out))


def _cut(said: Tensor, lengths: Tensor) -> Tensor:
    return said.where(real_places(said, lengths), PAD)


PROBES: dict[str, Callable[[CopierConfig, int], Probe]] = {
    "linear": lambda config, seed: LinearProbe(config, seed=seed),
    "mlp": lambda config, seed: MLPProbe(config, seed=seed),
    "peeling": lambda config, seed: PeelingProbe(config, seed=seed),
    "decoder": lambda config, seed: GRUProbe(config, seed=seed),
    "silent decoder": lambda config, seed: GRUProbe(config, no_input=True, seed=seed),
}
