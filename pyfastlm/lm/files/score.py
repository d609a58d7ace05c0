"""The job itself: read, group, score or take over, save, and put the table together."""

import contextlib
import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pyfastlm._require import expect
from pyfastlm.errors import InputError
from pyfastlm.lm.files import plan, table
from pyfastlm.lm.files.engine import Engine, Identity, Local
from pyfastlm.lm.files.inputs import Source, StrPath, resolve
from pyfastlm.lm.files.job import START_AFRESH, Job, locked, refuse_difference
from pyfastlm.lm.files.progress import Callback, Tracker, reporter
from pyfastlm.lm.files.ray_cluster import loaded
from pyfastlm.lm.files.ray_options import RayOptions
from pyfastlm.lm.files.readers import Reader
from pyfastlm.lm.files.report import FilesReport, SourceReport, Totals, bits_per_byte

if TYPE_CHECKING:
    from pyfastlm.lm.scorer import Scorer

EngineName: TypeAlias = Literal["local", "ray"]


def score_files(
    scorer: "Scorer",
    inputs: StrPath | Sequence[StrPath],
    output: StrPath,
    *,
    text_key: str = "text",
    resume: bool = True,
    progress: bool | Callback = False,
    engine: EngineName = "local",
    ray: RayOptions | None = None,
) -> FilesReport:
    """Score every document of ``inputs`` into one Parquet file, in bounded memory; safe against ``kill -9``.

    Inputs are told by their suffix: ``.jsonl``, ``.ndjson``, ``.json`` (one JSON object a line), ``.txt``
    (one document a line), each also ``.gz`` or ``.zst``, and ``.parquet``. The text is what stands under
    ``text_key``; an ``id`` beside it is carried over as a string.

    The table has one row per scored document, in input order: ``source`` (file as given), ``row`` (line,
    or row of a Parquet file, from 1), ``id``, ``logp`` (nats, float64), ``n_tokens``, ``n_bytes`` (UTF-8),
    ``n_windows``, ``bits_per_byte``, ``fingerprint`` (of model and policy). Every other row is listed in
    ``<output stem>.rejected.jsonl`` with ``source``, ``row``, ``reason``: not UTF-8, invalid JSON, key
    missing, no string, empty, lone surrogate, over 64 MiB.

    Work is saved in ``<output>.parts`` part by part; the output appears at the end by one atomic rename,
    and the directory goes. Called again after a crash, the same call reads the inputs once more, compares
    them by hash with what is saved, and scores only the rest; this holds for standard input too if the same
    stream is fed again. The table is the one of an undisturbed run, to the last bit if the number of
    threads is the same. Called again after success, it checks that inputs and settings are those of the
    finished table and scores nothing.

    Args:
        scorer: a :class:`pyfastlm.lm.Scorer`.
        inputs: paths, glob patterns, or ``"-"`` for JSON lines on standard input; one or a sequence.
        output: the Parquet file to write.
        text_key: key of a JSON object, or column of a Parquet file; plain text has none.
        resume: go on with an unfinished job; False starts afresh and replaces an existing output.
        progress: True for a bar on standard error; or a callable that gets a :class:`Progress`.
        engine: ``"local"`` scores in this process, ``"ray"`` on the workers of a Ray cluster; the table is
            the same, and either goes on with what the other began. Inputs and output need be on the machine
            of this process alone; the model is loaded by its name on each worker, once, and has to have the
            same fingerprint there.
        ray: workers and cluster, for ``engine="ray"``.

    Raises:
        InputError: an input is missing, a directory, truncated or damaged; the output exists and is of
            another job; another process works on it; an unfinished job has another model, other inputs
            or settings (the message says which); a worker has another model, or cannot load it.
        OSError: reading or writing failed, e.g. the disk is full. What is scored is kept.
        MissingExtra: pyarrow or Ray is not installed.
        Unavailable: the Ray cluster gives up. What is scored is kept.
    """
    return run(
        chosen(scorer, engine, ray), inputs, output, text_key=text_key, resume=resume, progress=progress
    )


def chosen(scorer: "Scorer", engine: EngineName, ray: RayOptions | None) -> Engine:
    """The engine of a name; same errors as :func:`score_files`."""
    check_engine(engine, ray)
    if engine == "local":
        return Local(scorer)
    from pyfastlm.lm.files.ray_engine import OnRay
    from pyfastlm.lm.files.ray_scorer import maker

    return OnRay(Identity.of(scorer), maker(scorer), ray or RayOptions())


def check_engine(engine: str, ray: RayOptions | None) -> None:
    """Find what is wrong with these two before any work."""
    if engine not in ("local", "ray"):
        raise InputError(f"engine: expected local or ray, got {engine!r}")
    if ray is not None and engine == "local":
        raise InputError("ray: expected none with engine='local'")
    if engine == "ray":
        loaded()


