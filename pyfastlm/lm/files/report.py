"""What a finished job has to say."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pyfastlm.lm.files.inputs import Source


@dataclass(frozen=True, slots=True)
class SourceReport:
    """Totals of one input file; units as in :class:`FilesReport`."""

    source: str
    documents: int
    rejected: int
    tokens: int
    bytes: int
    logp: float
    bits_per_byte: float


@dataclass(frozen=True, slots=True)
class FilesReport:
    """Totals of one job of :func:`score_files`.

    ``documents`` were scored, ``rejected`` rows were not; together they are all rows of the inputs.
    ``logp`` is their sum in nats (float64), ``bits_per_byte`` its micro average: all bits over all bytes
    (NaN without any byte). ``seconds`` is this call's wall time; the first ``resumed_documents`` documents
    and ``resumed_tokens`` tokens were taken over from earlier runs. ``rejects`` is the file that lists the
    rejected rows, None where there are none.
    """

    output: Path
    rejects: Path | None
    fingerprint: str
    documents: int
    rejected: int
    tokens: int
    bytes: int
    logp: float
    bits_per_byte: float
    seconds: float
    resumed_documents: int
    resumed_tokens: int
    sources: tuple[SourceReport, ...]

    @property
    def documents_per_second(self) -> float:
        """Documents scored in this call, over its wall time."""
        return (self.documents - self.resumed_documents) / max(self.seconds, 1e-9)

    @property
    def tokens_per_second(self) -> float:
        """Tokens scored in this call, over its wall time."""
        return (self.tokens - self.resumed_tokens) / max(self.seconds, 1e-9)


@dataclass(slots=True)
class _Sums:
    documents: int = 0
    rejected: int = 0
    tokens: int = 0
    bytes: int = 0
    logp: float = 0.0


class Totals:
    """Sums by source while the parts come in."""

    def __init__(self, sources: tuple[Source, ...]) -> None:
        self._sources = sources
        self._sums = [_Sums() for _ in sources]
        self.documents = self.rejected = self.tokens = 0

    def add(self, table: Any) -> tuple[int, int]:
        """Add the rows of one part (see :mod:`pyfastlm.lm.files.parts`); return its documents and tokens."""
        before = self.documents, self.tokens
        columns = ("source", "reason", "n_tokens", "n_bytes", "logp")
        for source, reason, tokens, size, logp in zip(*(table[c].to_pylist() for c in columns), strict=True):
            sums = self._sums[source]
            if reason is not None:
                sums.rejected += 1
                self.rejected += 1
                continue
            sums.documents += 1
            sums.tokens += tokens
            sums.bytes += size
            sums.logp += logp
            self.documents += 1
            self.tokens += tokens
        return self.documents - before[0], self.tokens - before[1]

    def by_source(self) -> list[SourceReport]:
        """One entry per input, in their order."""
        return [
            SourceReport(source.name, **asdict(sums), bits_per_byte=bits_per_byte(sums.logp, sums.bytes))
            for source, sums in zip(self._sources, self._sums, strict=True)
        ]


def bits_per_byte(logp: float, n_bytes: int) -> float:
    """``-logp / (ln 2 * n_bytes)``; NaN for no bytes."""
    return -logp / (math.log(2) * n_bytes) if n_bytes else math.nan
