"""How often what was meant is among the candidates."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.lm.progress import watched
from pyfastlm.spelling.correction import Candidate
from pyfastlm.spelling.evaluation.evaluating import pairs_of
from pyfastlm.spelling.evaluation.outcomes import Form, differing

Suggest = Callable[[str, int], Sequence[Candidate | str]]


class KindRecall(NamedTuple):
    """Of one class of errors: ``n`` queries, how often what was meant came first, and among the first k."""

    kind: str
    n: int
    at_1: float
    at_k: float


@dataclass(frozen=True, slots=True, eq=False)
class CandidateRecall:
    """Over queries that need a change.

    Attributes:
        k: how many candidates were asked for.
        n: queries.
        at_1, at_k: share whose meant text was the first of the candidates, or one of the first ``k``.
        by_kind: of the classes of errors, by their names.
        ranks: [n] int32, the place of the text that was meant, from 1; 0 where it is not among them.
    """

    k: int
    n: int
    at_1: float
    at_k: float
    by_kind: tuple[KindRecall, ...]
    ranks: NDArray[np.int32] = field(repr=False)

    def at(self, k: int) -> float:
        """Share of queries whose meant text was one of the first ``k`` candidates.

        Raises:
            InputError: more candidates than were asked for.
        """
        if not 1 <= k <= self.k:
            raise InputError(f"k: expected 1 to {self.k}, got {k}")
        return _share(self.ranks, k)


def candidate_recall(
    suggest: Suggest,
    pairs: Iterable[tuple[str, ...]],
    k: int = 10,
    *,
    form: Form = str,
    progress: bool = False,
) -> CandidateRecall:
    """Ask for candidates of every misspelling; the query itself takes no place among them.

    Args:
        suggest: such as ``speller.suggest``, or a function of (query, k) that returns texts, best first. It
            is asked for one more than ``k``, since the query may be one of them.
        pairs: :class:`Pair`, or (noisy, gold) with a class or without; equal ones are passed over.
        k: how many candidates count.
        form: in which texts are compared, as of :func:`evaluate`.
        progress: show a bar on standard error.

    Raises:
        InputError: no pair needs a change, or ``k`` is not 1 or more.
    """
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise InputError(f"k: expected a whole number >= 1, got {k!r}")
    wrong = [pair for pair in pairs_of(pairs) if form(pair.noisy) != form(pair.gold)]
    if not wrong:
        raise InputError("pairs: expected at least one that needs a change, got none")
    ranks = np.zeros(len(wrong), np.int32)
    for place, pair in enumerate(watched(wrong, len(wrong), "misspelt", progress)):
        found = (item if isinstance(item, str) else item.text for item in suggest(pair.noisy, k + 1))
        others, gold = differing(found, form(pair.noisy), k, form), form(pair.gold)
        ranks[place] = others.index(gold) + 1 if gold in others else 0
    kinds = np.array([pair.kind for pair in wrong])
    return CandidateRecall(
        k=k,
        n=len(wrong),
        at_1=_share(ranks, 1),
        at_k=_share(ranks, k),
        by_kind=tuple(_of_kind(kind, ranks[kinds == kind], k) for kind in sorted(set(kinds.tolist()))),
        ranks=ranks,
    )


def _of_kind(kind: str, ranks: NDArray[np.int32], k: int) -> KindRecall:
    return KindRecall(kind, len(ranks), _share(ranks, 1), _share(ranks, k))


def _share(ranks: NDArray[np.int32], k: int) -> float:
    return float(((ranks > 0) & (ranks <= k)).mean())