def run(
    engine: Engine,
    inputs: StrPath | Sequence[StrPath],
    output: StrPath,
    *,
    text_key: str = "text",
    resume: bool = True,
    progress: bool | Callback = False,
) -> FilesReport:
    """:func:`score_files` by any engine."""
    started = time.perf_counter()
    sources, target = check(inputs, output)
    if not isinstance(text_key, str) or not text_key:
        raise InputError(f"text_key: expected a name, got {text_key!r}")
    description = _describe(engine.identity, sources, text_key)
    reader = Reader(sources, text_key)
    with locked(target) as job, reporter(progress) as tell:
        finished = None
        if resume and job.continues(description):
            noted = None if job.replaces else table.read_metadata(target)
            if noted is not None:
                refuse_difference(noted["description"], description, f"{target} was made")
        elif resume and (finished := table.read_metadata(target)) is not None:
            refuse_difference(finished["description"], description, f"{target} was made")
        else:
            job.begin(description, replaces=not resume)
        if finished is None:
            finished, taken = _score(engine, job, reader, target, description, tell)
        else:
            _verify(reader, engine.identity.tokens_per_batch, target, finished)
            taken = (finished["documents"], finished["tokens"])
        job.remove()
    return _report(target, finished, taken, time.perf_counter() - started)


def check(inputs: StrPath | Sequence[StrPath], output: StrPath) -> tuple[tuple[Source, ...], Path]:
    """Find what is wrong with the paths before any model is loaded; same errors as :func:`score_files`."""
    sources = resolve(inputs)
    if "\0" in os.fspath(output):
        raise InputError(f"output: expected a path, got {os.fspath(output)!r}")
    target = Path(output)
    if target.is_symlink():
        target = target.resolve()
    if target.is_dir() or not target.name:
        raise InputError(f"output: expected a file name, got the directory {str(output)!r}")
    if target.exists() and not target.is_file():
        raise InputError(f"output: expected a regular file, got {str(output)!r}")
    if not target.parent.is_dir():
        raise InputError(f"output: the directory {str(target.parent)!r} does not exist; create it first")
    if not os.access(target.parent, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise InputError(f"output: no permission to write in the directory {str(target.parent)!r}")
    written = {os.path.realpath(path) for path in (target, table.rejects_path(target))}
    for source in sources:
        if os.path.realpath(source.path) in written:
            raise InputError(f"output: {str(output)!r} would overwrite the input {source.name!r}")
    expect(["pyarrow"], "lm")
    return sources, target


def _describe(identity: Identity, sources: tuple[Source, ...], text_key: str) -> dict[str, Any]:
    """All that decides the table, besides the contents of the inputs; what differs first is named."""
    import pyfastlm

    return {
        "max_length": identity.max_length,
        "tokens_per_batch": identity.tokens_per_batch,
        "fingerprint": identity.fingerprint,
        "text_key": text_key,
        "inputs": [source.name for source in sources],
        "pyfastlm": pyfastlm.__version__,
        "layout": plan.LAYOUT,
    }


def _score(
    engine: Engine,
    job: Job,
    reader: Reader,
    target: Path,
    description: dict[str, Any],
    tell: Callback,
) -> tuple[dict[str, Any], tuple[int, int]]:
    totals = Totals(reader.sources)
    tracker = Tracker(totals, sum(source.size for source in reader.sources))
    names: list[str] = []
    digest = hashlib.blake2b(digest_size=16)
    with contextlib.closing(engine.steps(job, reader)) as steps:
        for place, scores, resumed in steps:
            names.append(place.file)
            digest.update(place.key.encode())
            tell(tracker.update(place.position, totals.add(scores), resumed=resumed))
    metadata = {
        "description": description,
        "digest": digest.hexdigest(),
        "documents": totals.documents,
        "tokens": totals.tokens,
        "sources": [asdict(source) for source in totals.by_source()],
    }
    table.assemble(job, names, reader.sources, target, metadata, totals.rejected)
    return metadata, (tracker.resumed_documents, tracker.resumed_tokens)


def _verify(reader: Reader, tokens_per_batch: int, target: Path, finished: dict[str, Any]) -> None:
    """Refuse a finished table whose inputs have other contents by now."""
    digest = hashlib.blake2b(digest_size=16)
    for part in plan.parts(reader, tokens_per_batch):
        digest.update(part.key().encode())
    if digest.hexdigest() != finished["digest"]:
        raise InputError(f"resume: {target} was made from other contents of the inputs; {START_AFRESH}")


def _report(target: Path, noted: dict[str, Any], taken: tuple[int, int], seconds: float) -> FilesReport:
    sources = tuple(SourceReport(**source) for source in noted["sources"])
    rejected = sum(source.rejected for source in sources)
    size = sum(source.bytes for source in sources)
    logp = sum((source.logp for source in sources), 0.0)
    return FilesReport(
        output=target,
        rejects=table.rejects_path(target) if rejected else None,
        fingerprint=noted["description"]["fingerprint"],
        documents=noted["documents"],
        rejected=rejected,
        tokens=noted["tokens"],
        bytes=size,
        logp=logp,
        bits_per_byte=bits_per_byte(logp, size),
        seconds=seconds,
        resumed_documents=taken[0],
        resumed_tokens=taken[1],
        sources=sources,
    )
