"""Learn a filter of pages from a selection of domains."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pyfastlm._require import expect
from pyfastlm._threads import num_threads
from pyfastlm.errors import InputError
from pyfastlm.lm.files.inputs import StrPath
from pyfastlm.lm.progress import watched
from pyfastlm.selection.filtering import fast_text, hashed, split
from pyfastlm.selection.filtering.calibration import calibrate
from pyfastlm.selection.filtering.drawing import draw
from pyfastlm.selection.filtering.evaluation import evaluate
from pyfastlm.selection.filtering.fast_text import FastTextOptions
from pyfastlm.selection.filtering.filter_report import DomainScore, FilterReport
from pyfastlm.selection.filtering.hashed import HashedOptions
from pyfastlm.selection.filtering.joining import Rows
from pyfastlm.selection.filtering.labels import labels_of
from pyfastlm.selection.filtering.page_filter import PageFilter, refuse_others
from pyfastlm.selection.pages import sources_of

Kind = Literal["fasttext", "hashed"]
OPTIONS: dict[str, type[FastTextOptions] | type[HashedOptions]] = {
    fast_text.KIND: FastTextOptions,
    hashed.KIND: HashedOptions,
}


def train_filter(
    pages: StrPath | Sequence[StrPath],
    output: StrPath | None = None,
    *,
    labels: Any,
    kind: Kind = "fasttext",
    options: FastTextOptions | HashedOptions | None = None,
    text_key: str = "text",
    domain_key: str = "domain",
    page_key: str | None = "id",
    valid: float = 0.05,
    valid_domains: float | None = None,
    seed: int = 0,
    threads: int = 1,
    progress: bool = False,
) -> PageFilter:
    """Learn to tell pages of included from pages of excluded domains.

    Every page becomes one line of words (white space of every kind is one space), in training as in scoring.
    Pages are brought into an order that only their texts and the seed decide, on disk, so that memory does
    not grow with them. Of equal texts one is used; a text of both included and excluded domains is not.

    The split leaks nothing: some domains are held out whole; of the pages of the others some are tested on,
    and as many calibrate. All rows of a page are on one side. The calibration is Platt's: a logistic curve
    from margins to probabilities, which keeps their order.

    Args:
        pages: files of ``.jsonl`` (also ``.gz``, ``.zst``) or ``.parquet``; globs are expanded.
        output: file for :meth:`PageFilter.save`; None keeps the filter in memory only.
        labels: domain -> included: a mapping, a selection, or a file (see
            :func:`pyfastlm.selection.filtering.labels.labels_of`). Pages of other domains are left out.
        kind: ``"fasttext"``, as in the paper, or ``"hashed"``, a linear model that is small and fast.
        options: of that kind.
        text_key, domain_key: fields of text and domain.
        page_key: a field that the rows of one page share, where pages lie in the files in pieces: rows that
            follow each other are put together. By default their ``id``, if they have one; None: each row is
            a page.
        valid: part of the pages to test on, and part to calibrate on; above 0 and below 0.5.
        valid_domains: part of the domains of each label to hold out, at least one where there are four;
            by default as ``valid``; 0 for none.
        seed: of order, split, hashes and training, a whole number.
        threads: of fastText; above 1 its results differ from run to run.
        progress: count rows on standard error.

    Raises:
        InputError: an argument is wrong, a file cannot be read, or a side of the split lacks a label.
        MissingExtra: the extra ``selection`` is not installed.
        OSError: no room for the pages in the directory of ``output`` (without one: of temporary files).
    """
    started = time.perf_counter()
    chosen = _options(kind, options)
    part = valid if valid_domains is None else valid_domains
    _check(valid, part, seed)
    num_threads(threads)
    wanted = labels_of(labels)
    if output is not None:
        refuse_others(Path(output))
    rows = Rows(sources_of(pages), wanted, text_key, domain_key, page_key)
    place = None if output is None else Path(output).parent
    with tempfile.TemporaryDirectory(prefix=".filter-", dir=place) as directory:
        room = Path(directory)
        drawn = draw(watched(rows, None, "reading", progress), room, seed)
        included = [wanted[name] for name in drawn.domains]
        foreign = split.held_out(drawn, included, part, seed)
        train, rest = room / "train.txt", room / "rest"
        learned = split.split(drawn, included, foreign, valid, train, rest)
        begun = time.perf_counter()
        model: hashed.HashedModel | fast_text.FastTextModel
        if isinstance(chosen, HashedOptions):
            model = hashed.fit(train, chosen, seed)
        else:
            model = fast_text.fit(train, chosen, seed, threads)
        train_seconds = time.perf_counter() - begun
        held = split.margins(model, rest)
    labelled = np.array(included)[held.domains]
    side = held.sides == split.CALIBRATE
    curve = calibrate(held.margins[side], labelled[side])
    probability = curve(held.margins)
    tests, others = held.sides == split.TEST, held.sides == split.DOMAIN
    by_domain = []
    for domain in sorted(foreign, key=lambda number: drawn.domains[number]):
        own = probability[held.domains == domain]
        mean = float(own.mean()) if len(own) else float("nan")
        by_domain.append(DomainScore(drawn.domains[domain], included[domain], len(own), mean))
    report = FilterReport(
        kind=kind,
        seed=seed,
        domains=len(drawn.domains),
        included_domains=sum(included),
        rows=rows.rows,
        rejected=rows.rejected,
        unlabelled=rows.unlabelled,
        pages=sum(drawn.pages),
        duplicates=drawn.duplicates,
        conflicts=drawn.conflicts,
        trained=sum(learned),
        trained_included=learned[True],
        calibrated=int(side.sum()),
        held_out_pages=evaluate(labelled[tests], probability[tests]),
        held_out_domains=evaluate(labelled[others], probability[others]) if others.any() else None,
        by_domain=tuple(by_domain),
        train_seconds=train_seconds,
        seconds=time.perf_counter() - started,
    )
    found = PageFilter(model, curve, report)
    if output is not None:
        found.save(output)
    return found


def _options(kind: str, options: Any) -> FastTextOptions | HashedOptions:
    if kind not in OPTIONS:
        raise InputError(f"kind: expected one of {', '.join(OPTIONS)}, got {kind!r}")
    expect(["fasttext" if kind == fast_text.KIND else "sklearn"], "selection")
    if options is None:
        return OPTIONS[kind]()
    if not isinstance(options, OPTIONS[kind]):
        raise InputError(
            f"options: expected {OPTIONS[kind].__name__} for the kind {kind!r}, got {type(options).__name__}"
        )
    return options


def _check(valid: float, part: float, seed: int) -> None:
    if not (isinstance(valid, int | float) and 0 < valid < 0.5):
        raise InputError(f"valid: expected a part above 0 and below 0.5, got {valid!r}")
    if not (isinstance(part, int | float) and 0 <= part < 1):
        raise InputError(f"valid_domains: expected a part from 0 to below 1, got {part!r}")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 1 << 31:
        raise InputError(f"seed: expected a whole number from 0 to 2^31 - 1, got {seed!r}")
