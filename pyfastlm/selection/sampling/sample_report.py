"""What sampling a corpus has to say: counts, and how much text each domain has."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyfastlm._durable import replacing
from pyfastlm._require import require
from pyfastlm.selection.sampling.page_choice import Choice


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


def write_sizes(target: Path, choice: Choice, taken: NDArray[np.int64]) -> Path:
    """Write the table of domains beside the sample ``target``; ``taken`` [D] pages of each."""
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
