"""Judgements and runs, checked, and the one order that a run stands for."""

import math
from collections.abc import Mapping
from numbers import Integral, Real
from typing import TypeAlias

from pyfastlm.errors import InputError, InputTypeError

Qrel: TypeAlias = Mapping[str, Mapping[str, int]]
"""Relevance by query and document; 0 and below is not relevant."""

Run: TypeAlias = Mapping[str, Mapping[str, float]]
"""Scores by query and document; higher is better."""


def ordered(scores: Mapping[str, float]) -> list[str]:
    """Documents by (-score, id): of equal scores, the id that comes first in the alphabet."""
    return sorted(scores, key=lambda document: (-scores[document], document))


def check_qrel(qrel: Qrel) -> None:
    """Raise :class:`InputError` or :class:`InputTypeError` where ``qrel`` is no judgements."""
    if not isinstance(qrel, Mapping):
        raise InputTypeError(f"qrel: expected a mapping of queries to judgements, got {type(qrel).__name__}")
    if not qrel:
        raise InputError("qrel: expected at least one query, got none")
    for query, judged in qrel.items():
        if not isinstance(judged, Mapping):
            raise InputTypeError(
                f"qrel: query {query!r}: expected a mapping of documents to relevances, "
                f"got {type(judged).__name__}"
            )
        for document, relevance in judged.items():
            if isinstance(relevance, bool) or not isinstance(relevance, Integral):
                raise InputTypeError(
                    f"qrel: query {query!r}, document {document!r}: expected a whole number, "
                    f"got {relevance!r}"
                )


def check_run(run: Run) -> None:
    """Raise :class:`InputError` or :class:`InputTypeError` where ``run`` is no scores."""
    if not isinstance(run, Mapping):
        raise InputTypeError(f"run: expected a mapping of queries to scores, got {type(run).__name__}")
    for query, scores in run.items():
        if not isinstance(scores, Mapping):
            raise InputTypeError(
                f"run: query {query!r}: expected a mapping of documents to scores, "
                f"got {type(scores).__name__}"
            )
        for document, score in scores.items():
            where = f"run: query {query!r}, document {document!r}"
            if isinstance(score, bool) or not isinstance(score, Real):
                raise InputTypeError(f"{where}: expected a number, got {score!r}")
            if math.isnan(score):
                raise InputError(f"{where}: expected a number, got NaN, which has no place in an order")
