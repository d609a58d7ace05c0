"""Train a small model on GINC, then on one of its models more than on the others."""

import contextlib
import copy
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pyfastlm.errors import InputError
from pyfastlm.icl.ginc.world import GINC
from pyfastlm.icl.training.objectives import NextWord, Preference
from pyfastlm.icl.training.options import TrainingOptions
from pyfastlm.icl.training.shape import Shape, fits, small_lm
from pyfastlm.icl.training.steps import Logged, Objective, Run
from pyfastlm.lm.loading import LM, LMLike, as_lm, load
from pyfastlm.lm.progress import watched
from pyfastlm.lm.run_directory import RunDirectory, checkpoints, locked, step_of

SHAPE = Shape()
PRETRAINING = TrainingOptions(3000, cooldown=0.4)
AMOUNTS = (0, 64, 128, 256, 512, 1024, 2048)  # texts


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """What a run came to.

    ``lm`` is the model at the end, ``log`` the entries, ``checkpoints`` the directories kept
    (:func:`pyfastlm.lm.load` takes each; none without a directory), ``resumed_step`` how many steps earlier
    runs had done, ``seconds`` the wall time of all steps.
    """

    lm: LM
    log: tuple[Logged, ...]
    checkpoints: tuple[Path, ...]
    resumed_step: int
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Tuned:
    """A model after each amount of fine-tuning: ``amounts`` [G] of texts, ``lms`` [G], and the ``run``."""

    amounts: tuple[int, ...]
    lms: tuple[LM, ...]
    run: Trained


def train_ginc(
    ginc: GINC,
    directory: "str | os.PathLike[str] | None" = None,
    *,
    shape: Shape = SHAPE,
    options: TrainingOptions = PRETRAINING,
    resume: bool = True,
    progress: bool = False,
) -> Trained:
    """Train a small Llama on documents by all models of a world, drawn as it goes.

    With ``directory``, checkpoints are written there. Killed at any moment and called again with the same
    arguments, a run goes on from the last one and ends with the weights of an undisturbed run, to the last
    bit on a CPU with as many threads. A finished run is only loaded.

    Args:
        ginc: the world.
        directory: for ``settings.json``, ``log.jsonl`` and checkpoints; None keeps nothing on disk.
        shape: of the model.
        options: of the training; its seed is also that of the first weights.
        resume: go on with what is in ``directory``; False starts afresh and removes it.
        progress: a bar on standard error.

    Raises:
        InputError: the texts are longer than the model reads, the loss is not finite, the directory is in
            use, or holds another run.
        MissingExtra: transformers is not installed.
    """
    lm = small_lm(ginc, shape, seed=options.seed)
    objective = NextWord(ginc, range(ginc.hmms), options)
    settings = {"objective": "pretraining", "shape": asdict(shape)}
    return _trained(lm, ginc, objective, options, directory, settings, resume, progress)


def sft(
    lm: LMLike,
    ginc: GINC,
    options: TrainingOptions,
    directory: "str | os.PathLike[str] | None" = None,
    *,
    hmms: Sequence[int] = (0,),
    amounts: Sequence[int] = AMOUNTS,
    resume: bool = True,
    progress: bool = False,
) -> Tuned:
    """Train on documents by some of the models only, and keep the model after each of ``amounts`` texts.

    The amounts are places of one run: what has seen 64 texts goes on to 128. No text comes twice. With all
    models, this is the control of as many words of the mixture.

    Args:
        lm: what to begin with; it is left as it is. Dropout is off.
        ginc: the world.
        options: of the training; ``steps`` and ``grid`` are set by the amounts.
        directory: as for :func:`train_ginc`.
        hmms: who writes the documents.
        amounts: ascending multiples of the batch size, from 0 on.
        resume, progress: as for :func:`train_ginc`.

    Raises:
        InputError: as there, or an amount is wrong, or there is no such model.
    """
    options = _for_amounts(options, amounts)
    settings = {"objective": "sft", "hmms": list(hmms)}
    return _tuned(
        lm, ginc, lambda model: NextWord(ginc, hmms, options), options, directory, amounts, settings,
        resume, progress,
    )  # fmt: skip


