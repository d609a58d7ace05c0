"""One step of a strategy: from a state to the next one, with what it found and what it cost."""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pyfastlm.together.strategies.calls import Answer, Cost, Examiner
from pyfastlm.together.strategies.plan import Budget
from pyfastlm.together.strategies.prompts import Search, demos_of, share
from pyfastlm.together.strategies.records import StepRecord
from pyfastlm.together.strategies.state import State
from pyfastlm.together.strategies.traces import Trace, traces
from pyfastlm.together.strategies.tuning import Chat, data, gold_data, tune
from pyfastlm.together.tasks.task import Row, Splits


class NoTraces(Exception):
    """A step had nothing to train on: a result, not an error."""


class Stepped(NamedTuple):
    """After a step."""

    state: State
    record: StepRecord
    traces: list[Trace]


@dataclass(frozen=True, slots=True)
class Stepper:
    """Makes steps under one seed.

    Attributes:
        examiner: of the task.
        splits: of the seed.
        budget: of every step.
        seed: of orders and of training.
        train_kwargs: for the provider.
    """

    examiner: Examiner
    splits: Splits
    budget: Budget
    seed: int
    train_kwargs: dict[str, Any] = field(default_factory=dict)

    def step(self, state: State, kind: str, number: int) -> Stepped:
        """Make a step.

        Args:
            state: to begin from.
            kind: a letter of :data:`pyfastlm.together.strategies.plan.STEPS`.
            number: of the step in its strategy, from 0; it and the seed draw the order of training rows.

        Raises:
            NoTraces: a step that tunes has no run to learn from.
        """
        train = list(self.splits.train)
        random.Random(f"{self.seed} {number}").shuffle(train)
        name = f"{self.seed} {number}"
        if kind == "P":
            return self._prompts(state, train, name)
        if kind == "R":
            return self._random(state, train)
        return self._weights(state, train, kind, name)

    def _prompts(self, state: State, train: Sequence[Row], name: str) -> Stepped:
        """Search, from the original prompt, with the present weights."""
        cost = Cost()
        program = State(state.lm).program(self._original())
        found = Search(self.examiner, program, train, self.splits.validation, self.budget, cost, name).run()
        after = State(state.lm, found.demos)
        record = _record("P", after, cost, found.pool, max(found.scores), scores=found.scores)
        return Stepped(after, record, traces(found.pool))

    def _random(self, state: State, train: Sequence[Row]) -> Stepped:
        """The first runs as demonstrations, right or wrong, and no choice by validation."""
        cost = Cost()
        program = State(state.lm).program(self._original())
        pool = self.examiner.answers(program, train[: self.budget.demos], cost)
        after = State(state.lm, demos_of(pool))
        record = _record("R", after, cost, pool, self._validated(after, cost), kept=pool)
        return Stepped(after, record, traces(pool))

    def _weights(self, state: State, train: Sequence[Row], kind: str, name: str) -> Stepped:
        """Run under the present prompt, tune under the original one, and go on with that."""
        cost = Cost()
        program = state.program(self._original())
        rounds = 1 if kind == "F" else self.budget.rounds
        pool = [] if kind == "G" else self.examiner.bootstrapped(program, train, cost, rounds, name)
        kept = [answer for answer in pool if answer.passed == (kind == "W")]
        chats = self._chats(kind, kept, train)
        if not chats:
            wanted = "failed" if kind == "F" else "passed"
            raise NoTraces(f"none of {len(pool)} training runs {wanted}, so there was nothing to train on")
        started = time.perf_counter()
        lm, tokens = tune(state.lm, chats, self.seed, self.train_kwargs)
        cost.seconds += time.perf_counter() - started
        cost.training_tokens += tokens
        after = State(lm)
        return Stepped(
            after,
            _record(kind, after, cost, pool, self._validated(after, cost), kept=kept),
            traces(pool),
        )

    def _chats(self, kind: str, kept: Sequence[Answer], train: Sequence[Row]) -> list[Chat]:
        original = self._original()
        if kind == "G":
            return gold_data(original, self.examiner.task, train)
        return data(original, kept, passed=kind == "W")

    def _validated(self, state: State, cost: Cost) -> float:
        program = state.program(self._original())
        return share(self.examiner.answers(program, self.splits.validation, cost))

    def _original(self) -> Any:
        return self.examiner.task.program()


def _record(
    kind: str,
    after: State,
    cost: Cost,
    pool: Sequence[Answer],
    validation: float,
    *,
    scores: Sequence[float] = (),
    kept: Sequence[Answer] | None = None,
) -> StepRecord:
    counted = [answer for answer in pool if answer.passed] if kept is None else kept
    calls: dict[str, int] = {}
    for answer in counted:
        for call in answer.calls:
            calls[call.module] = calls.get(call.module, 0) + 1
    weights = getattr(getattr(after.lm, "engine", None), "weights", None)
    name = after.lm.model
    return StepRecord(
        kind=kind,
        cost=cost,
        rows=len(pool),
        passed=sum(answer.passed for answer in pool),
        traces=calls,
        validation=validation,
        scores=tuple(scores),
        demos=max((len(each) for each in after.demos.values()), default=0),
        model=name,
        weights=weights.hash(name) if weights is not None else "",
        distance=float(weights.distance(name).relative) if weights is not None else None,
    )
