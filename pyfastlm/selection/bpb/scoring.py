"""All models of a list to tables of scores, one model at a time, shared with other processes."""

import gc
import sys

from pyfastlm.errors import InputError
from pyfastlm.selection.bpb.entries import Entry, alive, settle
from pyfastlm.selection.bpb.scorer import ModelFailed
from pyfastlm.selection.bpb.tables import Tables

SAME = "are the same model (equal fingerprints)"


def score_all(entries: list[Entry], tables: Tables, missing: str, duplicates: str, *, progress: bool) -> None:
    """Score the models; one that another process is working on is left for later, and then waited for.

    Raises:
        InputError: a model fails, or has the fingerprint of another, and the rule is "raise".
    """
    pending, wait = entries, False
    while pending:
        busy = []
        for entry in pending:
            with tables.locked(entry.model, wait=wait) as mine:
                if mine:
                    _tell(progress, f"model {entries.index(entry) + 1} of {len(entries)}: {entry.name}")
                    _score(entry, entries, tables, missing, duplicates, progress=progress)
                else:
                    busy.append(entry)
        if busy:
            _tell(progress, f"waiting for another process that scores {busy[0].name}")
        pending, wait = busy, True
    for index, entry in enumerate(entries):
        if (twin := _twin(entry, entries[:index])) is not None:
            settle(entry, twin, duplicates, entries, SAME)


def _score(
    entry: Entry, entries: list[Entry], tables: Tables, missing: str, duplicates: str, *, progress: bool
) -> None:
    def known(fingerprint: str) -> str | None:
        for other in entries:
            if other.scored and other.scored.fingerprint == fingerprint:
                if duplicates == "raise":
                    settle(entry, other, duplicates, entries, SAME)
                return other.scored.table
        return None

    try:
        entry.scored = tables.finished(entry.model) or tables.score(entry.model, known, progress=progress)
    except ModelFailed as error:
        if missing == "raise":
            raise InputError(
                f"models: {entry.name!r}: {error}; correct it, or leave such models out with "
                "missing='drop_model', or any other rule (what is scored is kept)"
            ) from error
        entry.reason = str(error)
        _tell(progress, f"{entry.name}: {error}")
    if entry.reason:
        gc.collect()  # now that the error is gone, which held the model


def _twin(entry: Entry, earlier: list[Entry]) -> Entry | None:
    if entry.scored is None:
        return None
    same = (other for other in alive(earlier) if other.scored is not None)
    return next((o for o in same if o.scored and o.scored.fingerprint == entry.scored.fingerprint), None)


def _tell(progress: bool, line: str) -> None:
    if progress:
        print(line, file=sys.stderr, flush=True)
