"""Sample a corpus by domain: as many pages of each, cut into chunks, for many models to score."""

import hashlib
import itertools
import os
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfastlm._durable import replacing
from pyfastlm._require import require
from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.lm.files import check as check_paths
from pyfastlm.lm.files.inputs import StrPath
from pyfastlm.lm.progress import watched
from pyfastlm.selection.chunking import Chunk, Chunker
from pyfastlm.selection.page_choice import Choice
from pyfastlm.selection.page_files import Record, check_suffix, writing
from pyfastlm.selection.pages import Page, Pages

MOST_EXAMPLES = 20


@dataclass(frozen=True, slots=True)
class UselessRow:
    """A row without a text or a domain, and why."""

    source: str
    row: int
    reason: str


@dataclass(frozen=True, slots=True)
class SampleReport:
    """What was read and taken.

    Attributes:
        output: the sample, a chunk a row.
        sizes: ``<output up to its first dot>.domains.parquet``, a row for each domain of the corpus:
            ``domain``, its ``pages`` and ``bytes`` (of equal pages each counts), how many are ``taken``.
        rows: of the inputs; ``useless`` of them have no text or no domain, and ``examples`` are the first.
        domains, pages, chunks, bytes, tokens: what is in the sample; ``tokens`` is None without a tokenizer.
        small_domains: domains of the corpus that have too few pages.
        seconds: wall time.
    """

    output: Path
    sizes: Path
    rows: int
    useless: int
    examples: tuple[UselessRow, ...]
    domains: int
    small_domains: int
    pages: int
    chunks: int
    bytes: int
    tokens: int | None
    seconds: float


def sample(
    inputs: StrPath | Sequence[StrPath],
    output: StrPath,
    *,
    text_key: str = "text",
    domain_key: str = "domain",
    id_key: str = "id",
    pages: int | None = 25,
    least: int | None = None,
    chunk: int | None = None,
    tokenizer: Any = None,
    seed: int = 0,
    progress: bool = False,
) -> SampleReport:
    """Take ``pages`` pages at random of each domain that has so many, and cut them into chunks.

    The inputs are read twice. Which pages are taken depends on ``seed`` and on the texts, not on the order of
    the files or their rows; equal texts of a domain are one page. The pages are written in the order of the
    inputs, with the fields ``text``, ``id`` (of the page; a hash of it if it has none), ``chunk`` (from 0),
    ``domain`` and ``tokens`` (None without a tokenizer). In memory are 32 bytes for each page that may be
    taken, at most ``pages`` of each domain (or a million in all), and the names of the domains.

    Args:
        inputs: ``.jsonl`` (also ``.gz``, ``.zst``) or ``.parquet`` files, or globs.
        output: file to write, of the same formats; replaced at the end by one atomic rename.
        text_key, domain_key, id_key: keys of JSON objects, or columns; only the id may be absent.
        pages: of each domain; None for all, which with ``chunk`` only cuts.
        least: pages that a domain must have; default ``pages``, or 1 where that is None. With less than
            ``pages``, a domain may bring fewer.
        chunk: tokens of a chunk, or characters without ``tokenizer``; default whole pages.
        tokenizer: see :func:`pyfastlm.selection.chunk`; without ``chunk`` it only counts.
        seed: another one takes other pages.
        progress: show how far it is on standard error.

    Raises:
        InputError: an argument is wrong; an input is missing, damaged or changes meanwhile; no domain has
            enough pages.
        OSError: reading or writing failed.
    """
    started = time.perf_counter()
    for name, value in (("pages", pages), ("least", least), ("chunk", chunk)):
        _check(name, value)
    if isinstance(seed, bool) or not isinstance(seed, int) or not -(1 << 63) <= seed < 1 << 63:
        raise InputError(f"seed: expected a whole number of 64 bits, got {seed!r}")
    sources, target = check_paths(inputs, output)
    check_suffix(target)
    cut = Chunker(chunk or sys.maxsize, tokenizer)
    stream = Pages(sources, text_key, domain_key, id_key)
    least = least or pages or 1
    choice = Choice(None if pages is None else max(pages, least), seed)
    rows, useless = 0, 0
    examples: list[UselessRow] = []
    for page in watched(stream, None, "pages read", progress):
        rows += 1
        if page.reason:
            useless += 1
            if len(examples) < MOST_EXAMPLES:
                examples.append(UselessRow(sources[page.source].name, page.row, page.reason))
        else:
            choice.add(page.domain, page.text, page.id, page.source, page.row)
    taken = choice.taken(pages, least)
    counts = np.bincount(taken["domain"], minlength=len(choice.names))
    if not len(taken):
        raise InputError(_nothing(choice, least, rows))
    chunks = size = tokens = 0
    by_source = [taken["row"][taken["source"] == number] for number in range(len(sources))]
    chosen = (page for number, wanted in enumerate(by_source) for page in stream.of(number, wanted))
    with writing(target) as write:
        pages_again = watched(chosen, len(taken), "pages written", progress)
        for page, noted in itertools.zip_longest(pages_again, taken):
            if noted is None or page is None or choice.hash(page.domain, page.text) != noted["hash"]:
                raise InputError(f"inputs: {sources[page.source if page else -1].name!r} changed meanwhile")
            for number, piece in enumerate(_pieces(cut, page.text, chunk is None)):
                write(Record(piece.text, _id(page), number, page.domain, piece.tokens))
                chunks, size = chunks + 1, size + len(piece.text.encode())
                tokens += piece.tokens or 0
    return SampleReport(
        output=target,
        sizes=_write_sizes(target, choice, counts),
        rows=rows,
        useless=useless,
        examples=tuple(examples),
        domains=int((counts > 0).sum()),
        small_domains=int((counts == 0).sum()),
        pages=len(taken),
        chunks=chunks,
        bytes=size,
        tokens=None if tokenizer is None else tokens,
        seconds=time.perf_counter() - started,
    )


