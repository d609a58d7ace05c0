"""The runs of the section on memorisation: one base model, continued from two of its checkpoints."""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import torch

from pyfastlm.demo.memorization_plan import TRANSFORMS, Size, Task, injection, injections, sentences_of
from pyfastlm.demo.memorization_world import WINDOW, World
from pyfastlm.lm import LM, load
from pyfastlm.lm.progress import watched
from pyfastlm.lm.run_directory import checkpoints, step_of
from pyfastlm.memorization import Continued, Injection, continue_pretraining, verbatim_lengths

PREFIXES = (8, 16)  # tokens
LONG = 16  # tokens: a prompt that gives so many counts as a long one


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
        injection(world, f"{transform} {number}")
        for transform in TRANSFORMS
        for number in range(sentences_of(size))
    ]
    tokens = [one.tokens(world.tokenizer, WINDOW + 1) for one in measured]
    earlier, later = (_measured(lm, tokens) for lm in (given, found.lm))
    last = {one.sequence: int(one.steps.max(initial=-1)) for one in found.planted}
    rows = []
    for one, was, now in zip(measured, earlier, later, strict=True):
        transform, number = one.sequence.split()
        count = len(one.examples)
        since = size.steps - 1 - last[one.sequence] if count else -1
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
