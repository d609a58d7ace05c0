"""Run a grid: models side by side in processes of one thread, each going on from where it was."""

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import torch

from pyfastlm.errors import InputError
from pyfastlm.lm.files.job import refuse_difference
from pyfastlm.lm.progress import watched
from pyfastlm.onion.codes import Coder
from pyfastlm.onion.evaluation import evaluate
from pyfastlm.onion.gates import update_gates
from pyfastlm.onion.grid.plan import COMMON, KINDS, OWN, Cell, Condition, FitOptions, Plan
from pyfastlm.onion.grid.rows import (
    CellResult,
    FitResult,
    ModelResult,
    read_fit,
    read_json,
    read_model,
    row,
    write,
    write_json,
)
from pyfastlm.onion.interventions.conditions import resolved
from pyfastlm.onion.interventions.files import save_intervention
from pyfastlm.onion.interventions.fitting import Fitted, fit_intervention
from pyfastlm.onion.interventions.linear import Linear
from pyfastlm.onion.model import GRUCopier
from pyfastlm.onion.task import RepeatTask
from pyfastlm.onion.training import Trained, train

SETTINGS, MODEL, TRAINING, FITS = "settings.json", "model.json", "training", "fits"
POINTS = 20  # of the curve of a fit
SAMPLE = 6  # steps that an estimate looks at


