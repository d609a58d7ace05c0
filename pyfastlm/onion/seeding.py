"""First weights that a seed decides, without a trace in torch's own stream of random numbers."""

import contextlib
from collections.abc import Iterator

import torch

from pyfastlm.errors import InputError


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """torch's CPU generator begins at ``seed`` inside, and goes on behind as if nothing had been.

    Raises:
        InputError: ``seed`` is below 0.
    """
    if seed < 0:
        raise InputError(f"seed: expected at least 0, got {seed}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
