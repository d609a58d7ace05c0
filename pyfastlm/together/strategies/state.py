"""Where a strategy stands: demonstrations and weights."""

import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyfastlm._durable import fsync_directory, replacing
from pyfastlm.errors import InputError
from pyfastlm.together.strategies.prompts import Demos, with_demos
from pyfastlm.together.tasks.questions import read_text
from pyfastlm.together.tasks.task import Task

PROGRAM, WEIGHTS = "program.json", "weights"


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """Demonstrations of each module, and the LM with its weights."""

    lm: Any
    demos: Demos = field(default_factory=dict)

    def program(self, original: Any) -> Any:
        """A copy of the original program in this state."""
        original.set_lm(self.lm)
        return with_demos(original, self.demos)


def save_state(state: State, target: Path) -> None:
    """Save demonstrations, and weights where an engine of this package has other ones than its base.

    ``target`` is a new directory, which appears whole or not at all; what a killed run left beside it is
    removed.
    """
    parts = target.with_name(f".{target.name}.tmp")
    shutil.rmtree(parts, ignore_errors=True)
    parts.mkdir(parents=True)
    weights = _weights(state.lm)
    tuned = weights is not None and state.lm.model != weights.base
    if tuned:
        weights.save(state.lm.model, parts / WEIGHTS, remember=False)
    found = {
        "model": state.lm.model,
        "hash": weights.hash(state.lm.model) if weights is not None else "",
        "tuned": tuned,
        "demos": state.demos,
    }
    with replacing(parts / PROGRAM, parts / f".{PROGRAM}") as file:
        file.write(json.dumps(found, indent=1, default=str).encode() + b"\n")
    os.replace(parts, target)
    fsync_directory(target.parent)


def program_of(directory: "str | os.PathLike[str]", task: Task, lm: Any) -> Any:
    """The program that a strategy came to, with its demonstrations and weights.

    Args:
        directory: of the strategy under a seed, as ``iris/seed0/P-W`` in that of a grid.
        task: that it was made for.
        lm: the one it began with.

    Raises:
        InputError: it is damaged, of another task, or ``lm`` is not the model it began with.
    """
    state, original = load_state(lm, Path(directory) / "program"), task.program()
    modules = {name for name, _ in original.named_predictors()}
    if not set(state.demos) <= modules:
        raise InputError(
            f"directory: {os.fspath(directory)!r} is of a program with the modules {', '.join(state.demos)}, "
            f"not {', '.join(sorted(modules))}"
        )
    return state.program(original)


def load_state(lm: Any, source: Path) -> State:
    """What :func:`save_state` saved; raises as :func:`program_of`."""
    path = source / PROGRAM
    try:
        found = json.loads(read_text(path))
        model, digest, tuned, demos = (found[name] for name in ("model", "hash", "tuned", "demos"))
        if not (isinstance(model, str) and isinstance(digest, str) and isinstance(tuned, bool)):
            raise ValueError("other types")
        demos = {str(name): [dict(demo) for demo in each] for name, each in demos.items()}
    except InputError:
        raise
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise InputError(f"directory: {str(path)!r} is damaged") from error
    weights = _weights(lm)
    if weights is None:
        if tuned:
            raise InputError(f"lm: expected an engine that loads the weights in {str(source)!r}")
        return State(lm.copy(model=model), demos)
    name = weights.load(source / WEIGHTS) if tuned else weights.base
    if weights.hash(name) != digest:
        raise InputError(
            f"lm: {str(source)!r} was saved with other weights: {digest!r}, not {weights.hash(name)!r}"
        )
    return State(lm.copy(model=name), demos)


def _weights(lm: Any) -> Any:
    """The weights of an engine of this package; None for others."""
    return getattr(getattr(lm, "engine", None), "weights", None)
