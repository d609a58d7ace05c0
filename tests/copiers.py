"""A copying task small enough for every test, and copiers of it with random weights."""

import torch

from pyfastlm.onion import CopierConfig, GRUCopier, RepeatTask, sequence_loss

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


def learned(steps: int = 500) -> tuple[RepeatTask, GRUCopier]:
    """A task of five symbols and up to four places, and a copier that has learned it almost perfectly."""
    task = small_task(n_train=500, n_valid=100)
    model = GRUCopier(CopierConfig(24, SYMBOLS, 1, LONGEST))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.02)
    for step, batch in zip(range(steps), task.batches(64), strict=False):
        optimizer.param_groups[0]["lr"] = 1e-2 * min(1.0, (steps - step) / 200)
        loss = sequence_loss(model(batch.tokens, batch.lengths), batch.tokens, batch.lengths)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for parameter in model.parameters():
        parameter.grad = None
    return task, model
