"""All strategies under all seeds, resumable, with steps that strategies share made once."""

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pyfastlm._require import require
from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.together.strategies.calls import EXTRA, Answer, Cost, Examiner
from pyfastlm.together.strategies.grid import CELL, LINES, Grid, Line, opened
from pyfastlm.together.strategies.plan import STRATEGIES, TUNING, Budget, name_of, steps_of
from pyfastlm.together.strategies.prompts import share
from pyfastlm.together.strategies.records import Cell, StepRecord, read_cell, read_step, write, write_json
from pyfastlm.together.strategies.state import State, load_state, save_state
from pyfastlm.together.strategies.steps import NoTraces, Stepper
from pyfastlm.together.strategies.traces import write_traces
from pyfastlm.together.tasks.task import Task

SAMPLING = ("max_tokens", "stop", "temperature", "top_p")  # of an LM, what is kept: others may be secrets
STEP, PROGRAM, TRACES = "step.json", "program", "traces.jsonl"


def run_strategies(
    task: Task,
    lm: Any,
    *,
    strategies: Sequence[str] = STRATEGIES,
    seeds: Sequence[int] = (0, 1, 2),
    budget: Budget | None = None,
    directory: "str | os.PathLike[str] | None" = None,
    train_kwargs: dict[str, Any] | None = None,
    threads: int = 1,
    progress: bool = False,
) -> Grid:
    """Run strategies of prompt and weight optimisation, and test each program once.

    A seed draws the splits, the order of training rows in each step, and is handed to the training. Each P
    step begins at the original prompt with the present weights. Each W step runs the training rows under the
    present prompt, keeps the runs whose answer is right, trains on their calls under the original prompt,
    and goes on with the original prompt. Training rows alone are bootstrapped from, validation rows alone
    choose, and test rows are run once, at the end.

    Strategies that begin alike share their first steps: these are made once and counted for each.

    Args:
        task: of :mod:`pyfastlm.together.tasks`, or your own.
        lm: a ``dspy.LM`` with ``cache=False``; for W its provider must be able to fine-tune.
        strategies: names of :data:`STRATEGIES`, of controls (``gold``, ``failed``, ``random``), or others
            of P and W such as ``P-W-P-W``.
        seeds: each another one.
        budget: of every step.
        directory: to resume from and to keep everything in: results, programs, weights and traces. It is
            made if it is not there. A killed run goes on; steps that were done are not made again.
        train_kwargs: for the provider's training, beside the seed.
        threads: rows that are run at a time; see :class:`pyfastlm.together.strategies.calls.Examiner`.
        progress: a line on standard error for each step and test.

    Returns:
        The grid. A cell without a program, because no trace passed, says why.

    Raises:
        InputError: an argument is wrong, or ``directory`` holds another grid.
        Exception: whatever a step raised. Finished steps and cells are kept.
    """
    chosen = budget or Budget()
    _check(lm, strategies, seeds, threads)
    kwargs = dict(train_kwargs or {})
    weights = getattr(getattr(lm, "engine", None), "weights", None)
    grid = Grid(
        task=task.name,
        model=lm.model,
        provenance=task.provenance,
        weights=weights.hash(lm.model) if weights is not None else "",
        budget=chosen,
        sizes=(*task.sizes,),
        settings={
            "lm": _told({name: lm.kwargs[name] for name in SAMPLING if name in lm.kwargs}),
            "training": _told(_options(lm.provider) | kwargs),
        },
    )
    home = None if directory is None else opened(Path(directory), grid)
    cells, lines = {}, []
    for seed in seeds:
        splits = task.splits(seed)
        own = [Line(each.name, seed, each.right) for each in task.references(splits)]
        lines += own
        if home is not None:
            (home / f"seed{seed}").mkdir(exist_ok=True)
            write_json({"lines": [[each.name, [*each.right]] for each in own]}, home / f"seed{seed}" / LINES)
        stepper = Stepper(Examiner(task, threads), splits, chosen, seed, kwargs | {"seed": seed})
        run = _Run(stepper, lm, None if home is None else home / f"seed{seed}", progress)
        for strategy in strategies:
            cells[strategy, seed] = run.cell(steps_of(strategy))
    ordered = tuple(cells[strategy, seed] for strategy in strategies for seed in seeds)
    return replace(grid, cells=ordered, lines=tuple(lines))


