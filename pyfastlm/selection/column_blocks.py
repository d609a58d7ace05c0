"""A matrix of models and domains as a stream of blocks of columns: from arrays, .npy and Parquet files."""

import mmap
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.selection.ranking import Floats

BLOCK_BYTES = 1_200_000  # of a block for one thread: it stays in the caches, and calls take no time
LEAST_COLUMNS = 256

StrPath = str | os.PathLike[str]


class Blocks:
    """Column blocks [N, d] of a matrix [N, D] whose size does not matter; may be gone through many times.

    Attributes:
        models: names of the N rows, where the source has names, else empty.
    """

    def __init__(self, source: Any, models: Sequence[str], size: int | None) -> None:
        self._source, self._size = source, size
        self.models = tuple(models)

    def __iter__(self) -> Iterator[Floats]:
        if isinstance(self._source, Path):
            return _parquet(self._source, self.models, self._size or 1 << 16)
        return slices(self._source, self._size or default_size(self._source, 1))


def blocks(source: Any, *, models: Sequence[str] | None = None, size: int | None = None) -> Blocks:
    """The columns of ``source`` in blocks, to be given to an estimator as its ``X``.

    Args:
        source: an array [N, D]; the name of a ``.npy`` file with one, which is mapped; or of a ``.parquet``
            file with a row for each domain and a column for each model, of which null is missing.
        models: columns of the ``.parquet`` file, in the order of ``y``; default all that hold floating-point
            numbers, in the order of the file (``Blocks.models`` says which).
        size: columns of a block; default what suits the caches (``.parquet``: 65,536).

    Raises:
        InputError: the file cannot be read or has no such column, or ``size`` is not a positive number.
    """
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 1):
        raise InputError(f"size: expected a whole number >= 1, got {size!r}")
    if not isinstance(source, str | os.PathLike):
        if models is not None:
            raise InputError("models: only a .parquet file has names; leave it out")
        array = np.asanyarray(source)
        if array.ndim != 2:
            raise InputError(f"source: expected [N, D], got shape {list(array.shape)}")
        return Blocks(array, (), size)
    path = Path(source)
    if path.suffix == ".parquet":
        return Blocks(path, _names(path, models), size)
    if path.suffix != ".npy":
        raise InputError(f"source: expected a name ending in .npy or .parquet, got {os.fspath(source)!r}")
    try:
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise InputError(f"source: cannot read {os.fspath(source)!r}: {error}") from None
    return blocks(mapped, models=models, size=size)


def default_size(x: Floats, threads: int) -> int:
    """Columns that a block of ``x`` [N, D] should have: odd lines, so that rows share no cache sets."""
    fitting = threads * BLOCK_BYTES // (max(len(x), 1) * x.dtype.itemsize)
    return (max(fitting, LEAST_COLUMNS) // 64 | 1) * 64


def slices(x: Floats, size: int) -> Iterator[Floats]:
    """``x`` [N, D] in blocks of ``size`` columns. Mapped pages are let go when they have been read."""
    base: Any = x
    while isinstance(base, np.ndarray):
        base = base.base
    mapped = base if isinstance(base, mmap.mmap) and getattr(x, "mode", "") == "r" else None
    for number, start in enumerate(range(0, x.shape[1], size)):
        yield x[:, start : start + size]
        # Else they would count as this process's memory, as many as there are.
        if mapped is not None and number % 16 == 15 and hasattr(mmap, "MADV_DONTNEED"):
            mapped.madvise(mmap.MADV_DONTNEED)


def _names(path: Path, models: Sequence[str] | None) -> list[str]:
    pa, pq = require("pyarrow", "selection"), require("pyarrow.parquet", "selection")
    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"source: cannot read {os.fspath(path)!r}: {error}") from None
    numbers = [field.name for field in schema if pa.types.is_floating(field.type)]
    if models is None:
        return numbers
    for name in models:
        if name not in numbers:
            some = ", ".join(numbers[:20])
            raise InputError(
                f"models: {os.fspath(path)!r} has no floating-point column {name!r}; it has: {some}"
            )
    return list(models)


def _parquet(path: Path, models: Sequence[str], size: int) -> Iterator[Floats]:
    pa, pq = require("pyarrow", "selection"), require("pyarrow.parquet", "selection")
    try:
        with pq.ParquetFile(path) as file:
            # One row group after the other: asked for all, the reader would hold what it has read.
            for group in range(file.num_row_groups):
                batches = file.iter_batches(size, [group], columns=list(models), use_threads=False)
                for batch in batches:
                    columns = [batch.column(name).to_numpy(zero_copy_only=False) for name in models]
                    if columns:
                        yield np.stack(columns)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"source: cannot read {os.fspath(path)!r}: {error}") from None