def dpo(
    lm: LMLike,
    ginc: GINC,
    options: TrainingOptions,
    directory: "str | os.PathLike[str] | None" = None,
    *,
    hmm: int = 0,
    beta: float = 0.1,
    amounts: Sequence[int] = AMOUNTS,
    resume: bool = True,
    progress: bool = False,
) -> Tuned:
    """Prefer documents by one model to documents by the others, by DPO; amounts count pairs.

    Args:
        lm: what to begin with, and the reference; it is left as it is.
        hmm: whose documents are chosen; the rejected ones are by any of the others.
        beta: of the loss.
        ginc, options, directory, amounts, resume, progress: as for :func:`sft`.

    Raises:
        InputError: as there, or there are not two models.
    """
    if ginc.hmms < 2:
        raise InputError("ginc: expected at least 2 models to prefer one, got 1")
    if not 0 <= hmm < ginc.hmms:
        raise InputError(f"hmm: expected 0 to {ginc.hmms - 1}, got {hmm}")
    if not 0 < beta < np.inf:
        raise InputError(f"beta: expected a finite number above 0, got {beta}")
    options = _for_amounts(options, amounts)
    settings = {"objective": "dpo", "hmms": [hmm], "beta": beta}

    def objective(model: Any) -> Objective:
        return Preference(ginc, hmm, model, beta, options)

    return _tuned(lm, ginc, objective, options, directory, amounts, settings, resume, progress)


def _for_amounts(options: TrainingOptions, amounts: Sequence[int]) -> TrainingOptions:
    size, given = options.batch_size, list(amounts)
    if given != sorted({*given}) or not given or given[-1] == 0:
        raise InputError(f"amounts: expected ascending numbers of texts, not all 0, got {given}")
    if wrong := [amount for amount in given if amount < 0 or amount % size]:
        raise InputError(f"amounts: expected multiples of the batch size of {size}, got {wrong[0]}")
    grid = tuple(amount // size for amount in given if amount)
    return replace(options, steps=grid[-1], grid=grid)


def _tuned(
    lm: LMLike,
    ginc: GINC,
    objective: Callable[[Any], Objective],
    options: TrainingOptions,
    directory: "str | os.PathLike[str] | None",
    amounts: Sequence[int],
    settings: dict[str, Any],
    resume: bool,
    progress: bool,
) -> Tuned:
    base = as_lm(lm)
    learner = LM(copy.deepcopy(base.model), base.tokenizer, f"{base.name}, {settings['objective']}")
    settings = settings | {"lm": base.fingerprint, "amounts": list(amounts)}
    kept: dict[int, LM] = {0: base}
    run = _trained(learner, ginc, objective(base.model), options, directory, settings, resume, progress, kept)
    for path in run.checkpoints:
        if (step := step_of(path)) not in kept:  # of an earlier run
            kept[step] = load(path)
    return Tuned(tuple(amounts), tuple(kept[amount // options.batch_size] for amount in amounts), run)


def _trained(
    lm: LM,
    ginc: GINC,
    objective: Objective,
    options: TrainingOptions,
    directory: "str | os.PathLike[str] | None",
    settings: dict[str, Any],
    resume: bool,
    progress: bool,
    kept: dict[int, LM] | None = None,
) -> Trained:
    """Do the steps; ``kept`` gets a copy of the model after each step of the grid that is done here."""
    fits(lm, ginc, options.length)
    run = Run(lm, objective, options)
    with _opened(directory) as opened:
        start = 0
        if opened is not None:
            everything = options.settings() | settings | {"ginc": ginc.digest()}
            start = opened.begin(everything, resume=resume)
        run.begin(opened, start)
        for step in watched(range(start, options.steps), options.steps - start, "training", progress):
            run.step(step)
            run.keep(opened, step + 1)
            if kept is not None and step + 1 in options.grid:
                kept[step + 1] = LM(copy.deepcopy(lm.model).eval(), lm.tokenizer, f"{lm.name}, {step + 1}")
        found = () if opened is None else tuple(checkpoints(opened.directory))
    lm.model.eval()
    return Trained(lm, tuple(run.log), found, start, run.seconds)


@contextlib.contextmanager
def _opened(directory: "str | os.PathLike[str] | None") -> Iterator[RunDirectory | None]:
    if directory is None:
        yield None
        return
    with locked(directory, "directory") as run:
        yield run
