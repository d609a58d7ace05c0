"""The first pass: score and tokens of every page, saved part by part, so that a killed job goes on."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.lm.files import parts
from pyfastlm.lm.files.job import START_AFRESH, Job
from pyfastlm.lm.files.plan import prefix_of
from pyfastlm.selection.filtering.counting import Counter
from pyfastlm.selection.pages import Page

PART_PAGES = 1024
PART_BYTES = 4 << 20
LAYOUT = 1  # rises with every change of the parts


class PageScorer(Protocol):
    """What pages are taken by: :class:`PageFilter`, or another way to select that is compared with it.

    ``reads`` is ``"text"`` or ``"domain"``: what of the pages ``score`` gets. ``fingerprint`` changes with
    everything that decides a score.
    """

    @property
    def reads(self) -> str:
        """What of the pages ``score`` gets."""
        ...

    @property
    def fingerprint(self) -> str:
        """Changes with everything that decides a score."""
        ...

    def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """[n]: the greater, the sooner a page is taken."""
        ...


class Columns(NamedTuple):
    """Places of fields among those of a page; None where nothing is read from one."""

    tokens: int | None
    domain: int | None


class Part(NamedTuple):
    """Pages that follow each other and are scored and saved together."""

    number: int
    pages: list[Page]

    def name(self) -> str:
        """Name of the part's file: its number, and a hash over all that its scores depend on."""
        digest = hashlib.blake2b(digest_size=16)
        for page in self.pages:
            for field in (page.source, page.row, page.id, page.reason, page.fields, page.text):
                data = b"" if field is None else str(field).encode("utf-8", "backslashreplace")
                digest.update(b"%d:" % (-1 if field is None else len(data)))
                digest.update(data)
        return f"{self.number:08}-{digest.hexdigest()}{parts.SUFFIX}"


class Scored(NamedTuple):
    """Of n pages in their order: ``scores`` [n] float64, NaN for rejected ones, and ``tokens`` [n] int64.

    ``resumed`` pages were taken over from an earlier run; ``digest`` is of all pages.
    """

    scores: NDArray[np.float64]
    tokens: NDArray[np.int64]
    resumed: int
    digest: str


def grouped(pages: Iterable[Page]) -> Iterator[Part]:
    """Parts in the order of the pages, cut after so many of them or so many bytes."""
    number, held, size = 0, list[Page](), 0
    for page in pages:
        held.append(page)
        size += page.n_bytes
        if len(held) >= PART_PAGES or size >= PART_BYTES:
            yield Part(number, held)
            number, held, size = number + 1, [], 0
    if held:
        yield Part(number, held)


class Digest:
    """A hash over all pages, part by part."""

    def __init__(self) -> None:
        self._digest = hashlib.blake2b(digest_size=16)
        self.pages = 0

    def add(self, part: Part) -> str:
        """Take in ``part``; returns its name."""
        name = part.name()
        self._digest.update(name.encode())
        self.pages += len(part.pages)
        return name

    def text(self) -> str:
        """32 hexadecimal digits."""
        return self._digest.hexdigest()


def digest_of(groups: Iterable[Part]) -> str:
    """The :class:`Digest` of all parts."""
    digest = Digest()
    for part in groups:
        digest.add(part)
    return digest.text()


def score(
    groups: Iterable[Part], scorer: PageScorer, counter: Counter | None, columns: Columns, job: Job
) -> Scored:
    """Score the pages, or take over what ``job`` has of them; ``counter`` None reads a field.

    Raises:
        InputError: what ``job`` has is of other pages.
        OSError: a part cannot be saved. What is saved is kept.
    """
    saved = {prefix_of(name): name for name in job.part_names()}
    scores, tokens = [np.empty(0)], [np.empty(0, np.int64)]
    digest, resumed = Digest(), 0
    for part in groups:
        name = digest.add(part)
        found = saved.pop(prefix_of(name), None)
        if found not in (None, name):
            _refuse(job)
        table = _load(job.directory / name, len(part.pages)) if found else None
        if table is None:
            table = _score(part.pages, scorer, counter, columns)
            parts.save(_arrow(*table), job.directory / name)
        else:
            resumed += len(part.pages)
        scores.append(table[0])
        tokens.append(table[1])
    if saved:
        _refuse(job)
    return Scored(np.concatenate(scores), np.concatenate(tokens), resumed, digest.text())


def reason(page: Page, score: float, columns: Columns) -> str | None:
    """Why a page is rejected; None where it is not."""
    if page.text is None:
        return page.reason
    if not np.isnan(score):
        return None
    if columns.tokens is not None and not _is_count(count := page.fields[columns.tokens]):
        return f"expected a whole number of tokens above 0, got {count!r}"
    if columns.domain is not None and not isinstance(domain := page.fields[columns.domain], str):
        return f"expected the name of a domain, got {domain!r}"
    return "no token, or no score"


def _score(
    pages: list[Page], scorer: PageScorer, counter: Counter | None, columns: Columns
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    scores, tokens = np.full(len(pages), np.nan), np.zeros(len(pages), np.int64)
    usable = np.array([page.text is not None for page in pages], bool)
    if columns.tokens is not None:
        usable &= [_is_count(page.fields[columns.tokens]) for page in pages]
    if columns.domain is not None:
        usable &= [isinstance(page.fields[columns.domain], str) for page in pages]
    kept = [page for page, use in zip(pages, usable, strict=True) if use]
    texts = [page.text or "" for page in kept]
    if counter is not None:
        tokens[usable] = counter.count(texts)
    else:
        tokens[usable] = [page.fields[columns.tokens or 0] for page in kept]
    read = texts if scorer.reads == "text" else [page.fields[columns.domain or 0] for page in kept]
    found = np.asarray(scorer.score(read), np.float64)
    if found.shape != (len(read),):
        raise InputError(f"filter: expected [{len(read)}] scores, got shape {list(found.shape)}")
    scores[usable] = found
    scores[(tokens == 0) | ~np.isfinite(scores)] = np.nan
    tokens[np.isnan(scores)] = 0
    return scores, tokens


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 40


def _schema() -> Any:
    pa = require("pyarrow", "selection")
    return pa.schema([pa.field("score", pa.float64()), pa.field("tokens", pa.int64())])


def _arrow(scores: NDArray[np.float64], tokens: NDArray[np.int64]) -> Any:
    pa = require("pyarrow", "selection")
    # From their buffers: where it is installed, pyarrow would import pandas to look at an array of numpy.
    columns = [
        pa.Array.from_buffers(field.type, len(values), [None, pa.py_buffer(values)])
        for field, values in zip(_schema(), (scores, tokens), strict=True)
    ]
    return pa.table(columns, schema=_schema())


def _load(path: Path, pages: int) -> tuple[NDArray[np.float64], NDArray[np.int64]] | None:
    """A saved part; None where it is damaged, and thus to be scored again."""
    pa, pq = require("pyarrow", "selection"), require("pyarrow.parquet", "selection")
    try:
        table = pq.read_table(
            pa.BufferReader(path.read_bytes()), page_checksum_verification=True, use_threads=False
        )
    except (pa.ArrowException, OSError):
        return None
    if not table.schema.equals(_schema()) or len(table) != pages or any(c.null_count for c in table.columns):
        return None
    return table["score"].to_numpy(), table["tokens"].to_numpy()


def _refuse(job: Job) -> None:
    raise InputError(
        f"resume: {job.directory} holds an unfinished job with other contents of the inputs; "
        f"restore them, or {START_AFRESH}"
    )
