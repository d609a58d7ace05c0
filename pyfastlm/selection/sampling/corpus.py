"""Sample a corpus by domain: as many pages of each, cut into chunks, for many models to score."""

import hashlib
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.lm.files import check as check_paths
from pyfastlm.lm.files.inputs import StrPath
from pyfastlm.lm.progress import watched
from pyfastlm.selection.sampling.chunking import Chunk, Chunker
from pyfastlm.selection.sampling.domain_pages import DomainPage, DomainPages
from pyfastlm.selection.sampling.page_choice import Choice
from pyfastlm.selection.sampling.page_files import Record, check_suffix, writing
from pyfastlm.selection.sampling.sample_report import SampleReport, UselessRow, write_sizes

MOST_EXAMPLES = 20


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
    stream = DomainPages(sources, text_key, domain_key, id_key)
    least = least or pages or 1
    choice = Choice(None if pages is None else max(pages, least), seed)
    read = _choose(stream, choice, progress)
    taken = choice.taken(pages, least)
    if not len(taken):
        raise InputError(_nothing(choice, least, read.rows))
    written = _write(target, stream, choice, taken, cut, whole=chunk is None, progress=progress)
    counts = np.bincount(taken["domain"], minlength=len(choice.names))
    return SampleReport(
        output=target,
        sizes=write_sizes(target, choice, counts),
        rows=read.rows,
        useless=read.useless,
        examples=tuple(read.examples),
        domains=int((counts > 0).sum()),
        small_domains=int((counts == 0).sum()),
        pages=len(taken),
        chunks=written.chunks,
        bytes=written.bytes,
        tokens=None if tokenizer is None else written.tokens,
        seconds=time.perf_counter() - started,
    )


@dataclass(slots=True)
class _Read:
    rows: int = 0
    useless: int = 0
    examples: list[UselessRow] = field(default_factory=list)


@dataclass(slots=True)
class _Written:
    chunks: int = 0
    bytes: int = 0
    tokens: int = 0


def _choose(stream: DomainPages, choice: Choice, progress: bool) -> _Read:
    read = _Read()
    for page in watched(stream, None, "pages read", progress):
        read.rows += 1
        if not page.reason:
            choice.add(page.domain, page.text, page.id, page.source, page.row)
            continue
        read.useless += 1
        if read.useless <= MOST_EXAMPLES:
            read.examples.append(UselessRow(stream.sources[page.source].name, page.row, page.reason))
    return read


def _write(
    target: Path,
    stream: DomainPages,
    choice: Choice,
    taken: NDArray[np.void],
    cut: Chunker,
    *,
    whole: bool,
    progress: bool,
) -> _Written:
    """Read the pages ``taken`` again, and write their chunks."""
    done = _Written()
    by_source = [taken["row"][taken["source"] == number] for number in range(len(stream.sources))]
    pages = (page for number, wanted in enumerate(by_source) for page in stream.of(number, wanted))
    with writing(target) as write:
        for page, noted in zip_longest(watched(pages, len(taken), "pages written", progress), taken):
            if page is None or choice.hash(page.domain, page.text) != noted["hash"]:
                source = stream.sources[noted["source"]]
                raise InputError(f"inputs: {source.name!r} changed while it was read")
            for number, piece in enumerate(_pieces(cut, page.text, whole)):
                write(Record(piece.text, _id(page), number, page.domain, piece.tokens))
                done.chunks += 1
                done.bytes += len(piece.text.encode())
                done.tokens += piece.tokens or 0
    return done


def _pieces(cut: Chunker, text: str, whole: bool) -> Iterable[Chunk]:
    pieces = cut(text)
    if not whole:
        return pieces
    counts = [piece.tokens for piece in pieces]
    return [Chunk(text, None if None in counts else sum(count or 0 for count in counts))]


def _id(page: DomainPage) -> str:
    if page.id is not None:
        return page.id
    return hashlib.blake2b(f"{page.domain}\0{page.text}".encode(), digest_size=16).hexdigest()


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
