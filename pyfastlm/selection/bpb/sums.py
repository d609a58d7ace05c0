"""Scores of documents to sums of domains: every row is put where its source and number say, and checked."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.selection.bpb.catalogue import Catalogue

BATCH_ROWS = 1 << 16
COLUMNS = ["source", "row", "logp", "n_tokens", "n_bytes", "n_windows"]
# How the score of a document is: not in the table, there, not a finite number, or the model raised an error.
ABSENT, FINITE, NOT_FINITE, FAILED = range(4)


class Rows(NamedTuple):
    """Some rows of a table: their numbers in the catalogue, and what the table says of them; all [n]."""

    number: NDArray[np.int64]
    logp: NDArray[np.float64]
    n_tokens: NDArray[np.int64]
    n_windows: NDArray[np.int64]


class Sums(NamedTuple):
    """Of one model over the chosen documents: [D] nats (float64) and [D] tokens (int64)."""

    nats: NDArray[np.float64]
    tokens: NDArray[np.int64]


def aligned(table: Path, catalogue: Catalogue) -> Iterator[Rows]:
    """The rows of a table of scores, each under its number in the catalogue.

    Raises:
        InputError: the table is damaged, names a row that is not in the catalogue or not after the one
            before, or counts other bytes in it.
    """
    pa, pq = require("pyarrow", "selection"), require("pyarrow.parquet", "selection")
    sources = {source.name: start for source, start in zip(catalogue.sources, catalogue.starts, strict=False)}
    ends = dict(zip(sources, catalogue.starts[1:], strict=True))
    last = -1
    try:
        with pq.ParquetFile(table, pre_buffer=False, page_checksum_verification=True) as file:
            for batch in file.iter_batches(BATCH_ROWS, columns=COLUMNS, use_threads=False):
                names = batch.column("source").dictionary_encode()
                known = names.dictionary.to_pylist()
                if strange := [name for name in known if name not in sources]:
                    raise _wrong(table, f"they are of {strange[0]!r}, which is no input")
                code = names.indices.to_numpy()
                row = batch.column("row").to_numpy()
                number = np.array([sources[name] for name in known], np.int64)[code] + row - 1
                if ((row < 1) | (number >= np.array([ends[name] for name in known], np.int64)[code])).any():
                    raise _wrong(table, "a row is not in the inputs")
                if len(number) and not (number[0] > last and (np.diff(number) > 0).all()):
                    raise _wrong(table, "rows are not in the order of the inputs")
                if (batch.column("n_bytes").to_numpy() != catalogue.n_bytes[number]).any():
                    raise _wrong(table, "a document has another length than in the inputs")
                last = int(number[-1]) if len(number) else last
                yield Rows(
                    number, *(batch.column(name).to_numpy() for name in ("logp", "n_tokens", "n_windows"))
                )
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        if isinstance(error, InputError) or getattr(error, "errno", None) is not None:
            raise
        raise _wrong(table, str(error).partition("\n")[0]) from error


def states(table: Path, catalogue: Catalogue) -> NDArray[np.int8]:
    """[rows] int8, whether each document has a score, and why not."""
    state = np.full(len(catalogue.domain), ABSENT, np.int8)
    for rows in aligned(table, catalogue):
        found = np.where(np.isfinite(rows.logp), FINITE, np.where(rows.n_windows > 0, NOT_FINITE, FAILED))
        state[rows.number] = found
    return state


def sums(table: Path, catalogue: Catalogue, chosen: NDArray[np.bool_]) -> Sums:
    """Nats and tokens of each domain over the ``chosen`` [rows] documents, added in their order."""
    wide = len(catalogue.domains)
    nats, tokens = np.zeros(wide), np.zeros(wide, np.int64)
    for rows in aligned(table, catalogue):
        mine = chosen[rows.number]
        domain = catalogue.domain[rows.number[mine]]
        np.add.at(nats, domain, -rows.logp[mine])
        np.add.at(tokens, domain, rows.n_tokens[mine])
    return Sums(nats, tokens)


def per_domain(catalogue: Catalogue, chosen: NDArray[np.bool_], what: Any = None) -> NDArray[np.int64]:
    """[D] how many of the ``chosen`` documents a domain has, or how much of ``what`` [rows] int."""
    total = np.zeros(len(catalogue.domains), np.int64)
    np.add.at(total, catalogue.domain[chosen], 1 if what is None else what[chosen])
    return total


def _wrong(table: Path, why: str) -> InputError:
    return InputError(
        f"output: the scores in {str(table)!r} cannot be used: {why}; remove them and run again"
    )
