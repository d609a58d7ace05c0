"""Teach a language model to write the term after what was searched before and what was typed."""

from collections.abc import Iterable

from pyfastlm.errors import InputError
from pyfastlm.lm import finetuning
from pyfastlm.lm.finetuning import Example, FineTuned
from pyfastlm.lm.loading import LMLike
from pyfastlm.qac.prompts import completion, prompt
from pyfastlm.qac.query import query_of
from pyfastlm.qac.rows import Row


def finetune(
    lm: LMLike,
    rows: Iterable[Row],
    *,
    epochs: float = 1.0,
    lr: float = 5e-4,
    batch_size: int = 16,
    rank: int = 16,
    seed: int = 0,
    progress: bool = False,
) -> FineTuned:
    """Fine-tune with low-rank adapters on (earlier searches, prefix) -> term.

    Only the term's tokens count in the loss. The model then belongs in ``Generator(lm, typed=True)`` or
    ``SessionReranker(lm, typed=True)``.

    Args:
        lm: what to begin with; it is left as it is.
        rows: with one prefix each (:func:`pyfastlm.qac.one_prefix`), earlier than those to be judged by.
        epochs, lr, batch_size, rank, seed, progress: see :func:`pyfastlm.lm.finetuning.finetune`.

    Raises:
        InputError: no row, or one with several prefixes.
        MissingExtra: TRL or PEFT is not installed.
    """
    examples = []
    for row in rows:
        query = query_of(row)
        examples.append(Example(prompt(query.past, query.prefix), completion(row.term)))
    if not examples:
        raise InputError("rows: expected at least one, got none")
    return finetuning.finetune(
        lm,
        examples,
        extra="qac",
        epochs=epochs,
        lr=lr,
        batch_size=batch_size,
        rank=rank,
        seed=seed,
        progress=progress,
    )
