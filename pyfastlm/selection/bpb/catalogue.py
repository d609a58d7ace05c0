"""The documents of a matrix: which there are, of which domain, and how to find each again."""

import hashlib
from array import array
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.lm.files import plan
from pyfastlm.lm.files.inputs import STDIN, Source
from pyfastlm.lm.files.readers import Reader, Row
from pyfastlm.selection.bpb.scorer import key


class Useless(NamedTuple):
    """A row that no model can be asked about, and why."""

    source: str
    row: int
    domain: str | None
    reason: str


class Catalogue:
    """All rows of the inputs, numbered through: row r of source s has the number ``starts[s] + r - 1``.

    Takes 16 bytes a row, whatever their texts are, and the names of the domains.

    Attributes:
        sources: the inputs.
        starts: [S + 1] int64, the number of the first row of each.
        domains: D names, sorted.
        domain: [rows] int32, which of them a row is of; -1 where a row has no text or no domain.
        n_bytes: [rows] int32, UTF-8 bytes of the text.
        keys: [rows] uint64, 64 bits of a hash of the text.
    """

    starts: NDArray[np.int64]
    domains: tuple[str, ...]
    domain: NDArray[np.int32]
    n_bytes: NDArray[np.int32]
    keys: NDArray[np.uint64]

    def __init__(self, sources: tuple[Source, ...], text_key: str, domain_key: str) -> None:
        for source in sources:
            if source.format == "text" or source.path == STDIN:
                raise InputError(
                    f"inputs: expected .jsonl or .parquet files that name a domain, got {source.name!r}"
                )
        self.sources, self._text_key, self._domain_key = sources, text_key, domain_key
        self._digests: dict[int, str] = {}

    def read(self, tokens_per_batch: int) -> Iterator[Useless]:
        """Go through the inputs and fill the catalogue; yields rows that are of no use as they come.

        Raises:
            InputError: an input is damaged, has no such column, or changes meanwhile.
        """
        names: dict[str, int] = {}
        domain, sizes, keys = array("i"), array("i"), array("Q")
        counts = np.zeros(len(self.sources) + 1, np.int64)
        labels = self._labels()
        for row in self._digested(tokens_per_batch):
            label = next(labels, None)
            if label is None or label[:2] != row[:2]:
                raise InputError(f"inputs: {self.sources[row.source].name!r} changed while it was read")
            reason = row.reason or label.reason
            place = -1 if label.text is None else names.setdefault(label.text, len(names))
            domain.append(-1 if reason else place)
            sizes.append(row.n_bytes)
            keys.append(0 if row.text is None else key(row.text))
            counts[row.source + 1] += 1
            if reason:
                yield Useless(self.sources[row.source].name, row.row, label.text, reason)
        self.starts = counts.cumsum()
        self.domains = tuple(sorted(names))
        places = np.full(len(names) + 1, -1, np.int32)  # the last is that of -1
        places[[names[name] for name in self.domains]] = np.arange(len(names), dtype=np.int32)
        self.domain = places[np.frombuffer(domain, np.int32)]
        self.n_bytes = np.frombuffer(sizes, np.int32)
        self.keys = np.frombuffer(keys, np.uint64)

    def digest(self, tokens_per_batch: int) -> str:
        """The hash that a table of scores of exactly these rows carries."""
        if tokens_per_batch not in self._digests:
            for _ in self._digested(tokens_per_batch):
                pass
        return self._digests[tokens_per_batch]

    def place(self, number: int) -> tuple[str, int]:
        """Source and row (from 1) of a number."""
        source = int(np.searchsorted(self.starts, number, side="right")) - 1
        return self.sources[source].name, int(number - self.starts[source]) + 1

    def _digested(self, tokens_per_batch: int) -> Iterator[Row]:
        digest = hashlib.blake2b(digest_size=16)
        for part in plan.parts(Reader(self.sources, self._text_key), tokens_per_batch):
            digest.update(part.key().encode())
            yield from part.rows
        self._digests[tokens_per_batch] = digest.hexdigest()

    def _labels(self) -> Iterator[Row]:
        """The domains of the rows: what the reader says of a text it here says of a domain."""
        try:
            for row in Reader(self.sources, self._domain_key):
                yield row._replace(reason="empty domain") if row.reason == "empty text" else row
        except InputError as error:
            raise InputError(str(error).replace("text_key:", "domain_key:", 1)) from None
