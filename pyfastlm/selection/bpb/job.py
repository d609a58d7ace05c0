"""Score files with many models and put the bits per byte of their domains into one matrix."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from pyfastlm._require import require
from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.lm.files import RayOptions
from pyfastlm.lm.files import check as check_paths
from pyfastlm.lm.files.inputs import StrPath
from pyfastlm.lm.files.score import EngineName, check_engine
from pyfastlm.selection.bpb import rules
from pyfastlm.selection.bpb.assembly import Assembled, assemble
from pyfastlm.selection.bpb.catalogue import Catalogue
from pyfastlm.selection.bpb.entries import Entry
from pyfastlm.selection.bpb.models import Models, resolve_models
from pyfastlm.selection.bpb.report import MatrixReport, MissingScore, MissingScores, missing_scores
from pyfastlm.selection.bpb.scoring import score_all
from pyfastlm.selection.bpb.sums import per_domain
from pyfastlm.selection.bpb.tables import Tables
from pyfastlm.selection.matrix import METADATA_KEY, SIZES

TOKENS_PER_BATCH = 1024  # that of a Scorer


def bpb_matrix(
    models: Models,
    inputs: StrPath | Sequence[StrPath],
    output: StrPath,
    *,
    text_key: str = "text",
    domain_key: str = "domain",
    missing: rules.Missing = "raise",
    duplicates: rules.Duplicates = "raise",
    resume: bool = True,
    tokens_per_batch: int | None = None,
    max_length: int | None = None,
    progress: bool = False,
    engine: EngineName = "local",
    ray: RayOptions | None = None,
) -> MatrixReport:
    """Score every document with every model; the matrix has all bits over all bytes of each domain.

    One model is in memory at a time. Its scores go to ``<output>.models`` part by part, safe against
    ``kill -9`` (see :func:`pyfastlm.lm.files.score_files`), and stay there: the same call with more models
    scores only these, and with another rule none. Where several processes or machines share the directory,
    the same call in each divides the models among them. The matrix appears at the end by one atomic rename.
    It is the same to the last bit however often the job was killed, if the number of threads is the same.

    A number of the matrix is a sum over documents that *all* its models have scored. Scores are put to
    documents by source and row, and refused where these or the length of a text do not fit; all tables are
    of the same texts, by hash.

    Args:
        models: names that :func:`pyfastlm.lm.load` takes, or :class:`Model`, in a sequence; or a file with
            a model a line, ``name`` or ``name family``, or a ``.jsonl`` or ``.csv`` with the fields name,
            family, path, revision and dtype.
        inputs: ``.jsonl`` (also ``.gz``, ``.zst``) or ``.parquet`` files, or globs, as :func:`sample` makes.
        output: the Parquet file to write, see :class:`BpbMatrix`. Its domains are sorted by name, its models
            are in the order of the list.
        text_key, domain_key: keys of JSON objects, or columns.
        missing: what to do where a model has no score for a document: its tokenizer or the model fails on
            it or finds no token in it, or the score is no finite number. ``"raise"``; ``"drop_model"``;
            ``"drop_document"`` or ``"drop_domain"``, for all models. Rows without a text or a domain are an
            error too, else left out; models that cannot be loaded, or fail altogether, likewise.
        duplicates: what to do with a model that has the fingerprint of an earlier one (it is not scored
            again), or the same numbers in all domains (to 1e-6): ``"raise"``; ``"family"`` keeps both and
            makes their families one, so that no fold and no bootstrap sample divides them; ``"drop"`` keeps
            the earlier.
        resume: False scores all listed models afresh.
        tokens_per_batch: tokens that go through a model at once; default 2,048.
        max_length: tokens of a window, for all models; by default the context of each.
        progress: show the models and a bar on standard error.
        engine: ``"local"``, or ``"ray"``: the parts of each model, one model after the other, are scored on
            the workers of a Ray cluster; see :func:`pyfastlm.lm.files.score_files`. A scorer of your own is
            sent to them, a function that makes it is called there.
        ray: workers and cluster, for ``engine="ray"``.

    Raises:
        InputError: an argument, an input or a line of the list is wrong; something is missing or double and
            the rule is ``"raise"``; nothing is left; saved scores are of other inputs or settings. What is
            scored is kept.
        OSError: reading or writing failed, e.g. the disk is full. What is scored is kept.
        MissingExtra: a package that is needed is not installed.
        Unavailable: the Ray cluster gives up. What is scored is kept.
    """
    started = time.perf_counter()
    rules.check(missing, duplicates)
    check_engine(engine, ray)
    budget = _positive("tokens_per_batch", tokens_per_batch) or TOKENS_PER_BATCH
    length = _positive("max_length", max_length)
    entries = [Entry(model, model.family) for model in resolve_models(models)]
    if taken := [entry.name for entry in entries if entry.name in ("domain", *SIZES)]:
        raise InputError(f"models: {taken[0]!r} is the name of another column of the matrix; rename it")
    sources, target = check_paths(inputs, output)
    _refuse_strangers(target)
    catalogue = Catalogue(sources, text_key, domain_key)
    with missing_scores(target.with_name(target.stem + ".missing.jsonl")) as absent:
        _read(catalogue, budget, missing, absent)
        useless = absent.count
        tables = Tables(
            target.with_name(target.name + ".models"), catalogue, text_key, length, budget,
            (ray or RayOptions()) if engine == "ray" else None,
        )  # fmt: skip
        if not resume:
            for entry in entries:
                with tables.locked(entry.model, wait=True):
                    tables.forget(entry.model)
        with tables:
            score_all(entries, tables, missing, duplicates, progress=progress)
        with tables.locked(None, wait=True):
            made = assemble(entries, tables, catalogue, missing, duplicates, absent.add)
            made.matrix.save(target)
            report = MatrixReport(
                output=target,
                report=target.with_name(target.stem + ".report.json"),
                missing_scores=absent.keep(),
                models=made.models,
                domains=len(made.matrix.domains),
                documents=int(made.matrix.documents.sum()),
                tokens=int(made.matrix.tokens.sum()),
                bytes=int(made.matrix.bytes.sum()),
                rows=len(catalogue.domain),
                useless=useless,
                dropped=int(((catalogue.domain >= 0) & ~made.chosen).sum()),
                dropped_domains=tuple(sorted(set(catalogue.domains) - set(made.matrix.domains))),
                shrunk_domains=_shrunk(catalogue, made),
                examples=tuple(absent.examples),
                missing=missing,
                duplicates=duplicates,
                seconds=time.perf_counter() - started,
            )
            report.save()
    return report


def _read(catalogue: Catalogue, budget: int, missing: rules.Missing, absent: MissingScores) -> None:
    for row in catalogue.read(budget):
        if missing == "raise":
            raise InputError(
                f"inputs: {row.source!r}, row {row.row:,}: {row.reason}; correct it, or leave such rows out "
                "with missing='drop_document', or any other rule"
            )
        absent.add(MissingScore(row.source, row.row, row.domain, None, row.reason))
    if not (catalogue.domain >= 0).any():
        raise InputError("inputs: no row has a text and a domain")


def _shrunk(catalogue: Catalogue, made: Assembled) -> int:
    before, after = (per_domain(catalogue, which) for which in (catalogue.domain >= 0, made.chosen))
    return int(((after > 0) & (after < before)).sum())


def _refuse_strangers(target: Path) -> None:
    """An output is replaced only if it is a matrix, or empty."""
    if target.suffix != ".parquet":
        raise InputError(f"output: expected a name ending in .parquet, got {os.fspath(target)!r}")
    pa, pq = require("pyarrow", "selection"), require("pyarrow.parquet", "selection")
    if not target.exists() or target.stat().st_size == 0:
        return
    try:
        known = METADATA_KEY in (pq.read_schema(target).metadata or {})
    except (pa.ArrowException, OSError):
        known = False
    if not known:
        raise InputError(f"output: {os.fspath(target)!r} exists and is no matrix; remove or rename it")


def _positive(name: str, value: int | None) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputTypeError(f"{name}: expected a whole number, got {value!r}")
    if value < 1:
        raise InputError(f"{name}: expected a whole number >= 1, got {value}")
    return value
