"""Whole queries from what their units may have meant: a beam over the words from left to right."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pyfastlm.spelling.correction import Candidate


class Change(NamedTuple):
    """A unit written as ``text``. ``gain``: the log-odds that it is right to, less the threshold."""

    text: str
    gain: float
    cost: float


class _Beam(NamedTuple):
    score: float
    cost: float
    text: str


def assembled(
    words: Sequence[str], changes: Mapping[tuple[int, int], Sequence[Change]], width: int
) -> list[Candidate]:
    """The ``width`` best queries besides ``words`` as they are, and these, with score 0; best first.

    Args:
        words: of the query.
        changes: of the words from ``first`` to ``last - 1``, by (first, last).
        width: of the beam, too.
    """
    query = " ".join(words)
    names = [Candidate(*change) for change in changes.get((0, len(words)), ())]
    if changes.keys() <= {(0, len(words))}:  # nothing but other texts for all of it
        return _best(names, query, width, names)
    beams: list[list[_Beam]] = [[] for _ in range(len(words) + 1)]
    beams[0] = [_Beam(0.0, 0.0, "")]
    for end in range(1, len(words) + 1):
        found = [_longer(beam, words[end - 1], 0.0, 0.0) for beam in beams[end - 1]]
        for first in range(end):
            for change in changes.get((first, end), ()):
                found += [_longer(beam, change.text, change.gain, change.cost) for beam in beams[first]]
        best: dict[str, _Beam] = {}
        for beam in found:
            if beam.text not in best or beam > best[beam.text]:
                best[beam.text] = beam
        beams[end] = sorted(best.values(), key=lambda beam: (-beam.score, beam.text))[:width]
    return _best([Candidate(beam.text, beam.score, beam.cost) for beam in beams[-1]], query, width, names)


def _best(candidates: list[Candidate], query: str, width: int, names: list[Candidate]) -> list[Candidate]:
    """The best of ``names`` is not crowded out by what words may have meant."""
    others = sorted((one for one in candidates if one.text != query), key=_order)[:width]
    name = min(names, key=_order, default=None)
    if name and name.text != query and width > 1 and all(one.text != name.text for one in others):
        others = [*others[: width - 1], name]
    return sorted([*others, Candidate(query, 0.0, 0.0)], key=_order)


def _order(one: Candidate) -> tuple[float, float, str]:
    return -one.score, one.cost, one.text


def _longer(beam: _Beam, text: str, gain: float, cost: float) -> _Beam:
    return _Beam(beam.score + gain, beam.cost + cost, f"{beam.text} {text}" if beam.text else text)
