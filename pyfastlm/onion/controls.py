"""Codes that are known: stand-ins for a trained model whose states are made by a formula.

An intervention that fails on a model says something only if it succeeds where what it looks for is there,
with as many steps and the same rate.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from pyfastlm.errors import InputError
from pyfastlm.onion.copying import real_places
from pyfastlm.onion.model import CopierConfig
from pyfastlm.onion.sequences import PAD
from pyfastlm.onion.vecsum import directions, read

SHARP = 10.0  # logit of a token that is held whole


@dataclass(frozen=True, slots=True, eq=False)
class LinearCode:
    """Each place of a sequence in a subspace of its own, all of them turned by one rotation.

    The state is Q^T x, where x holds a 1 for the token at each place: N = V * max_len. What comes before is
    not heard.

    Attributes:
        config: of the models that it stands for.
        rotation: [N, N] float32, orthogonal.
    """

    config: CopierConfig
    rotation: Tensor

    @classmethod
    def make(cls, n_symbols: int = 30, max_len: int = 9, *, min_len: int = 2, seed: int = 0) -> "LinearCode":
        """With a random rotation.

        Raises:
            InputError: a number is out of range.
        """
        size = n_symbols * max_len
        config = CopierConfig(size, n_symbols, min_len, max_len, no_input=True, seed=seed)
        return cls(config, directions(size, size, seed=seed).float())

    def frozen(self) -> "LinearCode":
        """Itself: nothing is learned."""
        return self

    def encode(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """States [B, N] of ``tokens`` [B, L], where L is at most ``max_len``."""
        held = F.one_hot(tokens, self.config.n_symbols) * real_places(tokens, lengths).unsqueeze(2)
        missing = self.config.max_len - tokens.shape[1]
        if missing < 0:
            raise InputError(f"tokens: expected at most {self.config.max_len} places, got {tokens.shape[1]}")
        return F.pad(held, (0, 0, 0, missing)).flatten(1).float() @ self.rotation

    def decode(self, state: Tensor, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Logits [B, L, V]."""
        held = (state @ self.rotation.T).view(len(state), self.config.max_len, -1)
        return SHARP * held[:, : tokens.shape[1]]

    def generate(self, state: Tensor, lengths: Tensor) -> Tensor:
        """Tokens [B, max(lengths)]; 0 past a length."""
        places = torch.empty(len(state), int(lengths.max()), dtype=torch.int64)
        said = self.decode(state, places, lengths).argmax(-1)
        return said.where(real_places(said, lengths), PAD)


@dataclass(frozen=True, slots=True, eq=False)
class OnionCode:
    """All places in the same directions, each gamma times as large as the one before: the toy of
    :mod:`pyfastlm.onion.vecsum`. What comes before is heard, and taken off.

    Attributes:
        config: of the models that it stands for.
        embedding: [V, N] float32, orthogonal unit vectors.
        gamma: below 1/2.
    """

    config: CopierConfig
    embedding: Tensor
    gamma: float

    @classmethod
    def make(
        cls,
        size: int = 64,
        n_symbols: int = 30,
        max_len: int = 9,
        *,
        min_len: int = 2,
        gamma: float = 0.4,
        seed: int = 0,
    ) -> "OnionCode":
        """With random directions.

        Raises:
            InputError: a number is out of range, or there are more symbols than directions.
        """
        config = CopierConfig(size, n_symbols, min_len, max_len, seed=seed)
        if size < n_symbols:
            raise InputError(f"size: expected at least one for each of {n_symbols} symbols, got {size}")
        if not 0 < gamma < 0.5:
            raise InputError(f"gamma: expected a number between 0 and 1/2, got {gamma}")
        return cls(config, directions(n_symbols, size, seed=seed).float(), gamma)

    def frozen(self) -> "OnionCode":
        """Itself: nothing is learned."""
        return self

    def encode(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """States [B, N] of ``tokens`` [B, L]."""
        return self._layers(tokens, real_places(tokens, lengths)).sum(dim=1)

    def decode(self, state: Tensor, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Logits [B, L, V] of what is left at each place when the true tokens before are taken off."""
        layers = self._layers(tokens, torch.ones_like(tokens, dtype=torch.bool))
        left = state.unsqueeze(1) - (layers.cumsum(dim=1) - layers)
        return SHARP * (left @ self.embedding.T) / self._sizes(tokens.shape[1])

    def generate(self, state: Tensor, lengths: Tensor) -> Tensor:
        """Tokens [B, max(lengths)]; 0 past a length."""
        said = read(self.embedding, state, int(lengths.max()), self.gamma)
        return said.where(real_places(said, lengths), PAD)

    def _layers(self, tokens: Tensor, real: Tensor) -> Tensor:
        return self.embedding[tokens] * self._sizes(tokens.shape[1]) * real.unsqueeze(2)

    def _sizes(self, places: int) -> Tensor:
        sizes: Tensor = self.gamma ** torch.arange(places, dtype=torch.float32)
        return sizes.unsqueeze(1)
