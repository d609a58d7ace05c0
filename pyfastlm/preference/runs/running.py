"""Train on one share of some pairs, and score all of them before and after."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from pyfastlm._require import expect
from pyfastlm.errors import InputError
from pyfastlm.lm.loading import LMLike, as_lm
from pyfastlm.lm.saving import save_model
from pyfastlm.preference.drift import bits_per_byte
from pyfastlm.preference.encoding import encode
from pyfastlm.preference.options import TrainingOptions
from pyfastlm.preference.pairs import PreferencePair
from pyfastlm.preference.references import computed, digest_of
from pyfastlm.preference.runs.changes import change
from pyfastlm.preference.runs.result import RESULT, RunResult, write_result
from pyfastlm.preference.runs.splitting import shuffled, split
from pyfastlm.preference.training import train

TRAINING, MODEL, REFERENCES = "training", "model", "references.parquet"


def run(
    lm: LMLike,
    pairs: Sequence[PreferencePair],
    options: TrainingOptions,
    directory: "str | os.PathLike[str]",
    *,
    share: float = 0.2,
    control: bool = False,
    texts: Sequence[str] = (),
    save: bool = True,
    resume: bool = True,
    progress: bool = False,
) -> RunResult:
    """Hold out a share of the prompts, train on the others, and say what became of both.

    ``directory`` then has ``training/`` (log and checkpoint of :func:`pyfastlm.preference.train`),
    ``references.parquet``, ``result.json`` and, with ``save``, ``model/`` as :func:`pyfastlm.lm.load` reads
    it. A killed run goes on with the same arguments.

    Args:
        lm: what to begin with, and the reference.
        pairs: of two prompts or more.
        options: of the training; their seed also draws what is held out.
        directory: for all of that; it is made if it is not there.
        share: of the prompts that is held out.
        control: learn half of the pairs the wrong way round.
        texts: that have nothing to do with the pairs.
        save: write the model, adapters merged in.
        resume: go on with what is there; False starts afresh.
        progress: bars on standard error.

    Raises:
        InputError: as :func:`pyfastlm.preference.train` and :func:`pyfastlm.preference.runs.split`.
        MissingExtra: adapters are asked for, and peft is not installed.
        OSError: the disk is full.
    """
    if options.rank is not None:
        expect(["peft"], "preference")
    target = Path(directory)
    learnt, held_out = split(pairs, share, seed=options.seed)
    if control:
        learnt = shuffled(learnt, seed=options.seed)
    base = as_lm(lm)
    taught, other = (
        encode(base.tokenizer, each, max_length=options.max_length) for each in (learnt, held_out)
    )
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"directory: cannot make {str(target)!r}: {error.strerror}") from error
    references = target / REFERENCES
    if not resume:
        for path in (references, target / RESULT):
            path.unlink(missing_ok=True)
    found = train(
        base,
        learnt,
        options,
        target / TRAINING,
        references=references,
        resume=resume,
        progress=progress,
    )
    before = computed(base, taught, references), computed(base, other, None, progress=progress)
    after = [computed(found.lm, tokens, None, progress=progress) for tokens in (taught, other)]
    result = RunResult(
        model=base.name,
        fingerprint=base.fingerprint,
        digest=digest_of(other),
        options=options,
        shuffled=control,
        learnt=change(before[0], after[0], seed=options.seed),
        held_out=change(before[1], after[1], seed=options.seed),
        bits_before=bits_per_byte(base, texts, progress=progress) if texts else None,
        bits_after=bits_per_byte(found.lm, texts, progress=progress) if texts else None,
        seconds=found.seconds,
    )
    (target / RESULT).unlink(missing_ok=True)  # it is there only beside the model it is of
    shutil.rmtree(target / MODEL, ignore_errors=True)
    if save:
        save_model(found.lm, target / MODEL)
    write_result(result, target)
    return result
