"""Draws that depend on a seed of their own, and not on what else is drawn in the same batch."""

import hashlib

import torch
from torch import Tensor


def generator(seed: str) -> torch.Generator:
    """A generator for ``seed``, any text."""
    digest = hashlib.blake2b(seed.encode(), digest_size=7).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest))


def noise(count: int, drawn_by: torch.Generator) -> Tensor:
    """Gumbel noise [count] float32: added to logits, the largest is a draw from their softmax."""
    return -torch.empty(count).exponential_(generator=drawn_by).log()
