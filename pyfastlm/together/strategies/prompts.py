"""Step P: bootstrap few-shot demonstrations and search for the best set of them at random."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyfastlm._require import require
from pyfastlm.together.strategies.calls import EXTRA, Answer, Cost, Examiner
from pyfastlm.together.strategies.plan import Budget
from pyfastlm.together.tasks.task import Row

Demos = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search found.

    Attributes:
        demos: of the best candidate, by module; none of an empty search.
        scores: accuracy on validation rows of the prompt without demonstrations, then of each candidate.
        pool: all runs of the training rows.
    """

    demos: Demos
    scores: tuple[float, ...]
    pool: tuple[Answer, ...]


def search(
    examiner: Examiner,
    program: Any,
    train: Sequence[Row],
    validation: Sequence[Row],
    budget: Budget,
    cost: Cost,
) -> Searched:
    """The candidates, scores and choice of DSPy's ``BootstrapFewShotWithRandomSearch``, bootstrapped demos
    only (``max_labeled_demos=0``, without its candidates of labels alone and of unshuffled rows).

    Where that runs its teacher again for each candidate, traces are bootstrapped here once: they are the same
    ones at temperature 0. Of equal candidates the first is taken, the prompt without demonstrations before
    all. Where no trace passes there are no candidates but this one.

    Args:
        examiner: of the task whose metric filters traces.
        program: with its LM and without demonstrations; it is left as it is.
        train: rows to bootstrap from, in the order that candidates shuffle.
        validation: rows to choose by.
        budget: how many candidates, and of how many demonstrations.
        cost: grows by what this took.
    """
    pool = examiner.answers(program, train, cost)
    passed = {answer.row.id: answer for answer in pool if answer.passed}
    sets: list[Demos] = [{}]
    for number in range(budget.candidates) if passed else ():
        order = list(train)
        random.Random(number).shuffle(order)
        size = random.Random(number).randint(1, budget.demos)
        sets.append(demos_of([passed[row.id] for row in order if row.id in passed][:size]))
    scores = []
    for demos in sets:
        found = examiner.answers(with_demos(program, demos), validation, cost)
        scores.append(share(found))
    best = max(range(len(sets)), key=scores.__getitem__)  # the first of equals
    return Searched(sets[best], tuple(scores), tuple(pool))


def share(found: Sequence[Answer]) -> float:
    """Of the runs, those whose answer is right."""
    return sum(answer.passed for answer in found) / len(found)


def demos_of(found: Sequence[Answer]) -> Demos:
    """Demonstrations from runs: for each module the last call of each run."""
    demos: Demos = {}
    for answer in found:
        for name, call in {call.module: call for call in answer.calls}.items():
            demos.setdefault(name, []).append({**call.inputs, **call.outputs})
    return demos


def with_demos(program: Any, demos: Demos) -> Any:
    """A copy of a program with these demonstrations and no others, and the same LM objects."""
    dspy = require("dspy", EXTRA)
    lms = {name: module.lm for name, module in program.named_predictors()}
    copied = program.reset_copy()
    for name, module in copied.named_predictors():
        module.lm = lms[name]  # a reset module has none and would fall back on the settings'
        module.demos = [dspy.Example(augmented=True, **demo) for demo in demos.get(name, ())]
    return copied
