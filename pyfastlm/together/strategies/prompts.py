"""Step P: bootstrap few-shot demonstrations and search for the best set of them at random."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pyfastlm._require import require
from pyfastlm.together.strategies.calls import EXTRA, Answer, Cost, Examiner
from pyfastlm.together.strategies.plan import Budget
from pyfastlm.together.tasks.task import Row

Demos = dict[str, list[dict[str, Any]]]
CHUNK = 8  # rows that are run before it is looked whether enough have passed


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search found.

    Attributes:
        demos: of the best candidate, by module; none of an empty search.
        scores: accuracy on validation rows of the prompt without demonstrations, then of each candidate.
        pool: all runs of training rows, candidate after candidate.
    """

    demos: Demos
    scores: tuple[float, ...]
    pool: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Search:
    """The candidates, scores and choice of DSPy's ``BootstrapFewShotWithRandomSearch``, without its candidate
    of unshuffled rows.

    Runs that DSPy repeats are made once: without gold rows in the prompt a training row's run is the same
    one for every candidate at temperature 0. Candidates that are the same prompt are scored once. Of equal
    scores the first is taken, the prompt without demonstrations before all.

    Attributes:
        examiner: of the task whose metric filters traces.
        program: with its LM and without demonstrations; it is left as it is.
        train: rows to bootstrap from, in the order that candidates shuffle.
        validation: rows to choose by.
        budget: how many candidates, and of how many demonstrations.
        cost: grows by what the search takes.
        name: decides draws, where rows are run several times.
    """

    examiner: Examiner
    program: Any
    train: Sequence[Row]
    validation: Sequence[Row]
    budget: Budget
    cost: Cost
    name: str = ""
    _known: dict[str, Answer] = field(default_factory=dict)

    def run(self) -> Searched:
        """Search."""
        sets: list[Demos] = [{}]
        pool: list[Answer] = []
        if self.budget.labeled:
            sets.append(self._labeled(self._sampled(self.train)))
        for number in range(self.budget.candidates):
            order = list(self.train)
            random.Random(number).shuffle(order)
            size = random.Random(number).randint(1, self.budget.demos)
            runs = self._bootstrapped(order, size)
            pool += (run for run in runs if run not in pool)
            sets.append(self._candidate(order, [run for run in runs if run.passed][:size]))
        scores: list[float] = []
        for place, demos in enumerate(sets):
            scores.append(scores[sets.index(demos)] if sets.index(demos) < place else self._score(demos))
        best = max(range(len(sets)), key=scores.__getitem__)  # the first of equals
        return Searched(sets[best], tuple(scores), tuple(pool))

    def _score(self, demos: Demos) -> float:
        program = with_demos(self.program, demos)
        return share(self.examiner.answers(program, self.validation, self.cost))

    def _bootstrapped(self, order: Sequence[Row], size: int) -> list[Answer]:
        """Runs of rows in this order, until ``size`` have passed."""
        labeled = self._sampled(order)
        runs: list[Answer] = []
        for start in range(0, len(order), CHUNK):
            runs += self._runs(order[start : start + CHUNK], labeled)
            if sum(run.passed for run in runs) >= size:
                break
        return runs

    def _runs(self, rows: Sequence[Row], labeled: Sequence[Row]) -> list[Answer]:
        """Runs under gold demonstrations, a row that is one of them without it."""
        found = {} if labeled else {row.id: self._known[row.id] for row in rows if row.id in self._known}
        shown = [row for row in rows if row in labeled]
        rest = [row for row in rows if row not in labeled and row.id not in found]
        for part in ([rest] if rest else []) + [[row] for row in shown]:
            demos = self._labeled([row for row in labeled if row not in part])
            program = with_demos(self.program, demos)
            for answer in self.examiner.bootstrapped(program, part, self.cost, self.budget.rounds, self.name):
                found[answer.row.id] = answer
        if not labeled:
            self._known.update(found)
        return [found[row.id] for row in rows]

    def _candidate(self, order: Sequence[Row], passed: Sequence[Answer]) -> Demos:
        """Passed runs as demonstrations, filled up with gold rows that were not bootstrapped."""
        demos = demos_of(passed)
        if not self.budget.labeled:
            return demos
        used = {answer.row.id for answer in passed}
        others = [row for row in order if row.id not in used]
        random.Random(0).shuffle(others)
        rng = random.Random(0)
        for name, _ in self.program.named_predictors():
            missing = max(0, min(self.budget.labeled - len(demos.get(name, ())), len(others)))
            demos.setdefault(name, []).extend(map(self._gold, rng.sample(others, missing)))
        return demos

    def _sampled(self, order: Sequence[Row]) -> list[Row]:
        """Gold rows of the prompt that bootstraps."""
        return random.Random(0).sample(list(order), min(self.budget.labeled, len(order)))

    def _labeled(self, rows: Sequence[Row]) -> Demos:
        return {
            name: [self._gold(row) for row in rows] for name, _ in self.program.named_predictors() if rows
        }

    def _gold(self, row: Row) -> dict[str, Any]:
        return {**row.inputs, self.examiner.task.output: row.answer}


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
        module.demos = [dspy.Example(**demo) for demo in demos.get(name, ())]
    return copied
