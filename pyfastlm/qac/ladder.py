"""The ladder of an answer: what begins as typed, what holds its words, then what nearly does."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from pyfastlm.errors import InputError
from pyfastlm.index import TermIndex
from pyfastlm.index.term_index import Mode
from pyfastlm.qac.context import reorder

FETCH = 50  # terms of a stage that a session chooses from
AUTO = -1  # edits by the length of the query


class Suggestion(NamedTuple):
    """A term, its score in the index, the ``stage`` that found it, and its edits where the stage knows them.

    Stages: ``exact``: it begins as typed; ``words``: it holds the words typed, the last one as a beginning,
    in any order; ``typo`` and ``typo in words``: the same with edits. The distance is between the query and
    the nearest beginning of the term.
    """

    term: str
    score: float
    stage: str
    distance: int | None


class Stage(NamedTuple):
    """One rung: ``ask(index, query, n)`` allows ``edits``; it also returns what earlier rungs return."""

    name: str
    mode: str
    edits: int
    ask: Callable[[TermIndex, str, int], list[tuple[str, float]]]


def _stage(name: str, mode: Mode, edits: int) -> Stage:
    return Stage(
        name, mode, edits, lambda index, query, n: index.complete(query, n, max_edits=edits, mode=mode)
    )


STAGES = (
    _stage("exact", "prefix", 0),
    _stage("words", "conjunctive", 0),
    _stage("typo", "prefix", 1),
    _stage("typo in words", "conjunctive", 1),
    _stage("typo", "prefix", 2),
    _stage("typo in words", "conjunctive", 2),
)
MODES: tuple[Mode, ...] = ("prefix", "conjunctive")  # the second one has the stages of both


def auto_edits(query: str) -> int:
    """How many typos are likely enough: none below 4 characters, one below 8, else two."""
    return (len(query) >= 4) + (len(query) >= 8)


def suggest(
    index: TermIndex,
    query: str,
    k: int = 10,
    *,
    edits: int = AUTO,
    past: Sequence[str] = (),
    mode: str = MODES[-1],
) -> list[Suggestion]:
    """The best ``k`` suggestions for ``query`` in a session that has searched for ``past``.

    The session moves terms within a stage only: no typo is suggested before what begins as typed.

    Args:
        index: the terms.
        query: as typed so far; a space at its end counts.
        k: how many at most.
        edits: 0, 1 or 2; by default by the length of the query (:func:`auto_edits`).
        past: earlier searches, the last one last; see :func:`pyfastlm.qac.context.reorder`.
        mode: ``"prefix"``: without the stages that look for words; ``"conjunctive"``: all.

    Raises:
        InputError: an argument is not what it should be, or the file turns out to be damaged.
    """
    if mode not in MODES:
        raise InputError(f"mode: expected one of {', '.join(MODES)}, got {mode!r}")
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise InputError(f"k: expected a whole number >= 1, got {k!r}")
    if isinstance(edits, bool) or edits not in (AUTO, 0, 1, 2):
        raise InputError(f"edits: expected 0, 1, 2 or {AUTO} (by length), got {edits!r}")
    most = auto_edits(query) if edits == AUTO else edits
    allowed = MODES[: MODES.index(mode) + 1]
    found: dict[str, Suggestion] = {}
    for stage in STAGES:
        wanted = k - len(found)
        if not wanted:
            break
        if stage.mode not in allowed or stage.edits > most:
            continue
        fetch = max(wanted, FETCH) if past else wanted
        terms = stage.ask(index, query, len(found) + fetch)
        fresh = [pair for pair in terms if pair[0] not in found]
        for term, score in reorder(fresh, past, wanted):
            distance = stage.edits if stage.mode == "prefix" else None
            found[term] = Suggestion(term, score, stage.name, distance)
    return list(found.values())
