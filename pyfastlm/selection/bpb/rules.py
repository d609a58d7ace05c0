"""The rules by which documents and models are left out: one for all models, never one for each."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.lm.files import table as score_table
from pyfastlm.lm.files.lines import json_object
from pyfastlm.selection.bpb.catalogue import Catalogue
from pyfastlm.selection.bpb.entries import Entry, alive, settle
from pyfastlm.selection.bpb.report import MissingScore
from pyfastlm.selection.bpb.scorer import read_errors
from pyfastlm.selection.bpb.sums import ABSENT, FAILED, FINITE, states
from pyfastlm.selection.bpb.tables import Tables

Missing = Literal["raise", "drop_model", "drop_document", "drop_domain"]
Duplicates = Literal["raise", "family", "drop"]
ROUNDING = 1e-6  # relative; what tells two runs of one model apart


def check(missing: str, duplicates: str) -> None:
    """Refuse rules that are unknown."""
    for name, value, known in (("missing", missing, Missing), ("duplicates", duplicates, Duplicates)):
        if value not in get_args(known):
            raise InputError(f"{name}: expected one of {', '.join(get_args(known))}, got {value!r}")


def choose(
    rule: Missing,
    entries: list[Entry],
    tables: Tables,
    catalogue: Catalogue,
    note: Callable[[MissingScore], None],
) -> NDArray[np.bool_]:
    """Leave out models, or documents, until each model left has a score for each document chosen [rows].

    Raises:
        InputError: a score is missing and the rule is "raise".
    """
    usable = catalogue.domain >= 0
    spoilt = np.zeros(len(usable), np.bool_)
    for entry in alive(entries):
        assert entry.scored is not None
        table = tables.directory / entry.scored.table
        state = states(table, catalogue)
        lacking = np.flatnonzero(usable & (state != FINITE))
        entry.missing = len(lacking)
        for score in _explained(entry.name, table, lacking, state, catalogue):
            if rule == "raise":
                raise InputError(
                    f"models: {entry.name!r} has no score for {len(lacking):,} documents, first "
                    f"{score.source!r}, row {score.row:,}: {score.reason}; pass missing='drop_model', "
                    "'drop_document' or 'drop_domain' (what is scored is kept)"
                )
            note(score)
        if rule == "drop_model" and len(lacking):
            entry.reason = f"it has no score for {len(lacking):,} documents"
        else:
            spoilt[lacking] = True
    if rule == "drop_domain":
        lost = np.zeros(len(catalogue.domains) + 1, np.bool_)  # the last is that of -1
        lost[catalogue.domain[spoilt]] = True
        spoilt |= lost[catalogue.domain]
    return usable & ~spoilt


def settle_equal_rows(
    values: NDArray[np.float64], entries: list[Entry], duplicates: Duplicates, everyone: list[Entry]
) -> None:
    """Apply the rule for duplicates to rows of ``values`` [N, D] that are the same but for rounding."""
    for later in range(1, len(values)):
        near = np.isclose(values[:later, 0], values[later, 0], rtol=ROUNDING, atol=0)
        for earlier in np.flatnonzero(near).tolist():
            if np.allclose(values[earlier], values[later], rtol=ROUNDING, atol=0):
                if entries[later].duplicate_of is None:
                    how = "have the same bits per byte in all domains"
                    settle(entries[later], entries[earlier], duplicates, everyone, how)
                break


def _explained(
    name: str, table: Path, lacking: NDArray[np.int64], state: NDArray[np.int8], catalogue: Catalogue
) -> Iterator[MissingScore]:
    rejected = _rejected(table, set(lacking[state[lacking] == ABSENT].tolist()), catalogue)
    errors = read_errors(table.with_name(table.stem + ".errors.jsonl")) if len(lacking) else {}
    for number in lacking.tolist():
        if state[number] == ABSENT:
            reason = rejected.get(number, "it is not in the table")
        elif state[number] == FAILED:
            reason = errors.get(int(catalogue.keys[number]), "the model raised an error")
        else:
            reason = "its log-probability is no finite number"
        source, row = catalogue.place(number)
        yield MissingScore(source, row, catalogue.domains[catalogue.domain[number]], name, reason)


def _rejected(table: Path, wanted: set[int], catalogue: Catalogue) -> dict[int, str]:
    """Why the rows ``wanted`` are in the list of rejected rows rather than in the table."""
    path = score_table.rejects_path(table)
    if not wanted or not path.exists():
        return {}
    starts = {s.name: int(start) for s, start in zip(catalogue.sources, catalogue.starts, strict=False)}
    with open(path, "rb") as file:
        rows = ((starts[line["source"]] + line["row"] - 1, line["reason"]) for line in map(json_object, file))
        return {number: reason for number, reason in rows if number in wanted}
