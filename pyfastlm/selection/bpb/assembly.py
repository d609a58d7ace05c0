"""Tables of scores to the matrix: rules applied, documents summed up, doubles found."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.selection.bpb import rules
from pyfastlm.selection.bpb.catalogue import Catalogue
from pyfastlm.selection.bpb.entries import Entry, alive
from pyfastlm.selection.bpb.report import MissingScore, ModelReport
from pyfastlm.selection.bpb.sums import per_domain, sums
from pyfastlm.selection.bpb.tables import Tables
from pyfastlm.selection.matrix import BpbMatrix

MOST_REASONS = 3  # in a message; the report has all


class Assembled(NamedTuple):
    """The matrix, what became of each model, and the chosen documents [rows]."""

    matrix: BpbMatrix
    models: tuple[ModelReport, ...]
    chosen: NDArray[np.bool_]


def assemble(
    entries: list[Entry],
    tables: Tables,
    catalogue: Catalogue,
    missing: rules.Missing,
    duplicates: rules.Duplicates,
    note: Callable[[MissingScore], None],
) -> Assembled:
    """Build the matrix in memory: N models x D domains doubles, and some 20 bytes for each row of the inputs.

    Raises:
        InputError: a score is missing or a model double and the rule is "raise", or nothing is left.
    """
    chosen = rules.choose(missing, entries, tables, catalogue, note)
    documents = per_domain(catalogue, chosen)
    there = documents > 0
    size = per_domain(catalogue, chosen, catalogue.n_bytes)[there]
    summed = alive(entries)
    if not summed or not len(size):
        raise _nothing_left(entries)
    for entry in summed:
        assert entry.scored is not None
        found = sums(tables.directory / entry.scored.table, catalogue, chosen)
        entry.nats, entry.tokens = found.nats[there], found.tokens[there]
    values = np.stack([entry.nats / (math.log(2) * size) for entry in summed])
    rules.settle_equal_rows(values, summed, duplicates, entries)
    rows = [row for row, entry in enumerate(summed) if not entry.reason]
    kept = [summed[row] for row in rows]
    matrix = BpbMatrix(
        tuple(entry.name for entry in kept),
        tuple(entry.family for entry in kept),
        tuple(np.array(catalogue.domains, object)[there].tolist()),
        kept[0].tokens,
        size,
        documents[there],
        values[rows],
        tuple(_details(entry) for entry in kept),
    )
    return Assembled(matrix, tuple(_report(entry, int(size.sum())) for entry in entries), chosen)


def _details(entry: Entry) -> dict[str, Any]:
    assert entry.scored is not None
    noted = {"fingerprint": entry.scored.fingerprint}
    also = {"revision": entry.model.revision, "dtype": entry.model.dtype, "duplicate_of": entry.duplicate_of}
    return noted | {name: value for name, value in also.items() if value is not None}


def _report(entry: Entry, size: int) -> ModelReport:
    scored, kept = entry.scored, not entry.reason
    return ModelReport(
        name=entry.name,
        family=entry.family,
        kept=kept,
        reason=entry.reason,
        fingerprint=scored.fingerprint if scored else None,
        duplicate_of=entry.duplicate_of,
        missing=entry.missing,
        tokens=int(entry.tokens.sum()) if kept else 0,
        bits_per_byte=float(entry.nats.sum()) / (math.log(2) * size) if kept else math.nan,
        seconds=scored.seconds if scored else 0.0,
        tokens_per_second=scored.tokens_per_second if scored else math.nan,
        resumed_documents=scored.resumed_documents if scored else 0,
    )


def _nothing_left(entries: list[Entry]) -> InputError:
    if not alive(entries):
        some = "; ".join(f"{entry.name!r}: {entry.reason}" for entry in entries[:MOST_REASONS])
        return InputError(f"models: none is left ({some})")
    worst = max(alive(entries), key=lambda entry: entry.missing)
    return InputError(
        f"missing: no document is left; {worst.name!r} alone has no score for {worst.missing:,}; leave it out"
    )