def _pieces(cut: Chunker, text: str, whole: bool) -> Iterable[Chunk]:
    pieces = cut(text)
    if not whole:
        return pieces
    counts = [piece.tokens for piece in pieces]
    return [Chunk(text, None if None in counts else sum(count or 0 for count in counts))]


def _id(page: Page) -> str:
    if page.id is not None:
        return page.id
    return hashlib.blake2b(f"{page.domain}\0{page.text}".encode(), digest_size=16).hexdigest()


def _write_sizes(target: Path, choice: Choice, taken: NDArray[np.int64]) -> Path:
    pa, pq = require("pyarrow", "selection"), require("pyarrow.parquet", "selection")
    names = list(choice.names)
    order = np.array(sorted(range(len(names)), key=names.__getitem__))
    columns = {
        "domain": pa.array([names[number] for number in order], pa.string()),
        "pages": np.frombuffer(choice.pages, np.int64)[order],
        "bytes": np.frombuffer(choice.bytes, np.int64)[order],
        "taken": taken[order],
    }
    path = target.with_name(target.name.partition(".")[0] + ".domains.parquet")
    with replacing(path, path.with_name(f".{path.name}.{os.getpid()}")) as file:
        pq.write_table(pa.table(columns), file, compression="zstd", write_page_checksum=True)
    return path


def _nothing(choice: Choice, least: int, rows: int) -> str:
    if not choice.names:
        return f"inputs: none of {rows:,} rows has a text and a domain"
    largest = max(choice.names, key=lambda name: choice.pages[choice.names[name]])
    return (
        f"pages: no domain has {least:,} different pages; {largest!r} has most rows, "
        f"{choice.pages[choice.names[largest]]:,}"
    )


def _check(name: str, value: int | None) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputTypeError(f"{name}: expected a whole number, got {value!r}")
    if value < 1:
        raise InputError(f"{name}: expected a whole number >= 1, got {value}")
