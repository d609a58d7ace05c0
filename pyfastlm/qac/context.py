"""What the session says about the next search, without a language model."""

import math
from collections.abc import Sequence

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.index.normalize import nfkc_casefold

SMALLEST = 1e-9  # the score that a candidate without a positive one counts with


def reorder(
    candidates: Sequence[tuple[str, float]],
    past: Sequence[str],
    k: int,
    *,
    same: float = 3.0,
    words: float = 2.0,
    beginning: float = 1.0,
    decay: float = 0.7,
) -> list[tuple[str, float]]:
    """The best ``k`` of ``candidates`` for a session that has searched for ``past``.

    A candidate c with score s is worth, in nats::

        log s + max over past p of decay ** age(p) * (same * [c = p] + words * jaccard(c, p))
              + beginning * shared(c, last p)

    ``age`` is 0 for the last search, 1 for the one before; ``jaccard`` is the share of words in common, and
    ``shared`` the length of the common beginning over that of the longer. All three are between 0 and 1, so
    a weight is the log of how many times more often a term must be searched for to stay ahead. Terms are
    compared in NFKC and case folded.

    Args:
        candidates: pairs (term, score) with scores like counts, best first; equal worth keeps this order.
            Scores that are not positive count as 1e-9.
        past: earlier searches of the session, the last one last. Where there is none, nothing moves.
        k: how many to return at most.
        same: for the same term again.
        words: for words in common.
        beginning: for a common beginning with the last search.
        decay: from each search to the one before, 0 to 1; 0 looks at the last search only.

    Returns:
        The pairs as they came, in their new order.

    Raises:
        InputError: an argument is not what it should be.
    """
    _check(past, k, {"same": same, "words": words, "beginning": beginning}, decay)
    if not past:
        return list(candidates[:k])
    searches = [_folded(search) for search in reversed(past)]
    known = [(decay**age, search, frozenset(search.split())) for age, search in enumerate(searches)]
    every = frozenset().union(*(others for _, _, others in known))

    def worth(candidate: tuple[str, float]) -> float:
        term, score = _folded(candidate[0]), candidate[1]
        own = frozenset(term.split())
        likeness = 0.0 if own.isdisjoint(every) else max(likenesses(term, own))
        return math.log(max(score, SMALLEST)) + likeness + beginning * _shared(term, searches[0])

    def likenesses(term: str, own: frozenset[str]) -> list[float]:
        found = []
        for weight, search, others in known:
            if common := len(own & others):
                jaccard = common / (len(own) + len(others) - common)
                found.append(weight * (words * jaccard + (same if term == search else 0.0)))
            else:
                found.append(0.0)
        return found

    return sorted(candidates, key=worth, reverse=True)[:k]


def _folded(text: str) -> str:
    # Of ASCII the same, in a tenth of the time.
    return " ".join(text.lower().split()) if text.isascii() else nfkc_casefold(text).strip(" ")


def _shared(a: str, b: str) -> float:
    if a[:1] != b[:1]:
        return 0.0
    common = 0
    for x, y in zip(a, b, strict=False):
        if x != y:
            break
        common += 1
    return common / max(len(a), len(b), 1)


def _check(past: Sequence[str], k: int, weights: dict[str, float], decay: float) -> None:
    if isinstance(past, str):
        raise InputTypeError("past: expected a sequence of strings, got one string")
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise InputError(f"k: expected a whole number >= 1, got {k!r}")
    for name, weight in weights.items():
        if not math.isfinite(weight):
            raise InputError(f"{name}: expected a finite number, got {weight!r}")
    if not 0 <= decay <= 1:
        raise InputError(f"decay: expected a number from 0 to 1, got {decay!r}")
