"""What similar terms are judged by: every term, word and pair of both compared with a text, slowly."""

import math
from collections.abc import Mapping
from pathlib import Path

import pytest
import terms as slow

from pyfastlm.index import EditCosts, TermIndex, Weights
from pyfastlm.index.term_index import WEIGHTS

SHORT = 8  # code points of terms that are found within two edits
COSTS = EditCosts()


def built(terms: Mapping[str, float], path: Path) -> TermIndex:
    return TermIndex.build(terms.items(), path, similar=True)


def edits(text: str, term: str) -> int:
    return slow.osa(text, term)[-1]


def most_edits(text: str) -> int:
    return 2 if len(text) < 7 else 3 + len(text) // 12


def trigrams(text: str) -> set[tuple[str, ...]]:
    marked = ["mark", *text, "mark"]
    return {tuple(marked[i : i + 3]) for i in range(len(text))}


def share(text: str, term: str) -> float:
    a, b = trigrams(text), trigrams(term)
    return 2 * len(a & b) / (len(a) + len(b)) if a and b else 0.0


def must_be_found(text: str, term: str) -> bool:
    """Certainly; a term with fewer common trigrams may be, where others fall together by their hashes."""
    if len(term) <= SHORT and edits(text, term) <= 2:
        return bool(set(text) & set(term))
    common = len(trigrams(text) & trigrams(term))
    near = abs(len(text) - len(term)) <= 2 + len(text) // 12
    return near and 2 * common >= len(trigrams(text)) and edits(text, term) <= most_edits(text)


def words_of(terms: Mapping[str, float]) -> dict[str, float]:
    """The words of those terms that have a space, with the best score."""
    best: dict[str, float] = {}
    for term, score in terms.items():
        for word in slow.words_of(term) if " " in term else ():
            best[word] = max(score, best.get(word, score))
    return best


def pairs_of(text: str, known: Mapping[str, float], total: float) -> dict[str, float]:
    found: dict[str, float] = {}
    for at in range(1, len(text)):
        left, right = (known.get(part) for part in (text[:at], text[at:]))
        if left is not None and right is not None:
            together = left / total * right if left > 0 and right > 0 else 0.0
            found.setdefault(f"{text[:at]} {text[at:]}", together)
    return found


def check(
    index: TermIndex,
    terms: Mapping[str, float],
    text: str,
    *,
    costs: EditCosts = COSTS,
    weights: Weights = WEIGHTS,
    words: bool = False,
) -> list[str]:
    found = index.similar(text, 1000, costs=costs, weights=weights, words=words)
    if not 0 < len(text) <= 255:
        assert found == []
        return []
    known = {**(words_of(terms) if words else {}), **terms}
    total = sum(max(score, 0.0) for score in terms.values())
    pairs = pairs_of(text, known, total)
    scores = pairs | known
    for one in found:
        assert one.score == pytest.approx(scores[one.term], rel=1e-12)
        assert one.edits == edits(text, one.term)
        assert one.edits <= most_edits(text)
        assert one.cost == pytest.approx(costs.cost(text, one.term), rel=1e-6)
        assert one.share == pytest.approx(share(text, one.term), rel=1e-6)
        popular = math.log1p(max(one.score, 0)) - math.log1p(total)
        fit = weights.popularity * popular - weights.cost * one.cost + weights.share * one.share
        assert one.fit == pytest.approx(fit, rel=1e-5, abs=1e-5)
    names = [one.term for one in found]
    assert len(set(names)) == len(names)
    assert names == [one.term for one in sorted(found, key=lambda one: (-one.fit, one.term.encode()))]
    expected = {term for term in known if must_be_found(text, term)} | pairs.keys()
    assert expected <= set(names)
    return names