def _check(lm: Any, strategies: Sequence[str], seeds: Sequence[int], threads: int) -> None:
    """Refuse what cannot be run before anything is."""
    dspy = require("dspy", EXTRA)
    if not isinstance(lm, dspy.BaseLM):
        raise InputTypeError(f"lm: expected a dspy.LM, got {type(lm).__name__}")
    if getattr(lm, "cache", False):
        raise InputError("lm: expected cache=False: DSPy's cache could answer for weights that are gone")
    for name, given in (("strategies", strategies), ("seeds", seeds)):
        if isinstance(given, str) or not given or len(set(given)) < len(given):
            raise InputError(f"{name}: expected one or more, none of them twice, got {given!r}")
    if min(seeds) < 0:
        raise InputError(f"seeds: expected numbers from 0, got {min(seeds)}")
    if threads < 1:
        raise InputError(f"threads: expected at least 1, got {threads}")
    tuning = [name for name in strategies if TUNING & set(steps_of(name))]
    if tuning and not getattr(getattr(lm, "provider", None), "finetunable", False):
        raise InputError(
            f"strategies: {tuning[0]!r} tunes weights, and the provider of {lm.model!r} cannot; "
            "leave out strategies with W, or use HFEngine with InProcessProvider"
        )


def _options(provider: Any) -> dict[str, Any]:
    """Of a provider of this package."""
    options = getattr(provider, "options", None)
    return {} if options is None else asdict(options)


def _told(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(settings.items()) if value is not None)


class _Run:
    """All strategies under one seed."""

    def __init__(self, stepper: Stepper, lm: Any, home: Path | None, progress: bool) -> None:
        self._stepper, self._home, self._progress = stepper, home, progress
        self._states: dict[str, State] = {"": State(lm)}
        self._tested: list[tuple[State, list[Answer], Cost]] = []
        self._records: dict[str, StepRecord] = {}
        self._reasons: dict[str, str] = {}

    def cell(self, steps: str) -> Cell:
        """The strategy of these steps; from its file where it is done."""
        name, seed = name_of(steps), self._stepper.seed
        path = None if self._home is None else self._home / name / CELL
        if path is not None and path.exists():
            return read_cell(path)
        reason = self._reach(steps)
        made = tuple(
            self._records[steps[:end]] for end in range(1, len(steps) + 1) if steps[:end] in self._records
        )
        if reason:
            cell = Cell(name, seed, reason, steps=made)
        else:
            found, cost = self._test(self._states[steps])
            validation = made[-1].validation if made else self._validation(self._states[steps])
            right = tuple(answer.passed for answer in found)
            ids = tuple(answer.row.id for answer in found)
            cell = Cell(name, seed, "", ids, right, validation, made, cost)
            self._say(f"{name}: {sum(right)} of {len(right)} test rows right, {cost.seconds:.0f} s")
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            write(cell, path)
        return cell

    def _test(self, state: State) -> tuple[list[Answer], Cost]:
        """Test rows, run; those of a program that is the same as one before are not run again."""
        for before, found, cost in self._tested:
            if (
                (before.lm is state.lm)
                and before.demos == state.demos
                and not state.lm.kwargs.get("temperature")
            ):
                return found, cost
        cost = Cost()
        program = state.program(self._stepper.examiner.task.program())
        found = self._stepper.examiner.answers(program, self._stepper.splits.test, cost)
        self._tested.append((state, found, cost))
        return found, cost

    def _validation(self, state: State) -> float:
        program = state.program(self._stepper.examiner.task.program())
        return share(self._stepper.examiner.answers(program, self._stepper.splits.validation, Cost()))

    def _reach(self, steps: str) -> str:
        """Make all steps that are not made; why that is impossible, or ""."""
        if steps in self._states:
            return ""
        if steps not in self._reasons:
            self._reasons[steps] = self._reach(steps[:-1])
        if self._reasons[steps]:
            return self._reasons[steps]
        name = name_of(steps)
        place = None if self._home is None else self._home / name
        if place is not None and (place / STEP).exists():
            self._states[steps] = load_state(self._states[steps[:-1]].lm, place / PROGRAM)
            self._records[steps] = read_step(place / STEP)
            return ""
        try:
            stepped = self._stepper.step(self._states[steps[:-1]], steps[-1], len(steps) - 1)
        except NoTraces as none:
            self._reasons[steps] = str(none)
            self._say(f"{name}: {none}")
            return str(none)
        if place is not None:
            place.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(place / PROGRAM, ignore_errors=True)  # of a run that was killed right here
            save_state(stepped.state, place / PROGRAM)
            write_traces(stepped.traces, place / TRACES)
            write(stepped.record, place / STEP)
        self._states[steps], self._records[steps] = stepped.state, stepped.record
        record = stepped.record
        self._say(
            f"{name}: step {steps[-1]}, {record.passed} of {record.rows} training runs right, "
            f"validation {record.validation:.2f}, {record.cost.calls} calls, {record.cost.seconds:.0f} s"
        )
        return ""

    def _say(self, what: str) -> None:
        if self._progress:
            print(f"seed {self._stepper.seed}, {what}", file=sys.stderr, flush=True)
