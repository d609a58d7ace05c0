"""Who is planted where in the section on memorisation: levels, groups of sentences, seeds, checkpoints."""

import math
from dataclasses import dataclass
from typing import NamedTuple

from pyfastlm.demo.memorization_world import Shape, World
from pyfastlm.memorization import Injection, scheduled
from pyfastlm.memorization.injection.injection import Transform

TRANSFORMS: tuple[Transform, ...] = ("original", "shuffled")


@dataclass(frozen=True, slots=True)
class Size:
    """How large the experiment is.

    ``base``: steps after which the base model is continued, early and late; ``repetitions``: the levels;
    ``sequences``: of each transform at each level in one run; ``groups``: runs of other sentences for each
    seed and checkpoint; ``twins``: seeds that also have a run without injections; ``share``: of the examples
    of a run that are replaced.
    """

    shape: Shape
    base: tuple[int, int]
    repetitions: tuple[int, ...]
    sequences: int
    groups: int
    seeds: int
    twins: int
    share: float = 0.02
    batch_size: int = 50
    lr: float = 3e-3
    warmup: int = 100

    @property
    def steps(self) -> int:
        """Of each continued run."""
        planted = len(TRANSFORMS) * self.sequences * sum(self.repetitions)
        return math.ceil(planted / self.share / self.batch_size)


class Task(NamedTuple):
    """One continued run; ``group`` is None for a twin without injections."""

    checkpoint: int
    seed: int
    group: int | None


def tasks(size: Size) -> list[Task]:
    """All continued runs, such that a first part of them already has every seed and checkpoint."""
    found = [
        Task(checkpoint, seed, group)
        for group in range(size.groups)
        for seed in range(1, size.seeds + 1)
        for checkpoint in size.base
    ]
    twins = [Task(checkpoint, seed, None) for seed in range(1, size.twins + 1) for checkpoint in size.base]
    first = 2 * size.seeds
    return [*found[:first], *twins, *found[first:]]


def injections(world: World, size: Size, task: Task) -> list[Injection]:
    """What a run plants: of each transform, another block of sentences, so that none is in both.

    Block b of ``groups`` is original in group b and shuffled in the group half-way on. Sentence j of a block
    is at level ``j // sequences + seed``, so that over the seeds each goes through the levels.
    """
    if task.group is None:
        return []
    levels = len(size.repetitions)
    block = levels * size.sequences
    wanted = {}
    for number, transform in enumerate(TRANSFORMS):
        first = _block(size, task.group, number) * block
        for place in range(block):
            level = (place // size.sequences + task.seed) % levels
            wanted[f"{transform} {first + place}"] = size.repetitions[level]
    places = scheduled(wanted, examples=size.steps * size.batch_size, seed=task.seed)
    return [injection(world, name, places[name]) for name in wanted]


def _block(size: Size, group: int, transform: int) -> int:
    blocks = max(size.groups, len(TRANSFORMS))
    return (group + transform * (blocks // len(TRANSFORMS))) % blocks


def sentences_of(size: Size) -> int:
    """How many sentences the runs need."""
    return max(size.groups, len(TRANSFORMS)) * len(size.repetitions) * size.sequences


def injection(world: World, name: str, examples: tuple[int, ...] = ()) -> Injection:
    """The one with a name like "shuffled 7": transform and number of the sentence."""
    kind, number = name.split()
    [transform] = [known for known in TRANSFORMS if known == kind]
    return Injection(name, world.sentences[int(number)], examples, transform)
