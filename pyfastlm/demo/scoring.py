"""Section one: bits per byte of each source, beside coders that know no language."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyfastlm.demo.controls import byte_entropy, zlib_bits_per_byte
from pyfastlm.demo.texts import Collection, Source
from pyfastlm.errors import InputError
from pyfastlm.lm import Scorer, TokenScores

RESAMPLES = 2000
FEWEST = 5  # documents, for an interval to mean anything


@dataclass(frozen=True, slots=True, eq=False)
class ScoredDocument:
    """One document, token by token; ``source`` is its place in :attr:`Scoring.rows`."""

    source: int
    key: str
    text: str
    tokens: TokenScores

    @property
    def n_bytes(self) -> int:
        """Length in UTF-8."""
        return len(self.text.encode())

    @property
    def bits(self) -> float:
        """What the model needs for the whole document."""
        return -float(self.tokens.logp.sum(dtype=np.float64)) / math.log(2)

    @property
    def bits_per_byte(self) -> float:
        """``bits / n_bytes``."""
        return self.bits / self.n_bytes


@dataclass(frozen=True, slots=True)
class Row:
    """Totals of one source.

    ``bits_per_byte`` is all bits over all bytes, ``zlib`` and ``byte_entropy`` are in bits per byte over the
    same bytes, ``first_token_bits`` is the part of ``bits`` that goes to the first token of each document.

    In a parallel collection the source has the same content as the collection's first one, and is compared
    with it: ``relative_bits``, ``relative_tokens`` and ``relative_bytes`` are sums over all documents
    divided by the first source's. ``interval`` holds 95 % of ``relative_bits`` when documents are resampled
    (paired bootstrap); it and all relative values are None where they mean nothing.
    """

    collection: str
    language: str
    code: str
    documents: int
    tokens: int
    bytes: int
    bits: float
    bits_per_byte: float
    zlib: float
    byte_entropy: float
    first_token_bits: float
    relative_bits: float | None
    relative_tokens: float | None
    relative_bytes: float | None
    interval: tuple[float, float] | None

    @property
    def name(self) -> str:
        """Collection and language."""
        return f"{self.collection}: {self.language}"


@dataclass(frozen=True, slots=True, eq=False)
class Scoring:
    """All rows and documents, in the order of the collections."""

    collections: tuple[Collection, ...]
    rows: tuple[Row, ...]
    documents: tuple[ScoredDocument, ...]

    @property
    def tokens(self) -> int:
        """All that were scored."""
        return sum(row.tokens for row in self.rows)

    @property
    def texts(self) -> list[Row]:
        """The rows of real texts, that is without controls."""
        return [
            row for collection in self.collections if collection.parallel for row in self.rows_of(collection)
        ]

    def rows_of(self, collection: Collection) -> list[Row]:
        """One row for each source of ``collection``."""
        return [row for row in self.rows if row.collection == collection.name]

    def documents_of(self, row: Row) -> list[ScoredDocument]:
        """The documents of one source."""
        return [document for document in self.documents if self.rows[document.source] is row]


def score(scorer: Scorer, collections: Sequence[Collection], seed: int, *, progress: bool = False) -> Scoring:
    """Score every document of ``collections`` alone, in the scorer's windows.

    Raises:
        InputError: the model gives a token no finite log-probability.
    """
    sources = [(collection, source) for collection in collections for source in collection.sources]
    texts = [document.text for _, source in sources for document in source.documents]
    scores = iter(scorer.token_logp(texts, progress=progress))
    documents = [
        ScoredDocument(number, document.key, document.text, next(scores))
        for number, (_, source) in enumerate(sources)
        for document in source.documents
    ]
    for document in documents:
        if not np.isfinite(document.tokens.logp).all():
            raise InputError(
                f"model: its scores are not finite, first in {document.key!r}; check its weights"
            )
    rows = []
    first: list[ScoredDocument] = []
    for number, (collection, source) in enumerate(sources):
        scored = [document for document in documents if document.source == number]
        if source is collection.sources[0]:
            first = scored
        rows.append(_row(collection, source, scored, first if collection.parallel else None, seed))
    return Scoring(tuple(collections), tuple(rows), tuple(documents))


def _row(
    collection: Collection,
    source: Source,
    scored: list[ScoredDocument],
    first: list[ScoredDocument] | None,
    seed: int,
) -> Row:
    texts = [document.text for document in source.documents]
    bits = np.array([document.bits for document in scored])
    tokens = sum(len(document.tokens.ids) for document in scored)
    relative_bits = relative_tokens = relative_bytes = interval = None
    if first is not None:
        base = np.array([document.bits for document in first])
        relative_bits = float(bits.sum() / base.sum())
        relative_tokens = tokens / sum(len(document.tokens.ids) for document in first)
        relative_bytes = source.n_bytes / sum(document.n_bytes for document in first)
        interval = None if scored is first else ratio_interval(bits, base, seed)
    return Row(
        collection=collection.name,
        language=source.language,
        code=source.code,
        documents=len(scored),
        tokens=tokens,
        bytes=source.n_bytes,
        bits=float(bits.sum()),
        bits_per_byte=float(bits.sum() / source.n_bytes),
        zlib=zlib_bits_per_byte(texts),
        byte_entropy=byte_entropy(texts),
        first_token_bits=-sum(float(d.tokens.logp[0]) for d in scored) / math.log(2),
        relative_bits=relative_bits,
        relative_tokens=relative_tokens,
        relative_bytes=relative_bytes,
        interval=interval,
    )


def ratio_interval(
    over: NDArray[np.float64], under: NDArray[np.float64], seed: int
) -> tuple[float, float] | None:
    """95 % percentile interval of ``sum(over) / sum(under)`` (both [n], paired), by resampling pairs.

    None below ``FEWEST`` pairs.
    """
    n = len(over)
    if n < FEWEST:
        return None
    chosen = np.random.default_rng(seed).integers(n, size=(RESAMPLES, n))
    low, high = np.quantile(over[chosen].sum(axis=1) / under[chosen].sum(axis=1), [0.025, 0.975])
    return float(low), float(high)
