"""Decisions by a closed set: a language model says how likely each candidate is as the correction."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.lm.choice import likeliest
from pyfastlm.lm.loading import LMLike
from pyfastlm.lm.scorer import Scorer
from pyfastlm.spelling.checks import checked_texts
from pyfastlm.spelling.correction import Candidate, Correction
from pyfastlm.spelling.deciding.decider import Asked, Counts, asked, best_first, kept, weighed
from pyfastlm.spelling.prompts import CONTEXT_TOKENS, Prompts

CANDIDATES = 10


@dataclass(frozen=True, slots=True)
class Weights:
    """Of the channel score, ``log P(candidate | prompt)``, the same of the prompt without names, and tokens.

    The first three are in nats, the last one for each token of the candidate: a correction of the liking of
    language models for short texts.
    """

    channel: float = 1.0
    lm: float = 1.0
    plain: float = 0.0
    token: float = 0.0


class Scoring:
    """Scores candidates by ``weights``, and corrects where the best one is above the query by ``threshold``.

    What the prompts of several candidates have in common is read once.

    Args:
        lm: an :class:`pyfastlm.lm.LM`, or anything that :func:`pyfastlm.lm.load` takes.
        weights: see :class:`Weights` and :meth:`fit`.
        threshold: in the units of the score.
        plain: ask the model for the candidates without names, too, so that ``weights.plain`` counts.
        candidates: how many of them are weighed besides the query, the best ones by channel score.
        context_tokens: what names may take in a prompt.

    Attributes:
        weights, threshold: as above, and as they were fitted.
        counts: see :class:`Counts`.
    """

    def __init__(
        self,
        lm: LMLike,
        *,
        weights: Weights = Weights(),
        threshold: float = 0.0,
        plain: bool = False,
        candidates: int = CANDIDATES,
        context_tokens: int = CONTEXT_TOKENS,
    ) -> None:
        self.weights = weights
        self.threshold = threshold
        self.counts = Counts()
        self._plain = plain
        self._most = candidates
        self._scorer = Scorer(lm)
        self._prompts = Prompts(self._scorer.lm.tokenizer, context_tokens=context_tokens)

    def decide(
        self,
        queries: Sequence[str],
        candidates: Sequence[Sequence[Candidate]],
        contexts: Sequence[Sequence[str]] | None = None,
    ) -> list[Correction]:
        """See :class:`pyfastlm.spelling.deciding.Decider`.

        The candidates of a correction have ``weights`` in their scores. Where the model is not asked (the
        query is too long, or blank, or its only candidate), it is left alone, and they have those given.
        """
        rows = [self._cut(row) for row in asked(queries, candidates, contexts)]
        found = []
        for row, features in zip(rows, self._features(rows), strict=True):
            if features is None:
                self.counts += Counts(asked=1)
                found.append(kept(row))
                continue
            scores = features @ np.array(astuple(self.weights))
            scored = [
                each._replace(score=float(score)) for each, score in zip(row.candidates, scores, strict=True)
            ]
            correction = weighed(row.query, scored, self.threshold)
            overruled = correction.candidates[0].text != row.best
            self.counts += Counts(1, int(correction.changed), 1, int(overruled))
            found.append(correction)
        return found

    def fit(
        self,
        queries: Sequence[str],
        candidates: Sequence[Sequence[Candidate]],
        contexts: Sequence[Sequence[str]] | None,
        golds: Sequence[str],
    ) -> Weights:
        """Choose the weights and the threshold under which ``golds`` are likeliest, and keep them.

        Conditional logit over the candidates of each query that have the gold among them. The threshold is
        the weight of being the query itself, so it suits data with as many misspelled queries as these; see
        :func:`pyfastlm.spelling.threshold_for_rate` for another choice. Give it rows other than those that
        it is to be judged by.

        Raises:
            InputError: there is no such query, or as for :meth:`decide`.
        """
        rows = [self._cut(row) for row in asked(queries, candidates, contexts)]
        if len(checked_texts("golds", golds)) != len(rows):
            raise InputError(f"golds: expected one for each of {len(rows)} queries, got {len(golds)}")
        usable = [
            (row, [each.text for each in row.candidates].index(gold))
            for row, gold in zip(rows, golds, strict=True)
            if any(each.text == gold for each in row.candidates)
        ]
        features, places = [], []
        for (row, place), found in zip(usable, self._features([row for row, _ in usable]), strict=True):
            if found is not None:
                own = np.array([[float(each.text == row.query)] for each in row.candidates])
                features.append(np.hstack([found, own]))
                places.append(place)
        if not places:
            raise InputError("golds: expected at least one that is among the candidates of its query")
        *weights, self.threshold = likeliest(features, places, [*astuple(self.weights), self.threshold])
        self.weights = Weights(*weights)
        return self.weights

    def _cut(self, row: Asked) -> Asked:
        """``row`` with its best candidates and the query."""
        others = [each for each in best_first(row.candidates) if each.text != row.query][: self._most]
        own = [each for each in row.candidates if each.text == row.query][:1]
        return row._replace(candidates=best_first([*own, *others]))

    def _features(self, rows: Sequence[Asked]) -> list[NDArray[np.float64] | None]:
        """Of each row [candidates, 4]: what :class:`Weights` weigh; None where the model cannot be asked."""
        plain = self._plain and any(row.names is not None for row in rows)
        prompts = [self._read(row) for row in rows]
        pairs = []
        for row, (prompt, bare) in zip(rows, prompts, strict=True):
            completions = [self._prompts.completion(each.text) for each in row.candidates]
            pairs += [(prompt, text) for text in completions] if prompt is not None else []
            pairs += [(bare, text) for text in completions] if prompt is not None and plain else []
        scores = iter(self._scorer.conditional(pairs))
        found: list[NDArray[np.float64] | None] = []
        for row, (prompt, _) in zip(rows, prompts, strict=True):
            if prompt is None:
                found.append(None)
                continue
            given = [next(scores) for _ in row.candidates]
            alone = [next(scores).logp if plain else 0.0 for _ in row.candidates]
            found.append(
                np.array(
                    [
                        (each.score, score.logp, bare, score.n_tokens)
                        for each, score, bare in zip(row.candidates, given, alone, strict=True)
                    ]
                )
            )
        return found

    def _read(self, row: Asked) -> tuple[str | None, str]:
        """The prompt of a row, None where the model cannot read it, and the prompt without names."""
        if len(row.candidates) < 2 or not self._prompts.shown(row.query):
            return None, ""
        longest = max(self._prompts.lengths([self._prompts.completion(each.text) for each in row.candidates]))
        return (
            self._prompts.fitting(row.query, row.names, self._scorer.max_length - longest),
            self._prompts.prompt(row.query),
        )
