"""What a grid is made of."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, NamedTuple

from pyfastlm.errors import InputError
from pyfastlm.onion.interventions.base import Intervention
from pyfastlm.onion.interventions.linear import LinearBigram, LinearUnigram
from pyfastlm.onion.interventions.onion import Onion
from pyfastlm.onion.model import CopierConfig
from pyfastlm.onion.options import TrainingOptions
from pyfastlm.onion.task import RepeatTask


class Kind(NamedTuple):
    """An intervention: its class, and one for models of a shape, with first numbers of a seed."""

    of: type[Intervention]
    make: Callable[[CopierConfig, int], Intervention]


KINDS = {
    "onion": Kind(Onion, lambda config, seed: Onion(config, seed=seed)),
    "onion without scale": Kind(Onion, lambda config, seed: Onion(config, scale=False, seed=seed)),
    "linear unigram": Kind(LinearUnigram, lambda config, seed: LinearUnigram(config, seed=seed)),
    "linear bigram": Kind(LinearBigram, lambda config, seed: LinearBigram(config, seed=seed)),
}


class Condition(NamedTuple):
    """Which sequences are edited, and how much. "own" is the setting of the paper's code, another one for
    each intervention."""

    lengths: Literal["own", "all", "max"] = "own"
    edits: Literal["own", "one", "half"] = "own"

    def __str__(self) -> str:
        if self == OWN:
            return "own"
        lengths = {"all": "all lengths", "max": "longest", "own": "own lengths"}[self.lengths]
        edits = {"one": "one edit", "half": "half swapped", "own": "own edits"}[self.edits]
        return f"{lengths}, {edits}"


OWN = Condition()
COMMON = (
    Condition("max", "one"),
    Condition("max", "half"),
    Condition("all", "one"),
    Condition("all", "half"),
)


@dataclass(frozen=True, slots=True)
class FitOptions:
    """How every intervention is learned; the paper's code takes 60,000 steps at a constant 1e-3.

    Attributes:
        steps, batch_size, weight_decay: of AdamW.
        lr: learning rate at its highest,
        mask_rate: and that of masks, relative to it.
        cooldown: share of the steps, the last ones, in which it falls to 0.
    """

    steps: int = 8000
    batch_size: int = 256
    lr: float = 5e-3
    mask_rate: float = 5.0
    weight_decay: float = 0.1
    cooldown: float = 0.3

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise InputError(f"steps: expected at least 1, got {self.steps}")
        if self.batch_size < 2 or self.batch_size % 2:
            raise InputError(f"batch_size: expected an even number from 2, got {self.batch_size}")
        for name in ("lr", "mask_rate"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"{name}: expected a finite number above 0, got {getattr(self, name)}")
        if not 0 <= self.weight_decay < math.inf:
            raise InputError(f"weight_decay: expected a finite number from 0, got {self.weight_decay}")
        if not 0 <= self.cooldown <= 1:
            raise InputError(f"cooldown: expected a share of the steps, got {self.cooldown}")


class Cell(NamedTuple):
    """One model: the size of its state, whether its decoder goes without input, and its seed."""

    size: int
    no_input: bool
    seed: int

    @property
    def name(self) -> str:
        """Of its directory."""
        return f"N{self.size}-{'no-input' if self.no_input else 'autoregressive'}-seed{self.seed}"


@dataclass(frozen=True, slots=True)
class Plan:
    """All cells of ``sizes`` x ``no_inputs`` x ``seeds``, and what is done in each.

    Attributes:
        sizes, no_inputs, seeds: of the models. A seed is also that of the task.
        kinds: interventions, of :data:`KINDS`.
        conditions: under which each is learned; all are scored under the four common ones, and their own.
        training: of models below 128 units. Larger ones learn in fewer steps: half as many from 128 on, 30 %
            from 256 on.
        fitting: of the interventions.
        n_symbols, min_len, max_len, n_train, n_valid: of the task.
    """

    sizes: tuple[int, ...] = (48, 64, 256)
    no_inputs: tuple[bool, ...] = (False,)
    seeds: tuple[int, ...] = (0, 1, 2)
    kinds: tuple[str, ...] = tuple(KINDS)
    conditions: tuple[Condition, ...] = (OWN,)
    training: TrainingOptions = field(default_factory=TrainingOptions)
    fitting: FitOptions = field(default_factory=FitOptions)
    n_symbols: int = 30
    min_len: int = 2
    max_len: int = 9
    n_train: int = 1_000_000
    n_valid: int = 5000

    def __post_init__(self) -> None:
        for name in ("sizes", "no_inputs", "seeds", "kinds", "conditions"):
            given = getattr(self, name)
            if not given or len(set(given)) < len(given):
                raise InputError(f"{name}: expected one or more, none of them twice, got {list(given)}")
        for name, least in (("sizes", 1), ("seeds", 0)):
            if min(getattr(self, name)) < least:
                raise InputError(f"{name}: expected numbers from {least}, got {min(getattr(self, name))}")
        if unknown := [kind for kind in self.kinds if kind not in KINDS]:
            raise InputError(f"kinds: expected some of {', '.join(map(repr, KINDS))}, got {unknown[0]!r}")

    @property
    def cells(self) -> list[Cell]:
        """Small ones first, and all seeds of a size together."""
        return [
            Cell(size, no_input, seed)
            for size in sorted(self.sizes)
            for no_input in self.no_inputs
            for seed in self.seeds
        ]

    def training_of(self, size: int) -> TrainingOptions:
        """The options of models of a size."""
        steps = self.training.steps
        if size >= 256:
            steps = max(1, 3 * steps // 10)
        elif size >= 128:
            steps = max(1, steps // 2)
        return replace(self.training, steps=steps)

    def task(self, seed: int) -> RepeatTask:
        """The task of a seed."""
        return RepeatTask(self.n_symbols, self.min_len, self.max_len, self.n_train, self.n_valid, seed)

    def settings(self, cell: Cell) -> dict[str, Any]:
        """All that decides what is found in a cell."""
        task = {
            name: getattr(self, name) for name in ("n_symbols", "min_len", "max_len", "n_train", "n_valid")
        }
        training = self.training_of(cell.size).settings()
        return {"training": training, "fitting": asdict(self.fitting), "task": task, **cell._asdict()}
