"""Take pages of a corpus by their scores until a budget of tokens is met."""

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pyfastlm._durable import fsync_directory, replacing
from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.lm.files.inputs import Source, StrPath
from pyfastlm.lm.files.job import START_AFRESH, TEMPORARY, Job, locked, refuse_difference
from pyfastlm.lm.files.score import check
from pyfastlm.lm.files.table import rejects_path
from pyfastlm.lm.progress import watched
from pyfastlm.selection.filtering import finished, scored, writing
from pyfastlm.selection.filtering.applied_report import AppliedReport
from pyfastlm.selection.filtering.choice import Choice, budget_of, choose
from pyfastlm.selection.filtering.counting import Counter, counter
from pyfastlm.selection.filtering.page_filter import PageFilter
from pyfastlm.selection.filtering.scored import Columns, PageScorer
from pyfastlm.selection.filtering.taking import Corpus, Taking
from pyfastlm.selection.pages import Pages, sources_of


def apply_filter(
    filter: "PageScorer | StrPath",
    inputs: StrPath | Sequence[StrPath],
    output: StrPath,
    *,
    budget: int | None = None,
    keep: float | None = None,
    count: Any = "bytes",
    count_key: str | None = None,
    cut: bool = True,
    text_key: str = "text",
    domain_key: str | None = None,
    resume: bool = True,
    progress: bool = False,
) -> AppliedReport:
    """Score every page, and write those of highest score, exactly ``budget`` tokens of them.

    Pages are taken whole by falling score, of equal scores the first in the inputs, until the next one
    would exceed the budget. What is then left is filled by one page cut to exactly as many tokens: the next
    one, or if it has no beginning with so many tokens (its characters or tokens do not end there) the next
    but one, and so on, 16 at the most. With ``cut=False`` no page is cut, and less than a page is missing.

    The inputs are read twice; memory has some 50 bytes for each page, never the texts. The output has the
    pages in the order of the inputs, the one that was cut last: ``id``, ``text``, ``score``, ``tokens``
    (taken of it), ``source``, ``row`` (line, or row of a Parquet file, from 1), and with a ``domain_key``
    ``domain``. The report is beside it in ``<name>.report.json``, and rows that cannot be scored are listed
    in ``<stem>.rejected.jsonl``.

    Scores are saved in ``<output>.parts`` part by part, and the output appears by one atomic rename: killed
    at any moment, the same call goes on and gives the same bytes, or with another budget those of that
    budget. Called again after success, it checks inputs and settings and scores nothing.

    Args:
        filter: a :class:`PageFilter`, its file, or another way to score that is to be compared:
            :class:`Dsir`, :class:`RandomPages`, :class:`DomainScores`.
        inputs: files of ``.jsonl``, ``.txt`` (also ``.gz``, ``.zst``) or ``.parquet``; globs are expanded.
        output: a name ending in ``.jsonl``, ``.jsonl.gz``, ``.jsonl.zst`` or ``.parquet``.
        budget: tokens to take; or
        keep: the part of all tokens to take, above 0 and up to 1.
        count: what a token is: ``"bytes"`` of UTF-8, or those of a fast tokenizer of transformers: a name, a
            directory, ``"smollm2"``, or the object. Special tokens are not counted.
        count_key: take the tokens of a page from this field instead. Needs ``cut=False``: the numbers do not
            say where tokens end.
        cut: fill the budget to the token.
        text_key, domain_key: fields of text and domain.
        resume: go on with an unfinished job; False starts afresh and replaces an existing output.
        progress: count pages on standard error.

    Raises:
        InputError: an argument is wrong, a file cannot be read, there are fewer tokens than the budget, or
            the output or an unfinished job is of other inputs or settings (the message says which).
        OSError: reading or writing failed, e.g. the disk is full. What is scored is kept.
        MissingExtra: the extra ``selection`` is not installed.
    """
    started = time.perf_counter()
    sources_of(inputs)  # refuses standard input
    sources, target = check(inputs, output)
    writing.suffix_of(target)  # refuses a name of no known format
    finished.refuse_inputs(target, sources)
    _check(budget, keep, count_key, cut)
    scorer = _scorer(filter, domain_key)
    how = None if count_key is not None else counter(count)
    given = {"count_key": count_key, "domain_key": domain_key}
    keys = {argument: key for argument, key in given.items() if key is not None}
    columns = Columns(None if count_key is None else 0, None if domain_key is None else len(keys) - 1)
    pages = Pages(sources, text_key, keys)
    description = _describe(scorer, sources, text_key, domain_key, count_key, how)
    whole = description | {"budget": budget, "keep": keep, "cut": cut}
    with locked(target) as job:
        if resume and job.continues(description):
            if not job.replaces:
                finished.read(target)  # refuses what is no output of such a job
        elif resume and (noted := finished.read(target)) is not None:
            refuse_difference(noted["description"], whole, f"{target} was made")
            groups = scored.grouped(watched(pages, None, "checking", progress))
            if scored.digest_of(groups) != noted["digest"]:
                raise InputError(
                    f"resume: {target} was made from other contents of the inputs; {START_AFRESH}"
                )
            job.remove()
            report = AppliedReport.from_dict(noted["report"], target)
            everything = report.pages + report.rejected
            return replace(report, resumed=everything, seconds=time.perf_counter() - started)
        else:
            job.begin(description, replaces=not resume)
        groups = scored.grouped(watched(pages, None, "scoring", progress))
        found = scored.score(groups, scorer, how, columns, job)
        wanted = budget_of(found.tokens, budget, keep)
        choice = choose(found.scores, found.tokens, wanted)
        corpus = Corpus(pages, found, columns, how if cut else None)
        report = _write(job, corpus, choice, target, whole, wanted, started)
        job.remove()
    return report


