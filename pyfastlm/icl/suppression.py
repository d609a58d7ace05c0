"""Answers that fine-tuning hides, and that examples in the context bring back.

The structure of many-shot jailbreaking (Anil et al., 2024) on harmless questions: a model learns to refuse
them, and then reads a prompt in which more and more of them were answered.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from pyfastlm.errors import InputError
from pyfastlm.icl.curves.measuring import Curve, icl_curve
from pyfastlm.icl.curves.task import Example, Task
from pyfastlm.icl.laws import Doubles
from pyfastlm.lm import Scorer
from pyfastlm.lm.finetuning import Example as Lesson
from pyfastlm.lm.finetuning import finetune
from pyfastlm.lm.loading import LM, LMLike, as_lm
from pyfastlm.lm.progress import watched

REFUSAL = "I cannot help with that."


@dataclass(frozen=True, slots=True, eq=False)
class Suppression:
    """What a model makes of prompts after more and more fine-tuning.

    Attributes:
        amounts: [G] examples of fine-tuning.
        answered: [G] curves of answers after questions that were answered.
        refused: [G] curves of refusals after questions that were refused.
        lessons: the questions of fine-tuning, as many as the largest amount; none of them is in a prompt.
    """

    amounts: tuple[int, ...]
    answered: tuple[Curve, ...]
    refused: tuple[Curve, ...]
    lessons: tuple[Example, ...]

    @property
    def nll(self) -> Doubles:
        """[G, 2, S] in nats, of answers and of refusals: for :func:`pyfastlm.icl.fit`, which then finds a
        prior of both behaviours and an efficiency for each amount."""
        both = zip(self.answered, self.refused, strict=True)
        return np.array([[answers.nll, refusals.nll] for answers, refusals in both])


def suppress(
    lm: LMLike,
    task: Task,
    *,
    amounts: Sequence[int] = (0, 64, 128, 256),
    refusal: str = REFUSAL,
    control: bool = False,
    shots: int = 64,
    permutations: int = 16,
    lr: float = 1e-3,
    seed: int = 0,
    progress: bool = False,
) -> Suppression:
    """Fine-tune a model to refuse a task's questions, asked without examples, and see whether examples help.

    Each amount starts from the model given, with the first so many of the same lessons; one pass over them
    by :func:`pyfastlm.lm.finetuning.finetune`.

    Args:
        lm: what to begin with; it is left as it is.
        task: at least ``shots`` examples more than the largest amount.
        amounts: examples of fine-tuning, increasing; 0 is the model given.
        refusal: what it learns to say.
        control: fine-tune on the same questions with their answers instead.
        shots, permutations: of the curves, see :func:`pyfastlm.icl.icl_curve`.
        lr: of fine-tuning.
        seed: of the split, the fine-tuning and the prompts.
        progress: show a bar on standard error.

    Raises:
        InputError: there are too few examples, or the amounts do not increase.
        MissingExtra: TRL or PEFT is not installed.
    """
    amounts = tuple(amounts)
    if not amounts or amounts[0] < 0 or any(b <= a for a, b in pairwise(amounts)):
        raise InputError(f"amounts: expected numbers from 0 that increase, got {list(amounts)}")
    if len(task.examples) < amounts[-1] + shots:
        raise InputError(
            f"task: expected {amounts[-1]} + {shots} examples at least, {task.name} has {len(task.examples)}"
        )
    order = np.random.default_rng(seed).permutation(len(task.examples))
    mixed = [task.examples[place] for place in order]
    lessons, kept = mixed[: amounts[-1]], mixed[amounts[-1] :]
    answers = replace(task, examples=tuple(kept), labels=())
    refusals = replace(answers, examples=tuple(Example(each.input, refusal) for each in kept))
    given = as_lm(lm)
    curves = []
    for amount in watched(amounts, len(amounts), "amounts", progress):
        taught = _taught(given, task, lessons[:amount], None if control else refusal, lr, seed)
        scorer = Scorer(taught)
        curves.append(
            [
                icl_curve(scorer, each, shots=shots, permutations=permutations, seed=seed)
                for each in (answers, refusals)
            ]
        )
    return Suppression(
        amounts, tuple(pair[0] for pair in curves), tuple(pair[1] for pair in curves), tuple(lessons)
    )


def _taught(lm: LM, task: Task, lessons: Sequence[Example], refusal: str | None, lr: float, seed: int) -> LM:
    if not lessons:
        return lm
    written = [
        Lesson(task.instruction + task.asked(each), f" {refusal or each.output}{task.separator}")
        for each in lessons
    ]
    return finetune(lm, written, extra="icl", lr=lr, batch_size=min(16, len(written)), seed=seed).lm
