"""Continue the training of a causal language model on a stream into which sequences are planted."""

import contextlib
import copy
import os
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from pyfastlm.errors import InputError
from pyfastlm.lm.loading import LM, LMLike, as_lm
from pyfastlm.lm.optimizer import load_state, state_digest
from pyfastlm.lm.progress import watched
from pyfastlm.lm.run_directory import RunDirectory, checkpoints, locked
from pyfastlm.lm.runner import context_length
from pyfastlm.memorization.injection.injection import Injection
from pyfastlm.memorization.injection.options import Options
from pyfastlm.memorization.injection.plan import Plan
from pyfastlm.memorization.injection.result import Continued
from pyfastlm.memorization.injection.steps import Training
from pyfastlm.memorization.injection.stream import TokenStream
from pyfastlm.memorization.injection.validation import Validation


def continue_pretraining(
    lm: LMLike,
    stream: TokenStream,
    injections: Sequence[Injection] = (),
    *,
    steps: int,
    batch_size: int,
    lr: float,
    optimizer_state: "str | os.PathLike[str] | None" = None,
    warmup: int = 0,
    weight_decay: float = 0.01,
    grad_clip: float = 1.0,
    shuffle: bool = True,
    evaluate: TokenStream | None = None,
    directory: "str | os.PathLike[str] | None" = None,
    resume: bool = True,
    checkpoint_every: int = 1000,
    grid: Collection[int] = (),
    log_every: int = 100,
    seed: int = 0,
    progress: bool = False,
) -> Continued:
    """Train a copy of ``lm`` for ``steps`` steps; chosen examples of the stream are replaced by injections.

    AdamW with a constant rate after ``warmup``, as the reference has it; the loss is the mean of the nats of
    the next token over a batch. What a short sequence leaves of its row is no target and seen by none. The
    sequences in each batch are counted by their tokens, and the counts must be those of the plan.

    Without ``injections``, and with the same other arguments, this is the twin of a run: the same examples
    in the same order, but those that were replaced.

    With ``directory``, checkpoints are written there. Killed at any moment and called again with the same
    arguments, a run goes on from the last one, and ends with the weights and the log of an undisturbed run,
    to the last bit if the number of threads is the same: what is random is a function of ``seed`` and the
    step. A finished run is recognised, and only loaded.

    Args:
        lm: any causal LM; where it is loaded here, no second copy is held.
        stream: what to train on; with fewer examples than are wanted, they come again, epoch by epoch.
        injections: what to plant and where.
        steps: of the optimiser.
        batch_size: examples of a step.
        lr: learning rate.
        optimizer_state: ``optimizer.safetensors`` of a checkpoint, or its directory: the moments to go on
            with; None starts without.
        warmup: steps in which the rate rises.
        weight_decay: of AdamW.
        grad_clip: largest norm of the gradient.
        shuffle: draw the order of the examples anew for each epoch; otherwise that of the stream.
        evaluate: a stream to measure the loss on whenever an entry is logged, and before the first step.
        directory: for ``settings.json``, ``log.jsonl`` and checkpoints; None keeps nothing on disk.
        resume: go on with what is in ``directory``; False starts afresh and removes it.
        checkpoint_every: steps between two checkpoints; only the newest is kept,
        grid: but those after these numbers of steps are, too.
        log_every: steps between two entries of the log.
        seed: of the order of examples, and of dropout.
        progress: a bar on standard error.

    Raises:
        InputError: an argument is out of range, a place is wanted twice or beyond the end, a token is not of
            the model, the loss is not finite; ``directory`` is in use, or holds a run with other settings
            (the message says which).
    """
    options = Options(
        steps, batch_size, lr, warmup, weight_decay, grad_clip, shuffle, seed, log_every, checkpoint_every,
        tuple(sorted({*grid})),
    )  # fmt: skip
    options.check()
    base = as_lm(lm)
    if stream.window > (context := context_length(base)):
        raise InputError(
            f"stream: expected a window of at most the model's context of {context}, got {stream.window}"
        )
    vocabulary = base.model.get_input_embeddings().weight.shape[0]
    plan = Plan(
        injections, base.tokenizer, stream.window, vocabulary=vocabulary, steps=steps, batch_size=batch_size
    )
    validation = None if evaluate is None else Validation(evaluate, base.tokenizer, vocabulary, batch_size)
    with _opened(directory) as run:
        start = 0
        if run is not None:
            state = state_digest(optimizer_state)
            start = run.begin(_settings(options, base, stream, plan, evaluate, state), resume=resume)
        training = Training(copy.deepcopy(base) if lm is base else base, stream, plan, options, validation)
        if run is not None and start:
            training.restore(run)
        elif optimizer_state is not None:
            load_state(optimizer_state, training.lm.model, training.optimizer)
        training.begin(run, start)
        for step in watched(range(start, steps), steps - start, "training", progress):
            training.step(step)
            training.keep(run, step + 1)
        kept = () if run is None else tuple(checkpoints(run.directory))
    return training.result(start, kept)


def _settings(
    options: Options, base: LM, stream: TokenStream, plan: Plan, evaluate: TokenStream | None, state: str
) -> dict[str, Any]:
    """All that decides the weights and the log; flat, so that a message can name the one that differs."""
    import pyfastlm

    return options.settings() | {
        "lm": base.fingerprint,
        "optimizer_state": state,
        "stream": stream.digest(),
        "injections": plan.digest(),
        "evaluate": "none" if evaluate is None else evaluate.digest(),
        "pyfastlm": pyfastlm.__version__,
    }


@contextlib.contextmanager
def _opened(directory: "str | os.PathLike[str] | None") -> Iterator[RunDirectory | None]:
    if directory is None:
        yield None
        return
    with locked(directory, "directory") as run:
        yield run