def _write(
    job: Job,
    corpus: Corpus,
    choice: Choice,
    target: Path,
    description: dict[str, Any],
    budget: int,
    started: float,
) -> AppliedReport:
    """The list of rejected rows, the report, and then the output, each by one atomic rename."""
    rejects = rejects_path(target)
    with replacing(target, job.directory / f"output{TEMPORARY}") as file:
        with replacing(rejects, job.directory / f"rejected{TEMPORARY}") as other:
            taking = Taking(corpus, choice, other)
            has_domains = corpus.columns.domain is not None
            writing.write(file, iter(taking), writing.suffix_of(target), domains=has_domains)
        if not taking.rejected:
            rejects.unlink()
            fsync_directory(rejects.parent)
        report = AppliedReport(
            output=target,
            rejects=rejects if taking.rejected else None,
            fingerprint=description["fingerprint"],
            count=description["count"],
            budget=budget,
            pages=len(corpus.found.scores) - taking.rejected,
            rejected=taking.rejected,
            tokens=int(corpus.found.tokens.sum()),
            taken_pages=taking.pages,
            taken_tokens=taking.tokens,
            missing=budget - taking.tokens,
            lowest=choice.lowest,
            cut=taking.cut,
            domains=taking.shares,
            resumed=corpus.found.resumed,
            seconds=time.perf_counter() - started,
        )
        finished.write(target, job.directory / f"report{TEMPORARY}", description, corpus.found.digest, report)
    return report


def _scorer(filter: "PageScorer | StrPath", domain_key: str | None) -> PageScorer:
    scorer = PageFilter.open(filter) if isinstance(filter, str | os.PathLike) else filter
    if not all(hasattr(scorer, name) for name in ("score", "fingerprint", "reads")):
        raise InputTypeError(f"filter: expected a filter or its file, got {type(filter).__name__}")
    if scorer.reads == "domain" and domain_key is None:
        raise InputError("domain_key: this filter scores domains; give the field that has them")
    return scorer


def _check(budget: int | None, keep: float | None, count_key: str | None, cut: bool) -> None:
    if (budget is None) == (keep is None):
        raise InputError("budget: expected budget or keep, one of the two")
    if budget is not None and (isinstance(budget, bool) or not isinstance(budget, int) or budget < 1):
        raise InputError(f"budget: expected a whole number of tokens, 1 or more, got {budget!r}")
    if keep is not None and not (isinstance(keep, int | float) and 0 < keep <= 1):
        raise InputError(f"keep: expected a part above 0 and up to 1, got {keep!r}")
    if cut and count_key is not None:
        raise InputError("cut: the numbers in a field do not say where tokens end; give cut=False (--no-cut)")


def _describe(
    scorer: PageScorer,
    sources: tuple[Source, ...],
    text_key: str,
    domain_key: str | None,
    count_key: str | None,
    how: Counter | None,
) -> dict[str, Any]:
    """All that decides the scores, besides the contents of the inputs; what differs first is named."""
    import pyfastlm

    return {
        "fingerprint": scorer.fingerprint,
        "count": f"field {count_key}" if how is None else how.name,
        "text_key": text_key,
        "domain_key": domain_key,
        "inputs": [source.name for source in sources],
        "pyfastlm": pyfastlm.__version__,
        "layout": scored.LAYOUT,
    }
