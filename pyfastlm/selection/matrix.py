"""The matrix of bits per byte: models, domains, and how much text each domain has."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from pyfastlm._durable import replacing
from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.selection.column_blocks import Blocks, blocks

METADATA_KEY = b"pyfastlm.bpb"
FORMAT = 1
SIZES = ("tokens", "bytes", "documents")


@dataclass(frozen=True, slots=True, eq=False)
class BpbMatrix:
    """Bits per byte of N models on D domains.

    Attributes:
        models: N names, each once.
        families: N names; models of one family are not independent of each other.
        domains: D names, each once.
        tokens, bytes, documents: [D] int64, how much text a domain has; ``tokens`` are those of the first
            model, one count for all of them.
        source: [N, D], NaN where a model has no number; or the file that holds it.
        details: what else was noted of each model, such as its fingerprint.
    """

    models: tuple[str, ...]
    families: tuple[str, ...]
    domains: tuple[str, ...]
    tokens: NDArray[np.int64]
    bytes: NDArray[np.int64]
    documents: NDArray[np.int64]
    source: "NDArray[np.float64] | Path" = field(repr=False)
    details: tuple[dict[str, Any], ...] = ()

    def __post_init__(self) -> None:
        count, wide = len(self.models), len(self.domains)
        _check_names("models", self.models)
        _check_names("domains", self.domains)
        if len(self.families) != count:
            raise InputError(f"families: expected one for each of {count} models, got {len(self.families)}")
        for name in SIZES:
            sizes = getattr(self, name)
            if sizes.shape != (wide,) or (sizes < 0).any():
                raise InputError(f"{name}: expected {wide} numbers of 0 or more, one for each domain")
        if not isinstance(self.source, Path) and self.source.shape != (count, wide):
            raise InputError(
                f"source: expected [{count}, {wide}], models and domains, got {list(self.source.shape)}"
            )

    @property
    def bits_per_byte(self) -> "NDArray[np.float64]":
        """[N, D] float64, read whole; NaN where a model has no number."""
        if isinstance(self.source, Path):
            parts = list(self.blocks())
            return np.concatenate(parts, axis=1) if parts else np.empty((len(self.models), 0))
        return self.source

    def blocks(self) -> Blocks:
        """The columns in blocks [N, d], to be given to an estimator as its ``X``; a file is streamed."""
        if isinstance(self.source, Path):
            return blocks(self.source, models=self.models)
        return blocks(self.source)

    def only(self, models: Sequence[str]) -> "BpbMatrix":
        """These models in this order.

        Raises:
            InputError: one of them is not in the matrix.
        """
        place = {name: row for row, name in enumerate(self.models)}
        if unknown := [name for name in models if name not in place]:
            raise InputError(f"models: {unknown[0]!r} is not in the matrix")
        rows = [place[name] for name in models]
        return BpbMatrix(
            tuple(models),
            tuple(self.families[row] for row in rows),
            self.domains,
            self.tokens,
            self.bytes,
            self.documents,
            self.source if isinstance(self.source, Path) else self.source[rows],
            tuple(self.details[row] for row in rows) if self.details else (),
        )

    def save(self, path: "str | os.PathLike[str]") -> None:
        """Write a Parquet file: a row for each domain, a column of doubles for each model; null is NaN.

        Raises:
            InputError: a model is called like another column.
            OSError: it cannot be written.
        """
        pa, pq = require("pyarrow", "selection"), require("pyarrow.parquet", "selection")
        if taken := [name for name in self.models if name in ("domain", *SIZES)]:
            raise InputError(f"models: {taken[0]!r} is the name of another column; rename the model")
        noted = [
            {"name": name, "family": family} | (self.details[row] if self.details else {})
            for row, (name, family) in enumerate(zip(self.models, self.families, strict=True))
        ]
        columns: dict[str, Any] = {"domain": pa.array(self.domains, pa.string())}
        columns |= {name: pa.array(getattr(self, name)) for name in SIZES}
        for name, row in zip(self.models, self.bits_per_byte, strict=True):
            columns[name] = pa.array(row, pa.float64(), from_pandas=True)
        table = pa.table(columns).replace_schema_metadata(
            {METADATA_KEY: json.dumps({"format": FORMAT, "models": noted}).encode()}
        )
        target = Path(path)
        with replacing(target, target.with_name(f".{target.name}.{os.getpid()}")) as file:
            pq.write_table(table, file, compression="zstd", row_group_size=1 << 16, write_page_checksum=True)

    @classmethod
    def open(cls, path: "str | os.PathLike[str]") -> "BpbMatrix":
        """A matrix that :meth:`save` wrote; its numbers stay in the file until they are asked for.

        Raises:
            InputError: the file cannot be read, or is no such matrix.
        """
        pa, pq = require("pyarrow", "selection"), require("pyarrow.parquet", "selection")
        shown = os.fspath(path)
        try:
            metadata = pq.read_schema(path).metadata or {}
            table = pq.read_table(path, columns=["domain", *SIZES], page_checksum_verification=True)
            noted = json.loads(metadata[METADATA_KEY])
            if noted["format"] != FORMAT:
                raise InputError(f"path: {shown!r} has format {noted['format']}, this version reads {FORMAT}")
            models = cast("list[dict[str, Any]]", noted["models"])
            tokens, size, documents = (table[name].to_numpy().astype(np.int64) for name in SIZES)
            return cls(
                tuple(str(model.pop("name")) for model in models),
                tuple(str(model.pop("family")) for model in models),
                tuple(table["domain"].to_pylist()),
                tokens,
                size,
                documents,
                Path(path),
                tuple(models),
            )
        except KeyError:
            raise InputError(f"path: {shown!r} is no matrix of bits per byte") from None
        except (pa.ArrowException, OSError, ValueError, TypeError, AttributeError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"path: cannot read {shown!r}: {error}") from None


def _check_names(what: str, names: tuple[str, ...]) -> None:
    seen: set[str] = set()
    for name in names:
        if not isinstance(name, str) or not name:
            raise InputError(f"{what}: expected names, got {name!r}")
        if name in seen:
            raise InputError(f"{what}: expected each once, got {name!r} twice")
        seen.add(name)
