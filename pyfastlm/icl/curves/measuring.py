"""One pass over a prompt says what a model makes of every example in it: all numbers of shots at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.icl.curves.task import Example, Task
from pyfastlm.icl.laws import Doubles
from pyfastlm.lm import Scorer
from pyfastlm.lm.loading import LMLike
from pyfastlm.lm.progress import watched


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """How well answers are predicted after other examples.

    Attributes:
        task: its name.
        shots: [S], from 1: the n-th example is predicted after n - 1 others.
        p: [permutations, S], the probability of the right answer; all its tokens, the space before it too.
        right: [permutations, S], whether it is the likeliest of the labels; of tasks with labels, else None.
        shares: [permutations, S], its share of the probability of all labels; likewise.
        n_tokens: of the longest prompt.
    """

    task: str
    shots: Doubles
    p: Doubles
    right: NDArray[np.bool_] | None
    shares: Doubles | None
    n_tokens: int

    @property
    def nll(self) -> Doubles:
        """[S]: -log of the mean probability over permutations, in nats; what laws are fitted to."""
        with np.errstate(divide="ignore"):
            loss: Doubles = -np.log(self.p.mean(axis=0))
        return loss

    @property
    def mean_nll(self) -> Doubles:
        """[S]: the mean of -log of the probability, in nats; never below ``nll``."""
        with np.errstate(divide="ignore"):
            loss: Doubles = -np.log(self.p).mean(axis=0)
        return loss

    @property
    def accuracy(self) -> Doubles | None:
        """[S], of tasks with labels."""
        return None if self.right is None else self.right.mean(axis=0)


def icl_curve(
    scorer: Scorer | LMLike,
    task: Task,
    *,
    shots: int = 64,
    permutations: int = 20,
    shuffled_labels: bool = False,
    seed: int = 0,
    progress: bool = False,
) -> Curve:
    """Measure how a model's predictions change with examples in its context.

    Each permutation is one prompt of ``shots`` examples drawn without repetition, which is read once; each
    answer, and each label, is read as a branch of it, after the examples before.

    Args:
        scorer: a :class:`pyfastlm.lm.Scorer`, or a model.
        task: the examples.
        shots: examples in a prompt.
        permutations: prompts.
        shuffled_labels: a control: answers are dealt anew among the examples of a prompt, so that only their
            form and frequency can be learnt.
        seed: of the drawing.
        progress: show a bar on standard error.

    Raises:
        InputError: the task has fewer examples than ``shots``, or a prompt is longer than the model reads.
    """
    scorer = scorer if isinstance(scorer, Scorer) else Scorer(scorer)
    if shots < 1 or permutations < 1:
        raise InputError(f"shots, permutations: expected at least 1, got {shots} and {permutations}")
    if shots > len(task.examples):
        raise InputError(
            f"shots: expected at most the {len(task.examples)} examples of {task.name}, got {shots}"
        )
    rng = np.random.default_rng(seed)
    drawn = [_drawn(task, shots, shuffled_labels, rng) for _ in range(permutations)]
    measured = [
        _read(scorer, task, examples) for examples in watched(drawn, permutations, "prompts", progress)
    ]
    logp = np.stack([each for each, _ in measured])
    n = np.arange(1.0, shots + 1)
    longest = max(tokens for _, tokens in measured)
    if not task.labels:
        return Curve(task.name, n, np.exp(logp[..., 0]), None, None, longest)
    answers = np.array([[task.labels.index(e.output) for e in examples] for examples in drawn])
    own = np.take_along_axis(logp, answers[..., None], axis=2)[..., 0]
    every = np.logaddexp.reduce(logp, axis=2)
    return Curve(task.name, n, np.exp(own), logp.argmax(axis=2) == answers, np.exp(own - every), longest)


def _drawn(task: Task, shots: int, shuffled: bool, rng: np.random.Generator) -> list[Example]:
    chosen = [task.examples[place] for place in rng.permutation(len(task.examples))[:shots]]
    if shuffled:
        answers = [chosen[place].output for place in rng.permutation(shots)]
        chosen = [Example(each.input, answer) for each, answer in zip(chosen, answers, strict=True)]
    return chosen


def _read(scorer: Scorer, task: Task, examples: Sequence[Example]) -> tuple[Doubles, int]:
    """log p [S, L] of all labels, or [S, 1] of the answers, and the tokens of the prompt."""
    contexts, text = [], task.instruction
    for example in examples:
        text += task.asked(example)
        contexts.append(text)
        text += f" {example.output}{task.separator}"
    whole = contexts[-1] + f" {examples[-1].output}"
    length = len(scorer.lm.tokenizer(whole, verbose=False)["input_ids"])
    if length > scorer.max_length:
        raise InputError(
            f"shots: a prompt of {len(examples)} has {length} tokens, and the model reads "
            f"{scorer.max_length}; ask for fewer"
        )
    pairs = [
        (context, f" {answer}")
        for context, example in zip(contexts, examples, strict=True)
        for answer in (task.labels or (example.output,))
    ]
    return np.array([score.logp for score in scorer.conditional(pairs)]).reshape(len(examples), -1), length
