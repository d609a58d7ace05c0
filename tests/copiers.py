"""A copying task small enough for every test, and copiers of it with random weights."""

import torch

from pyfastlm.onion import CopierConfig, GRUCopier, RepeatTask

SYMBOLS, LONGEST = 5, 4


def small_task(**changes: int) -> RepeatTask:
    settings = {"n_symbols": SYMBOLS, "min_len": 1, "max_len": LONGEST, "n_train": 600, "n_valid": 64}
    return RepeatTask(**(settings | changes))


def small_model(*, no_input: bool = False, size: int = 7, seed: int = 0) -> GRUCopier:
    """In double precision."""
    config = CopierConfig(size, SYMBOLS, 1, LONGEST, no_input=no_input, seed=seed)
    return GRUCopier(config, impl="auto").double()


def some_sequences(rows: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens [rows, LONGEST] and lengths [rows], each length there."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(0, SYMBOLS, (rows, LONGEST), generator=generator)
    return tokens, torch.arange(rows) % LONGEST + 1
