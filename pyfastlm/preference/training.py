"""Train a causal language model on pairs of answers."""

import contextlib
import copy
import hashlib
import os
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.lm.body import checkpoint
from pyfastlm.lm.loading import LM, LMLike, as_lm
from pyfastlm.lm.progress import watched
from pyfastlm.lm.run_directory import RunDirectory, locked
from pyfastlm.preference.drift import Drift, Monitor, Watch
from pyfastlm.preference.encoding import encode
from pyfastlm.preference.logps import longest
from pyfastlm.preference.options import TrainingOptions
from pyfastlm.preference.pairs import PreferencePair
from pyfastlm.preference.policy import Policy
from pyfastlm.preference.references import computed, digest_of
from pyfastlm.preference.steps import Logged, Run


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """What a training came to.

    ``lm`` is the model at the end, adapters merged in; ``log`` the entries; ``drift`` what was watched
    (empty without); ``resumed_step`` how many steps earlier runs had done; ``seconds`` the time of all steps.
    """

    lm: LM
    log: tuple[Logged, ...]
    drift: tuple[Drift, ...]
    resumed_step: int
    seconds: float


def train(
    lm: LMLike,
    pairs: Iterable[PreferencePair],
    options: TrainingOptions,
    directory: "str | os.PathLike[str] | None" = None,
    *,
    references: "str | os.PathLike[str] | None" = None,
    watch: Watch | None = None,
    resume: bool = True,
    progress: bool = False,
) -> Trained:
    """Train on pairs against the model as it is given, without TRL.

    Log-probabilities under the reference are computed once, before the first step. Dropout is off. With
    ``directory``, checkpoints are written there: killed at any moment and called again with the same
    arguments, a run goes on from the last one and ends with the weights of an undisturbed run, to the last
    bit on a CPU with as many threads. A finished run is only loaded.

    Args:
        lm: what to begin with, and the reference; it is left as it is.
        pairs: any iterable; it is read whole.
        options: of the training.
        directory: for ``settings.json``, ``log.jsonl`` and the newest checkpoint; None keeps nothing on disk.
        references: a file for the reference's log-probabilities, as ``path`` of
            :func:`pyfastlm.preference.references.precompute`; other runs on the same pairs can share it.
        watch: what to measure while it learns.
        resume: go on with what is in ``directory``; False starts afresh and removes it.
        progress: a bar on standard error.

    Raises:
        InputError: as :func:`pyfastlm.preference.encoding.encode`; or the loss is not finite, or the
            directory is in use, or holds another run.
        MissingExtra: adapters are asked for, and PEFT is not installed.
    """
    base = as_lm(lm)
    tokens = encode(base.tokenizer, pairs, max_length=options.max_length)
    watched_by = hashlib.blake2b(repr(watch).encode(), digest_size=8).hexdigest()
    settings = options.settings() | {"lm": base.fingerprint, "pairs": digest_of(tokens), "watch": watched_by}
    with _opened(directory) as opened:
        start = 0 if opened is None else opened.begin(settings, resume=resume)
        known = computed(base, tokens, references, progress=progress)
        model = _learner(base.model, options)
        monitor = None
        if watch is not None:
            monitor = Monitor(model, base.tokenizer, watch, max_length=options.max_length)
        run = Run(Policy(model, longest(tokens)), tokens, known.logps(), options, monitor, watch)
        run.begin(opened, start)
        for step in watched(range(start, options.steps), options.steps - start, "training", progress):
            run.step(step)
            run.keep(opened, step + 1)
    merged = model.merge_and_unload() if options.rank is not None else model
    if options.checkpointing:
        _checkpointing(merged, False)
    name = f"{base.name}, {options.objective}"
    return Trained(
        LM(merged.eval(), base.tokenizer, name), tuple(run.log), tuple(run.drift), start, run.seconds
    )


def _learner(given: Any, options: TrainingOptions) -> Any:
    """A copy that learns."""
    model = copy.deepcopy(given).eval()
    if options.rank is None:
        model.requires_grad_(True)
    else:
        peft = require("peft", "preference")
        config = peft.LoraConfig(
            r=options.rank,
            lora_alpha=2 * options.rank,
            lora_dropout=0.0,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        )
        with torch.random.fork_rng(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)  # of PEFT
            torch.manual_seed(options.seed)
            model = peft.get_peft_model(model, config).eval()
    if options.checkpointing:
        _checkpointing(model, True)
    return model


def _checkpointing(model: Any, on: bool) -> None:
    """Switch it in all blocks, which do it only while they train; dropout inside them stays off.

    Raises:
        InputError: the model cannot do it.
    """
    bare = model.get_base_model() if hasattr(model, "get_base_model") else model
    if not bare.supports_gradient_checkpointing:
        raise InputError("checkpointing: this model cannot do it; pass checkpointing=False")
    blocks = [module for module in bare.modules() if hasattr(module, "gradient_checkpointing")]
    for block in blocks:
        block.gradient_checkpointing = block.training = on
        block._gradient_checkpointing_func = checkpoint


@contextlib.contextmanager
def _opened(directory: "str | os.PathLike[str] | None") -> Iterator[RunDirectory | None]:
    if directory is None:
        yield None
        return
    with locked(Path(directory), "directory") as run:
        yield run
