"""Candidates of an index ordered anew by what a language model makes of the session."""

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.lm.choice import likeliest
from pyfastlm.lm.loading import LMLike
from pyfastlm.lm.scorer import Scorer
from pyfastlm.qac.popularity import Candidate, Popularity
from pyfastlm.qac.prompts import completion, prompt
from pyfastlm.qac.query import Query

CANDIDATES = 30
REMEMBERED = 1 << 16  # terms whose log-probability without context is kept


@dataclass(frozen=True, slots=True)
class Weights:
    """Of ``log(1 + count)``, ``log P(term | context)`` and ``log P(term)``, all in nats.

    The default is Bayes' rule: the counts as prior, times how much likelier the context makes the term. The
    last one also takes away a language model's liking for short terms.
    """

    count: float = 1.0
    context: float = 1.0
    plain: float = -1.0


class SessionReranker:
    """Orders candidates by their counts and by a language model that has read the session's searches.

    As an engine it asks ``base`` for candidates and orders those of queries with a context; others stay as
    they are. A context is read once for all of its candidates.

    Args:
        lm: an :class:`pyfastlm.lm.LM`, or anything that :func:`pyfastlm.lm.load` takes.
        base: where candidates come from; :meth:`rerank` works without.
        candidates: how many of them are looked at.
        weights: see :class:`Weights` and :meth:`fit`.
        typed: show the model what was typed, too; for models that were trained so.
    """

    def __init__(
        self,
        lm: LMLike,
        base: Popularity | None = None,
        *,
        candidates: int = CANDIDATES,
        weights: Weights = Weights(),
        typed: bool = False,
    ) -> None:
        self.base = base
        self.weights = weights
        self.typed = typed
        self.normalizer = "none" if base is None else base.normalizer
        self.index = None if base is None else base.index
        self._candidates = candidates
        self._scorer = Scorer(lm)
        self._plain: dict[str, float] = {}

    def answers(self, queries: Sequence[Query], k: int) -> list[list[str]]:
        """See :class:`pyfastlm.qac.query.Engine`."""
        offered = self._offered(queries, max(k, self._candidates))
        asked = [number for number, query in enumerate(queries) if query.past and offered[number]]
        features = self.features([queries[number] for number in asked], [offered[n] for n in asked])
        for number, of_query in zip(asked, features, strict=True):
            offered[number] = _ordered(offered[number], of_query, self.weights)
        return [[term for term, _ in found[:k]] for found in offered]

    def rerank(
        self, candidates: Sequence[Candidate], past: Sequence[str], k: int | None = None, *, prefix: str = ""
    ) -> list[Candidate]:
        """``candidates``, pairs (term, count), in the order of their scores, which they get instead.

        Args:
            candidates: any order; equal scores stay in it.
            past: earlier searches of the session, oldest first; without one nothing changes.
            k: how many to return; all by default.
            prefix: what was typed, where the model reads it.
        """
        given = list(candidates)
        if not past or not given:
            return given[:k]
        (features,) = self.features([Query(prefix, tuple(past))], [given])
        return _ordered(given, features, self.weights)[:k]

    def features(
        self, queries: Sequence[Query], candidates: Sequence[Sequence[Candidate]]
    ) -> list[NDArray[np.float64]]:
        """Of each query [candidates, 3]: what :class:`Weights` weigh, in nats."""
        new = {term for found in candidates for term, _ in found if term not in self._plain}
        if len(self._plain) + len(new) > REMEMBERED:
            self._plain.clear()
            new = {term for found in candidates for term, _ in found}
        unseen = sorted(new)
        pairs = [(prompt(()), completion(term)) for term in unseen]
        for query, found in zip(queries, candidates, strict=True):
            context = prompt(query.past, query.prefix if self.typed else None)
            pairs += [(context, completion(term)) for term, _ in found]
        logp = iter([score.logp for score in self._scorer.conditional(pairs)])
        self._plain.update((term, next(logp)) for term in unseen)
        return [
            np.array(
                [(np.log1p(max(count, 0.0)), next(logp), self._plain[term]) for term, count in found]
            ).reshape(-1, 3)
            for found in candidates
        ]

    def fit(self, queries: Iterable[Query], terms: Iterable[str]) -> Weights:
        """Choose the weights under which the ``terms`` that were searched are likeliest, and keep them.

        Conditional logit over the candidates of each query with a context that have the term among them.
        Give it rows before those that it is to be judged by.

        Raises:
            InputError: there is no such query.
        """
        usable = [(query, term) for query, term in zip(queries, terms, strict=True) if query.past]
        offered = self._offered([query for query, _ in usable], self._candidates)
        kept = [
            (query, found, [candidate for candidate, _ in found].index(term))
            for (query, term), found in zip(usable, offered, strict=True)
            if term in dict(found)
        ]
        if not kept:
            raise InputError(
                "queries: expected at least one with a context whose term is among the candidates"
            )
        features = self.features([query for query, _, _ in kept], [found for _, found, _ in kept])
        places = [place for _, _, place in kept]
        self.weights = Weights(*likeliest(features, places, astuple(self.weights)))
        return self.weights

    def _offered(self, queries: Sequence[Query], count: int) -> list[list[Candidate]]:
        if self.base is None:
            raise InputError("base: expected an engine that offers candidates, got none")
        return self.base.candidates(queries, count)


def _ordered(
    candidates: Sequence[Candidate], features: NDArray[np.float64], weights: Weights
) -> list[Candidate]:
    scores = features @ np.array(astuple(weights))
    return [(candidates[place][0], float(scores[place])) for place in np.argsort(-scores, kind="stable")]
