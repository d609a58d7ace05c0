"""The runs of the section on memorisation: one base model, continued from two of its checkpoints."""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import torch

from pyfastlm.demo.memorization_world import WINDOW, Shape, World
from pyfastlm.lm import LM, load
from pyfastlm.lm.progress import watched
from pyfastlm.lm.run_directory import checkpoints, step_of
from pyfastlm.memorization import Continued, Injection, continue_pretraining, scheduled, verbatim_lengths

PREFIXES = (8, 16)  # tokens
LONG = 16  # tokens: a prompt that gives so many counts as a long one
TRANSFORMS = ("original", "shuffled")


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


class Row(NamedTuple):
    """One sequence after one run.

    ``longest`` and ``mean`` are over all prompts, in tokens, prompts that hold the answer left out;
    ``long`` is the share of prompts with at least ``LONG`` tokens, ``at_limit`` of those that reached the
    most that could be counted; ``before`` is ``longest`` of the checkpoint that the run began with.
    ``since`` is how many steps ago the sequence was planted last, -1 where it never was.
    """

    checkpoint: int
    seed: int
    group: int | None
    sequence: int
    transform: str
    repetitions: int
    longest: int
    mean: float
    long: float
    at_limit: float
    copied: int
    ties: int
    before: int
    since: int


class Ran(NamedTuple):
    """A run: its rows, the loss on the validation text before and after in bits/byte, what was counted, and
    the seconds it took."""

    task: Task
    rows: tuple[Row, ...]
    before: float
    after: float
    share: float
    densest: float
    planted: int
    steps: int
    seconds: float


class Found(NamedTuple):
    """The lengths of one sequence under one model."""

    longest: int
    mean: float
    long: float
    at_limit: float
    copied: int
    ties: int


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


def base(world: World, size: Size, home: Path, progress: bool) -> Continued:
    """The model from scratch up to the late checkpoint."""
    return continue_pretraining(
        world.model(0),
        world.stream("base"),
        steps=size.base[-1],
        batch_size=size.batch_size,
        lr=size.lr,
        warmup=size.warmup,
        evaluate=world.stream("validation"),
        log_every=max(1, size.base[-1] // 12),
        checkpoint_every=500,
        grid=size.base,
        directory=home / "base",
        seed=0,
        progress=progress,
    )


def run(
    world: World, size: Size, home: Path, chosen: Sequence[Task], *, workers: int, progress: bool
) -> Iterator[Ran]:
    """The runs, in the order of ``chosen``; each with one thread where there are several workers."""
    if workers == 1:
        for task in watched(chosen, len(chosen), "runs", progress):
            yield _run(world.directory, size, home, task)
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        waiting = [pool.submit(_run, world.directory, size, home, task) for task in chosen]
        for one in watched(waiting, len(waiting), "runs", progress):
            yield one.result()


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
    return [_injection(world, name, places[name]) for name in wanted]


def _block(size: Size, group: int, transform: int) -> int:
    blocks = max(size.groups, len(TRANSFORMS))
    return (group + transform * (blocks // len(TRANSFORMS))) % blocks


def sentences_of(size: Size) -> int:
    """How many sentences the runs need."""
    return max(size.groups, len(TRANSFORMS)) * len(size.repetitions) * size.sequences


def _injection(world: World, name: str, examples: tuple[int, ...] = ()) -> Injection:
    transform, number = name.split()
    return Injection(name, world.sentences[int(number)], examples, transform)  # type: ignore[arg-type]


def _run(directory: Path, size: Size, home: Path, task: Task) -> Ran:
    world = World(directory, size.shape)
    start = next(path for path in checkpoints(home / "base") if step_of(path) == task.checkpoint)
    given = load(start)
    planted = injections(world, size, task)
    name = f"{task.checkpoint}-seed{task.seed}-" + ("twin" if task.group is None else f"group{task.group}")
    found = continue_pretraining(
        given,
        world.stream("next"),
        planted,
        steps=size.steps,
        batch_size=size.batch_size,
        lr=size.lr,
        optimizer_state=start,
        evaluate=world.stream("validation"),
        log_every=max(1, size.steps // 4),
        checkpoint_every=500,
        directory=home / name,
        seed=task.seed,
    )
    rows = _rows(world, size, task, given, found, planted)
    counted = sum(one.repetitions for one in found.planted)
    return Ran(
        task,
        rows,
        found.log[0].bits_per_byte or math.nan,
        found.log[-1].bits_per_byte or math.nan,
        found.share,
        found.densest,
        counted,
        size.steps,
        found.seconds,
    )


def _rows(
    world: World, size: Size, task: Task, given: LM, found: Continued, planted: Sequence[Injection]
) -> tuple[Row, ...]:
    """Of the sequences of a run; of a twin, all sequences of all runs."""
    measured = planted or [
        _injection(world, f"{transform} {number}")
        for transform in TRANSFORMS
        for number in range(sentences_of(size))
    ]
    tokens = [injection.tokens(world.tokenizer, WINDOW + 1) for injection in measured]
    earlier, later = (_measured(lm, tokens) for lm in (given, found.lm))
    last = {one.sequence: int(one.steps.max(initial=-1)) for one in found.planted}
    rows = []
    for injection, was, now in zip(measured, earlier, later, strict=True):
        transform, number = injection.sequence.split()
        count = len(injection.examples)
        since = size.steps - 1 - last[injection.sequence] if count else -1
        rows.append(
            Row(
                task.checkpoint,
                task.seed,
                task.group,
                int(number),
                transform,
                count,
                *now,
                was.longest,
                since,
            )
        )
    return tuple(rows)


def _measured(lm: LM, tokens: Sequence[Any]) -> list[Found]:
    """The same prompts for all: every start, every prefix length."""
    found = []
    for lengths in verbatim_lengths(lm, tokens, PREFIXES, WINDOW):
        there = lengths.lengths >= 0
        counted = lengths.lengths[there & ~lengths.copied]
        found.append(
            Found(
                lengths.longest,
                float(counted.mean()),
                float((counted >= LONG).mean()),
                float((lengths.lengths >= lengths.limits)[there].mean()),
                int(lengths.copied[there].sum()),
                int(lengths.ties[there].sum()),
            )
        )
    return found
