"""Lengths of all texts of files, saved as they come."""

import contextlib
import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyfastlm.errors import InputError
from pyfastlm.lm.files.inputs import StrPath, resolve
from pyfastlm.lm.files.job import START_AFRESH, TEMPORARY, Job, locked, refuse_difference
from pyfastlm.lm.files.parts import SUFFIX
from pyfastlm.lm.loading import LMLike, as_lm
from pyfastlm.lm.progress import watched
from pyfastlm.lm.runner import TOKENS_PER_BATCH, positive
from pyfastlm.memorization.metric import asking, tables
from pyfastlm.memorization.metric.lengths import LengthRow, Mode
from pyfastlm.memorization.metric.measuring import HORIZON, PREFIX_LENGTHS, verbatim_lengths
from pyfastlm.memorization.metric.passages import read_passages
from pyfastlm.memorization.metric.summary import Summary, summaries
from pyfastlm.memorization.sequences import NamedSequence

LAYOUT = 1  # rises with every change of what a saved part holds


@dataclass(frozen=True)
class MeasureReport:
    """What :func:`measure_files` did.

    Attributes:
        model, fingerprint: the model's name, and the digits that tell it from others.
        output: the file with all rows, if any.
        sequences: what each text comes to, in order.
        too_short: names of texts without a token after the shortest prefix; they have no rows.
        resumed: how many texts earlier runs have measured.
        seconds: of this run.
        rows: all of them.
    """

    model: str
    fingerprint: str
    output: Path | None
    sequences: tuple[Summary, ...]
    too_short: tuple[str, ...]
    resumed: int
    seconds: float
    rows: tuple[LengthRow, ...]


def measure_files(
    lm: LMLike,
    inputs: StrPath | Sequence[StrPath],
    output: StrPath | None = None,
    *,
    prefix_lengths: Sequence[int] = PREFIX_LENGTHS,
    horizon: int = HORIZON,
    mode: Mode = "token",
    stride: int = 1,
    text_key: str = "text",
    checkpoint: str | None = None,
    resume: bool = True,
    tokens_per_batch: int = TOKENS_PER_BATCH,
    progress: bool = False,
) -> MeasureReport:
    """Measure every text of ``inputs``; see :func:`pyfastlm.memorization.verbatim_lengths`.

    With an output, each text is saved in ``<output>.parts`` when it is measured; killed at any moment, the
    same call goes on with the next. The output appears at the end by one atomic rename, and is the same as
    that of an undisturbed run if the number of threads is. The same call with a finished ``.parquet`` output
    reads it; ``.jsonl`` has no room for what it was made of, and is refused.

    Args:
        lm: an ``LM``, or anything ``pyfastlm.lm.load`` takes.
        inputs: files, see :func:`read_passages`. No special tokens are added to texts.
        output: ``.parquet`` or ``.jsonl``, a :class:`LengthRow` a row; or None.
        prefix_lengths, horizon, mode: what to measure.
        stride: prompts start at every so manieth token.
        text_key: key of a JSON object, or column of a Parquet file.
        checkpoint: what the rows say of the model; its name by default.
        resume: go on with an unfinished job; False starts afresh and replaces an existing output.
        tokens_per_batch: how many tokens go through the model together.
        progress: show a bar on standard error.

    Raises:
        InputError: an argument or an input is wrong; the output exists and is of another job, or not Parquet;
            another process works on it; an unfinished job has another model or other settings.
        OSError: reading or writing failed, e.g. the disk is full. What is measured is kept.
    """
    started = time.perf_counter()
    prefixes = asking.lengths(prefix_lengths, horizon)
    positive("stride", stride)
    asking.refuse_mode(mode)
    names = [source.name for source in resolve(inputs)]
    target = None if output is None else Path(output)
    if target is not None:
        tables.check_output(target)
    model = as_lm(lm)

    def measure(one: NamedSequence) -> list[LengthRow]:
        tokens: list[int] = model.tokenizer(one.text, add_special_tokens=False, verbose=False)["input_ids"]
        if len(tokens) <= min(prefixes):
            return []
        starts = range(0, len(tokens) - min(prefixes), stride)
        found = verbatim_lengths(
            model, tokens, prefixes, horizon, mode=mode, starts=starts, tokens_per_batch=tokens_per_batch
        )
        return found.rows(one.id, transform=one.transform, checkpoint=checkpoint or model.name)

    description = {
        "layout": LAYOUT,
        "model": model.fingerprint,
        "checkpoint": checkpoint or model.name,
        "inputs": names,
        "text_key": text_key,
        "prefix_lengths": list(prefixes),
        "horizon": horizon,
        "mode": mode,
        "stride": stride,
    }
    with contextlib.closing(watched(read_passages(inputs, text_key), None, "texts", progress)) as passages:
        if target is None:
            measured = [(one.id, measure(one), False) for one in passages]
        else:
            measured = _saved(target, description, passages, measure, resume)
    rows = tuple(row for _, several, _ in measured for row in several)
    return MeasureReport(
        model=model.name,
        fingerprint=model.fingerprint,
        output=target,
        sequences=tuple(summaries(rows)),
        too_short=tuple(name for name, several, _ in measured if not several),
        resumed=sum(taken_over for _, _, taken_over in measured),
        seconds=time.perf_counter() - started,
        rows=rows,
    )