def run_grid(
    plan: Plan, home: "str | os.PathLike[str]", *, workers: int = 1, progress: bool = False
) -> list[CellResult]:
    """Train every model, and learn every intervention on it.

    Each cell has a directory in ``home``: the run of its training, and a file of results for the model and
    for each intervention, beside the intervention itself. Killed at any moment and called again with the same
    plan, a grid goes on: what is done is read, training goes on from its checkpoint, and only the
    intervention that was being learned begins anew. A plan with more sizes, seeds, kinds or conditions adds
    to what is there.

    Args:
        plan: what is to be done.
        home: directory, made if it is not there.
        workers: processes, each with one thread; 1 is this process, with its threads.
        progress: a bar on standard error, of models.

    Returns:
        One for each cell, in their order.

    Raises:
        InputError: ``workers`` is below 1, a cell in ``home`` was run with other settings, or as
            :func:`pyfastlm.onion.train` and :func:`pyfastlm.onion.interventions.fit_intervention`.
    """
    if workers < 1:
        raise InputError(f"workers: expected at least 1, got {workers}")
    places = [(plan, cell, Path(home) / cell.name) for cell in plan.cells]
    if workers == 1:
        for place in watched(places, len(places), "models", progress):
            _run(*place)
    else:
        with ProcessPoolExecutor(workers, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
            jobs = [pool.submit(_run, *place) for place in places]
            try:
                for job in watched(as_completed(jobs), len(jobs), "models", progress):
                    job.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    return [_read(home) for _, _, home in places]


def read_grid(home: "str | os.PathLike[str]") -> list[CellResult]:
    """All cells of ``home`` whose model is trained, small ones first, with what is done so far.

    Raises:
        InputError: there is none, or a file of them is damaged.
    """
    found = [_read(path.parent) for path in Path(home).glob(f"*/{MODEL}")]
    if not found:
        raise InputError(f"home: there is no trained model of a grid in {str(home)!r}")
    return sorted(found, key=lambda result: result.cell)


def estimate(plan: Plan, home: "str | os.PathLike[str]", *, workers: int = 1) -> float:
    """Seconds that :func:`run_grid` will still take if every worker has a core to itself; rough: from some
    steps of each size, and whole models that are not done."""
    seconds: dict[int, float] = {}
    total = 0.0
    for cell in plan.cells:
        place = Path(home) / cell.name
        missing = [name for name, *_ in _fits(plan) if not (place / FITS / f"{name}.json").exists()]
        if missing:
            if cell.size not in seconds:
                seconds[cell.size] = _measured(replace(plan, n_train=min(plan.n_train, 20_000)), cell)
            total += seconds[cell.size]
    return total / workers


def _measured(plan: Plan, cell: Cell) -> float:
    """Seconds of a whole cell on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        task, options = plan.task(cell.seed), plan.training_of(cell.size)
        some = replace(options, steps=SAMPLE, log_every=SAMPLE)
        trained = train(task, cell.size, no_input=cell.no_input, options=some, seed=cell.seed)
        total = trained.seconds / SAMPLE * options.steps
        short = replace(plan.fitting, steps=SAMPLE)
        for _, kind, condition in _fits(plan):
            fitted = learned(short, trained.model, task, kind, condition, cell.seed)
            total += fitted.seconds / SAMPLE * plan.fitting.steps
        return total
    finally:
        torch.set_num_threads(threads)


def _run(plan: Plan, cell: Cell, home: Path) -> None:
    """All of one cell that is not done."""
    settings = plan.settings(cell)
    if (home / SETTINGS).exists():
        refuse_difference(read_json(home / SETTINGS), settings, f"{str(home)!r} holds a model")
    else:
        (home / FITS).mkdir(parents=True, exist_ok=True)
        write_json(home / SETTINGS, settings)
    missing = [each for each in _fits(plan) if not (home / FITS / f"{each[0]}.json").exists()]
    if not missing and (home / MODEL).exists():
        return
    task = plan.task(cell.seed)
    options = plan.training_of(cell.size)
    trained = train(task, cell.size, home / TRAINING, no_input=cell.no_input, options=options, seed=cell.seed)
    if not (home / MODEL).exists():
        write(home / MODEL, _judged(trained, task))
    for name, kind, condition in missing:
        fitted = learned(plan.fitting, trained.model, task, kind, condition, cell.seed)
        save_intervention(fitted.intervention, home / FITS / f"{name}.pt")
        write(home / FITS / f"{name}.json", _scored(trained.model, task, kind, fitted))


def _fits(plan: Plan) -> Iterator[tuple[str, str, Condition]]:
    """Every fit of a cell under a name that says what is learned and where; "own" and its equal are one."""
    done = set()
    for kind in plan.kinds:
        for condition in plan.conditions:
            lengths, edits = resolved(KINDS[kind].of, *condition)
            name = f"{kind}, {lengths}, {edits}".replace(", ", "-").replace(" ", "-")
            if name not in done:
                done.add(name)
                yield name, kind, Condition(lengths, edits)


def learned(
    options: FitOptions,
    model: Coder,
    task: RepeatTask,
    kind: str,
    condition: Condition = OWN,
    seed: int = 0,
) -> Fitted:
    """An intervention of :data:`KINDS`, learned with the options of a grid."""
    return fit_intervention(
        KINDS[kind].make(model.config, seed),
        model,
        task,
        steps=options.steps,
        batch_size=options.batch_size,
        learning_rate=options.lr,
        weight_decay=options.weight_decay,
        cooldown=options.cooldown,
        mask_rate=options.mask_rate,
        lengths=condition.lengths,
        edits=condition.edits,
        seed=seed,
        evaluate_every=max(1, options.steps // POINTS),
    )


def _judged(trained: Trained, task: RepeatTask) -> ModelResult:
    """What the model says from its own states."""
    model = trained.model
    whole = evaluate(model, task).scores
    gates = update_gates(model, task.valid, task.max_len)
    return ModelResult(
        log=trained.log,
        seconds=trained.seconds,
        exact=whole.taught,
        free=whole.free,
        longest=whole.by_length[task.max_len],
        longer=tuple(evaluate(model, task.longer(extra)).scores.taught for extra in (1, 2)),
        gates=tuple(tuple(step) for step in gates.update.round(4).tolist()),
    )


def _scored(model: GRUCopier, task: RepeatTask, kind: str, fitted: Fitted) -> FitResult:
    """A fit under all common conditions."""
    intervention = fitted.intervention
    rows = [
        row(evaluate(model, task, intervention, lengths=lengths, edits=edits)) for lengths, edits in COMMON
    ]
    linear = intervention if isinstance(intervention, Linear) else None
    return FitResult(
        kind=kind,
        own=(fitted.lengths, fitted.edits) == resolved(type(intervention), *OWN),
        lengths=fitted.lengths,
        edits=fitted.edits,
        curve=fitted.curve,
        fall=fitted.fall,
        converged=fitted.converged,
        orthogonality=linear.orthogonality() if linear else 0.0,
        channels=linear.channels() if linear else (),
        rows=tuple(rows),
        seconds=fitted.seconds,
    )


def _read(home: Path) -> CellResult:
    """A cell whose model is trained, with all fits that are there."""
    settings = read_json(home / SETTINGS)
    try:
        cell = Cell(int(settings["size"]), bool(settings["no_input"]), int(settings["seed"]))
    except (LookupError, TypeError, ValueError) as error:
        raise InputError(f"home: {str(home / SETTINGS)!r} is not of a grid") from error
    fits = map(read_fit, sorted((home / FITS).glob("*.json")))
    return CellResult(cell, settings, read_model(home / MODEL), tuple(fits))
