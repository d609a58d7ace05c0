"""Tasks with answers: generate them with hard deletion, and judge them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from pyfastlm.errors import InputError
from pyfastlm.lm.progress import watched
from pyfastlm.mrt5.examples import Example, collate
from pyfastlm.mrt5.metrics import exact_match, f1, same_sequence
from pyfastlm.mrt5.readers import Task
from pyfastlm.mrt5.variants import evaluating
from pyfastlm.mrt5.vocabulary import decode, encode

if TYPE_CHECKING:
    from pyfastlm.mrt5.model import MrT5ForConditionalGeneration

COLUMNS = ("language", "examples", "sequence accuracy", "exact match", "F1")


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """Means over the examples of one language; ``language`` None is all of them.

    ``accuracy``: the answer is right to the last byte. ``exact_match`` and ``f1``: of SQuAD's normal form,
    with the best of several answers.
    """

    language: str | None
    examples: int
    accuracy: float
    exact_match: float
    f1: float


@dataclass(frozen=True, slots=True)
class Answers:
    """All rows, all languages together first; and what the model said, in the order of the task."""

    rows: tuple[AnswerRow, ...]
    predictions: tuple[str, ...]

    def cells(self) -> list[list[str]]:
        """The rows as text under ``COLUMNS``."""
        return [
            [
                "all" if row.language is None else row.language,
                f"{row.examples:,}",
                *(f"{value:.4f}" for value in (row.accuracy, row.exact_match, row.f1)),
            ]
            for row in self.rows
        ]


def evaluate_answers(
    model: "MrT5ForConditionalGeneration", task: Task, *, batch_size: int = 8, progress: bool = False
) -> Answers:
    """Let ``model`` answer all of ``task`` greedily, as long as its longest answer at most, and judge it.

    Raises:
        InputError: a number is out of range.
    """
    if batch_size < 1:
        raise InputError(f"batch_size: expected at least 1, got {batch_size}")
    said: list[str] = []
    starts = range(0, len(task.data), batch_size)
    with evaluating(model):
        for start in watched(starts, len(starts), "answering", progress):
            indices = np.arange(start, min(start + batch_size, len(task.data)))
            batch = collate(task.data.examples(0, indices))
            said += _generate(model, batch["input_ids"], batch["attention_mask"], task.longest)
    languages = [example.language for example in task.data.examples(0, np.arange(len(task.data)))]
    scores = np.array(
        [
            [metric(answer, truths) for metric in (same_sequence, exact_match, f1)]
            for answer, truths in zip(said, task.answers, strict=True)
        ]
    )
    named = list(dict.fromkeys(languages))
    rows = []
    for language in [None, *(named if len(named) > 1 else [])]:
        chosen = [language is None or language == other for other in languages]
        accuracy, exact, overlap = scores[chosen].mean(axis=0).tolist()
        rows.append(AnswerRow(language, sum(chosen), accuracy, exact, overlap))
    return Answers(tuple(rows), tuple(said))


def generate_text(
    model: "MrT5ForConditionalGeneration",
    texts: Sequence[str],
    *,
    max_length: int = 1024,
    max_new_bytes: int = 256,
    batch_size: int = 8,
    progress: bool = False,
) -> list[str]:
    """What ``model`` makes of each of ``texts``, greedily; bytes that are no UTF-8 are left out.

    Args:
        model: an MrT5 or ByT5.
        texts: cut after ``max_length`` ids, EOS included.
        max_length: of an input.
        max_new_bytes: of an output.
        batch_size: texts run at once; the results do not depend on it.
        progress: a bar on standard error.

    Raises:
        InputError: a number is out of range, or a text holds a lone surrogate.
    """
    for name, value in (("batch_size", batch_size), ("max_new_bytes", max_new_bytes)):
        if value < 1:
            raise InputError(f"{name}: expected at least 1, got {value}")
    rows = [encode(text, max_length=max_length) for text in texts]
    made: list[str] = []
    starts = range(0, len(rows), batch_size)
    with evaluating(model):
        for start in watched(starts, len(starts), "generating", progress):
            chosen = rows[start : start + batch_size]
            batch = collate([Example(ids, ids[-1:]) for ids in chosen])
            made += _generate(model, batch["input_ids"], batch["attention_mask"], max_new_bytes)
    return made


def _generate(
    model: "MrT5ForConditionalGeneration", input_ids: Tensor, attention_mask: Tensor, most: int
) -> list[str]:
    ids = model.generate(
        input_ids=input_ids.to(model.device),
        attention_mask=attention_mask.to(model.device),
        max_new_tokens=most,
        do_sample=False,
        num_beams=1,
    )
    return [decode(row) for row in ids.cpu().numpy()]
