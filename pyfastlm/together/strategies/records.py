"""What is found at each step and for each strategy, and the files that hold it."""

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from pyfastlm._durable import replacing
from pyfastlm.errors import InputError
from pyfastlm.together.strategies.calls import Cost
from pyfastlm.together.strategies.statistics import Interval, wilson
from pyfastlm.together.tasks.questions import read_text


@dataclass(frozen=True, slots=True)
class StepRecord:
    """A step that was made.

    Attributes:
        kind: its letter, of :data:`pyfastlm.together.strategies.plan.STEPS`.
        cost: of the step, its choosing by validation rows included.
        rows: training rows that were run, 0 where none were.
        passed: of these, those whose answer was right.
        traces: calls of each module in the runs that were kept: that demonstrations were drawn from, or
            that were trained on.
        validation: accuracy on validation rows after it.
        scores: of the candidates of a P step, the prompt without demonstrations first.
        demos: demonstrations that the chosen prompt has, of the module that has most.
        model: id of the weights after it.
        weights: hash of the weights after it; "" where the LM does not tell.
        distance: of the weights from the base's, relative to its norm; None where the LM does not tell.
    """

    kind: str
    cost: Cost
    rows: int
    passed: int
    traces: dict[str, int]
    validation: float
    scores: tuple[float, ...]
    demos: int
    model: str
    weights: str
    distance: float | None


@dataclass(frozen=True, slots=True)
class Cell:
    """A strategy under one seed.

    Attributes:
        strategy, seed: which.
        reason: why there is no program, as where no trace passed; then ``right`` is empty.
        ids: of the test rows, in order.
        right: whether the program's answer to each is right.
        validation: accuracy on validation rows; None without a program.
        steps: up to the end, or to the one that failed for ``reason``.
        test: cost of the test rows.
    """

    strategy: str
    seed: int
    reason: str = ""
    ids: tuple[str, ...] = ()
    right: tuple[bool, ...] = ()
    validation: float | None = None
    steps: tuple[StepRecord, ...] = ()
    test: Cost = field(default_factory=Cost)

    @property
    def accuracy(self) -> Interval | None:
        """On test rows, with Wilson's interval; None without a program."""
        return None if self.reason else wilson(sum(self.right), len(self.right))

    @property
    def cost(self) -> Cost:
        """Of all steps, as if no other strategy had shared them; without the test."""
        total = Cost()
        for step in self.steps:
            total.add(step.cost)
        return total


def write(found: "StepRecord | Cell", path: Path) -> None:
    """Put a record into a file, which appears whole or not at all."""
    write_json(asdict(found), path)


def write_json(value: dict[str, Any], path: Path) -> None:
    """The same with an object."""
    with replacing(path, path.with_name(f".{path.name}.tmp")) as file:
        file.write(json.dumps(value, indent=1, allow_nan=False).encode() + b"\n")


def read_step(path: Path) -> StepRecord:
    """A step.

    Raises:
        InputError: it cannot be read, or is damaged.
    """
    try:
        return _step(read_json(path))
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        raise _damaged(path, error) from error


def read_cell(path: Path) -> Cell:
    """A cell.

    Raises:
        InputError: it cannot be read, or is damaged.
    """
    given = read_json(path)
    try:
        cell = Cell(
            strategy=_is(given["strategy"], str),
            seed=_is(given["seed"], int),
            reason=_is(given["reason"], str),
            ids=tuple(_is(each, str) for each in given["ids"]),
            right=tuple(_is(each, bool) for each in given["right"]),
            validation=None if given["validation"] is None else _share(given["validation"]),
            steps=tuple(_step(each) for each in given["steps"]),
            test=_cost(given["test"]),
        )
        if len(cell.ids) != len(cell.right) or bool(cell.reason) == bool(cell.right):
            raise ValueError("as many outcomes as ids, or a reason")
        return cell
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        raise _damaged(path, error) from error


def read_json(path: Path) -> dict[str, Any]:
    """An object.

    Raises:
        InputError: there is something else in the file, or no file.
    """
    text = read_text(path)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, error) from error
    if not isinstance(found, dict):
        raise InputError(f"directory: {str(path)!r} holds no object")
    return found


def _step(given: dict[str, Any]) -> StepRecord:
    return StepRecord(
        kind=_is(given["kind"], str),
        cost=_cost(given["cost"]),
        rows=_is(given["rows"], int),
        passed=_is(given["passed"], int),
        traces={_is(name, str): _is(count, int) for name, count in given["traces"].items()},
        validation=_share(given["validation"]),
        scores=tuple(map(_share, given["scores"])),
        demos=_is(given["demos"], int),
        model=_is(given["model"], str),
        weights=_is(given["weights"], str),
        distance=None if given["distance"] is None else float(given["distance"]),
    )


def _cost(given: dict[str, Any]) -> Cost:
    counts = {each.name: given[each.name] for each in fields(Cost)}
    if not all(isinstance(count, int | float) and count >= 0 for count in counts.values()):
        raise ValueError("a negative or other count")
    return Cost(**counts)


def _share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"no share: {value!r:.40}")
    return float(value)


def _is(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise ValueError(f"expected {kind.__name__}: {value!r:.40}")
    return value


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(f"directory: {str(path)!r} is damaged ({error}); remove it and run again")
