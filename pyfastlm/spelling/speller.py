"""A corrector that knows the catalogue."""

import math
import os
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.index import EditCosts, TermIndex, Weights
from pyfastlm.index.term_index import COSTS, WEIGHTS
from pyfastlm.spelling.candidates.odds import Odds, english_odds
from pyfastlm.spelling.candidates.options import Lexicon
from pyfastlm.spelling.candidates.weighing import Weighing
from pyfastlm.spelling.context.fuzzy import Fuzzy, resembling
from pyfastlm.spelling.context.retriever import Retriever
from pyfastlm.spelling.correction import Candidate, Correction
from pyfastlm.spelling.deciding.decider import Decider

if TYPE_CHECKING:
    from pyfastlm.lm.loading import LMLike

CANDIDATES = 10  # of a correction, besides the query
NAMES = 10  # of the catalogue, that a language model reads
NEAR = 2.0  # the cost of a name for all of a query at which suggestions look at no words: two slips or more
# With the odds for English: 5 % of names that nobody knows are changed (docs/spelling.md).
THRESHOLD = -0.5


class Speller:
    """Corrects the words of queries that neither the catalogue nor a dictionary has, where that is likely.

    Candidates come from :meth:`TermIndex.similar`: for each word of a query, for neighbours that may be one
    word, and for all of it. What the catalogue has is never changed, nor is a word that is more likely a name
    nobody knows yet: see :class:`Odds`. A name that is added to the index is known at once.

    Args:
        index: the catalogue, built with ``similar=True``, or its path; scores are popularities.
        lm: a language model that weighs the candidates beside names of the catalogue: an
            :class:`pyfastlm.lm.LM`, or anything that :func:`pyfastlm.lm.load` takes.
        english: a dictionary with counts, built in the same way; words that only it has are known as well.
        costs: of edits.
        weights: of the cost, the popularity and the shared trigrams of a candidate.
        odds: by default those fitted to English; :func:`pyfastlm.spelling.train` fits others.
        threshold: a query is changed where the log-odds are above.
        exclude: words and queries that are never changed.
        decider: decides between the candidates in place of the threshold; by default :class:`Scoring` where
            there is an ``lm``.
        retriever: finds the names of the catalogue that a decider's language model reads; by default
            :class:`Fuzzy` over the index.
        threads: for batches.

    Raises:
        InputError: an index was not built with ``similar=True``, or an argument is out of its range.
    """

    def __init__(
        self,
        index: TermIndex | str | os.PathLike[str],
        lm: "LMLike | None" = None,
        english: TermIndex | str | os.PathLike[str] | None = None,
        *,
        costs: EditCosts = COSTS,
        weights: Weights = WEIGHTS,
        odds: Odds | None = None,
        threshold: float = THRESHOLD,
        exclude: Collection[str] = (),
        decider: Decider | None = None,
        retriever: Retriever | None = None,
        threads: int | None = None,
    ) -> None:
        if not math.isfinite(threshold):
            raise InputError(f"threshold: expected a finite number, got {threshold!r}")
        if isinstance(exclude, str):
            raise InputTypeError("exclude: expected several texts, got one string")
        self.index = _opened("index", index)
        self.english = None if english is None else _opened("english", english)
        self.threshold = threshold
        self._weighing = Weighing(
            Lexicon(self.index, self.english, costs, weights),
            english_odds() if odds is None else odds,
            {self._normal(text) for text in exclude},
        )
        self._decider = _scoring(lm) if decider is None and lm is not None else decider
        self._retriever = Fuzzy(resembling(self.index)) if retriever is None else retriever
        self._threads = threads

    def suggest(self, query: str, k: int = 10) -> list[Candidate]:
        """The best ``k`` texts that ``query`` may mean, best first.

        Of two or more, the query itself is one; of three or more, so is the likeliest text for all of it.
        Where a name for all of the query is near, no words are looked at.

        Raises:
            InputError: the query is no Unicode text, or ``k`` no whole number above 0.
        """
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise InputError(f"k: expected a whole number >= 1, got {k!r}")
        return self._weighed([query], max(k - 1, 1), 1, near=NEAR)[0][:k]

    def correct(self, query: str) -> Correction:
        """What ``query`` is taken to mean: itself, or the best candidate.

        Raises:
            InputError: it is no Unicode text.
        """
        return self.correct_all([query])[0]

    def correct_all(self, queries: Sequence[str]) -> list[Correction]:
        """The same for many queries, on several threads.

        Raises:
            InputError: see :meth:`correct`.
        """
        if isinstance(queries, str):
            raise InputTypeError("queries: expected several texts, got one string")
        queries = list(queries)
        weighed = self._weighed(queries, CANDIDATES, self._threads)
        if self._decider is not None:
            return self._decider.decide(queries, weighed, self._retriever.retrieve(queries, NAMES))
        return [self._decided(query, found) for query, found in zip(queries, weighed, strict=True)]

    def has_mistakes(self, query: str) -> bool:
        """Whether :meth:`correct` changes it."""
        return self.correct(query).changed

    def _decided(self, query: str, candidates: Sequence[Candidate]) -> Correction:
        others = [one for one in candidates if one.text != query]
        margin = others[0].score + self.threshold if others else -math.inf
        changed = margin > self.threshold
        return Correction(others[0].text if changed else query, changed, margin, tuple(candidates))

    def _weighed(
        self, queries: Sequence[str], width: int, threads: int | None, near: float = -math.inf
    ) -> list[list[Candidate]]:
        normal = [self._normal(_text(query)) for query in queries]
        found = self._weighing.candidates(normal, width, threshold=self.threshold, near=near, threads=threads)
        return [
            of_query if text == query else _as_written(of_query, text, query)
            for of_query, text, query in zip(found, normal, queries, strict=True)
        ]

    def _normal(self, text: str) -> str:
        return " ".join(self.index.normal(text).split())


def _scoring(lm: "LMLike") -> Decider:
    from pyfastlm.spelling.deciding.scoring import Scoring

    return Scoring(lm)


def _as_written(candidates: Sequence[Candidate], normal: str, query: str) -> list[Candidate]:
    """With the query in place of its normal form."""
    return [one._replace(text=query) if one.text == normal else one for one in candidates]


def _opened(name: str, index: TermIndex | str | os.PathLike[str]) -> TermIndex:
    found = index if isinstance(index, TermIndex) else TermIndex.open(index)
    if not found.has_similar:
        raise InputError(f"{name}: expected an index built with similar=True")
    return found


def _text(query: str) -> str:
    if not isinstance(query, str):
        raise InputTypeError(f"query: expected a text, got {type(query).__name__}")
    try:
        query.encode()
    except UnicodeEncodeError:
        raise InputError("query: expected Unicode, got a lone surrogate in it") from None
    return query
