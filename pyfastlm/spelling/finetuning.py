"""Teach a language model to correct queries, with names of the catalogue beside them or without."""

from collections.abc import Iterable

from pyfastlm.errors import InputError
from pyfastlm.lm import finetuning
from pyfastlm.lm.finetuning import Example, FineTuned
from pyfastlm.lm.loading import LMLike, as_lm
from pyfastlm.lm.scorer import Scorer
from pyfastlm.spelling.prompts import CONTEXT_TOKENS, Prompts
from pyfastlm.spelling.rows import TrainingRow

ROOM = 512  # tokens of a row


def finetune(
    lm: LMLike,
    rows: Iterable[TrainingRow],
    *,
    context_tokens: int = CONTEXT_TOKENS,
    epochs: float = 1.0,
    lr: float = 5e-4,
    batch_size: int = 16,
    rank: int = 16,
    seed: int = 0,
    progress: bool = False,
) -> FineTuned:
    """Fine-tune with low-rank adapters on (query, names) -> correction.

    Only the correction's tokens count in the loss. The model then belongs in
    :class:`pyfastlm.spelling.Scoring` or :class:`pyfastlm.spelling.Generation`, with contexts if the rows
    have them.

    Args:
        lm: what to begin with; it is left as it is.
        rows: see :func:`pyfastlm.spelling.training_rows`.
        context_tokens: what names may take in a prompt.
        epochs, lr, batch_size, rank, seed, progress: see :func:`pyfastlm.lm.finetuning.finetune`.

    Raises:
        InputError: there is no row, or one is longer than ``ROOM`` tokens, or than the model reads, even
            without names.
        MissingExtra: TRL or PEFT is not installed.
    """
    given = as_lm(lm)
    prompts = Prompts(given.tokenizer, context_tokens=context_tokens)
    room = min(ROOM, Scorer(given).max_length)
    examples = []
    for place, row in enumerate(rows):
        completion = prompts.completion(row.gold)
        prompt = prompts.fitting(row.query, row.context, room - prompts.lengths([completion])[0])
        if prompt is None:
            raise InputError(
                f"rows[{place}]: expected at most {room} tokens, got a longer query or correction"
            )
        examples.append(Example(prompt, completion))
    if not examples:
        raise InputError("rows: expected at least one, got none")
    return finetuning.finetune(
        given,
        examples,
        extra="spelling",
        epochs=epochs,
        lr=lr,
        batch_size=batch_size,
        rank=rank,
        seed=seed,
        progress=progress,
    )