def _saved(
    target: Path,
    description: dict[str, Any],
    passages: Iterable[NamedSequence],
    measure: Callable[[NamedSequence], list[LengthRow]],
    resume: bool,
) -> list[tuple[str, list[LengthRow], bool]]:
    """Name and rows of each passage, and whether an earlier run has measured it; ``target`` has all rows."""
    with locked(target) as job:
        unfinished = resume and job.continues(description)
        noted = tables.noted(target) if resume and not job.replaces else None
        if noted is not None:
            refuse_difference(noted["description"], description, f"{target} was made")
            measured = _finished(target, noted["digest"], passages)
        else:
            if not unfinished:
                job.begin(description, replaces=not resume)
            if target.exists() and not job.replaces:
                raise InputError(f"output: {str(target)!r} exists; remove it, or {START_AFRESH}")
            measured = _measured(job, target, description, passages, measure)
        job.remove()
    return measured


def _measured(
    job: Job,
    target: Path,
    description: dict[str, Any],
    passages: Iterable[NamedSequence],
    measure: Callable[[NamedSequence], list[LengthRow]],
) -> list[tuple[str, list[LengthRow], bool]]:
    """Measure what earlier runs have not, and write ``target``."""
    measured = []
    digest = hashlib.blake2b(digest_size=16)
    for number, one in enumerate(passages):
        key = _key(one)
        digest.update(key.encode())
        path = job.directory / f"{number:08}-{key}{SUFFIX}"
        found = tables.load(path)
        measured.append((one.id, measure(one) if found is None else found, found is not None))
        if found is None:
            tables.save(measured[-1][1], path, path.with_suffix(TEMPORARY))
    rows = [row for _, several, _ in measured for row in several]
    note = {"description": description, "digest": digest.hexdigest()}
    tables.save(rows, target, job.directory / f"output{TEMPORARY}", note)
    return measured


def _finished(
    target: Path, digest: str, passages: Iterable[NamedSequence]
) -> list[tuple[str, list[LengthRow], bool]]:
    """What ``target`` holds, if it was made of these texts."""
    now = hashlib.blake2b(digest_size=16)
    rows: dict[str, list[LengthRow]] = {}
    for one in passages:
        now.update(_key(one).encode())
        rows[one.id] = []
    if now.hexdigest() != digest:
        raise InputError(
            f"resume: {str(target)!r} was made from other contents of the inputs; {START_AFRESH}"
        )
    found = tables.load(target)
    if found is None or not rows.keys() >= {row.sequence_id for row in found}:
        raise InputError(f"resume: {target} is damaged; {START_AFRESH}")
    for row in found:
        rows[row.sequence_id].append(row)
    return [(name, several, True) for name, several in rows.items()]


def _key(one: NamedSequence) -> str:
    return hashlib.blake2b(json.dumps(dataclasses.astuple(one)).encode(), digest_size=16).hexdigest()
