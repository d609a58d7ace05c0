"""A toy: sequences stored in one sum, each token in its own direction, smaller from place to place.

It shows that a code by magnitude alone can be read: the largest direction is the first token, and once this
is taken off, the next one is.
"""

import torch
from torch import Tensor

from pyfastlm.errors import InputError


def directions(n_symbols: int, size: int, *, seed: int = 0) -> Tensor:
    """[V, N] float64 unit vectors: orthogonal where N >= V, random ones else.

    Raises:
        InputError: a number is below 1.
    """
    if n_symbols < 1 or size < 1:
        raise InputError(f"n_symbols, size: expected at least 1, got {n_symbols} and {size}")
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(max(n_symbols, size), size, generator=generator, dtype=torch.float64)
    found: Tensor = torch.linalg.qr(drawn).Q if size >= n_symbols else drawn
    return torch.nn.functional.normalize(found[:n_symbols])


def store(embedding: Tensor, tokens: Tensor, gamma: float = 0.4) -> Tensor:
    """sum over p of gamma^p e[token p]: [B, N] of ``tokens`` [B, L].

    Raises:
        InputError: ``gamma`` is not between 0 and 1.
    """
    powers = _powers(tokens.shape[1], gamma, embedding)
    return (embedding[tokens] * powers.unsqueeze(1)).sum(dim=1)


def read(embedding: Tensor, state: Tensor, length: int, gamma: float = 0.4) -> Tensor:
    """The tokens [B, length] that a ``state`` [B, N] holds: at each place the direction with the largest
    product, which is then taken off at this place's size.

    (The paper's toy also takes off a start symbol first, at size 1/gamma, in a direction of its own.)

    Exact for orthogonal directions and gamma < 1/2: all later tokens together, gamma + gamma^2 + ..., then
    weigh less than the one at hand.

    Raises:
        InputError: ``gamma`` is not between 0 and 1.
    """
    said = []
    for power in _powers(length, gamma, embedding):
        token = (state @ embedding.T).argmax(dim=1)
        state = state - power * embedding[token]
        said.append(token)
    return torch.stack(said, dim=1) if said else torch.empty(len(state), 0, dtype=torch.int64)


def _powers(length: int, gamma: float, like: Tensor) -> Tensor:
    if not 0 < gamma < 1:
        raise InputError(f"gamma: expected a number between 0 and 1, got {gamma}")
    return gamma ** torch.arange(length, dtype=like.dtype)
