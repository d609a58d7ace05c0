"""All measures of a run, query by query."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.ir.measures.binary import average_precision, recall, reciprocal_rank
from pyfastlm.ir.measures.bootstrap import SEED, Interval, interval
from pyfastlm.ir.measures.gains import Ties, ndcg
from pyfastlm.ir.measures.ranking import Qrel, Run, check_qrel, check_run, ordered

MEASURES = ("ndcg_at_10", "mrr_at_10", "recall_at_5", "recall_at_10", "recall_at_20", "recall_at_100", "map")


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Of a run, by query.

    Attributes:
        queries: the Q queries with judgements, in the order of the judgements.
        values: [Q, measures] float64, columns as in ``MEASURES``.
        unanswered: how many of the queries the run does not have; their values are 0.
    """

    queries: tuple[str, ...]
    values: NDArray[np.float64]
    unanswered: int

    def of(self, measure: str) -> NDArray[np.float64]:
        """[Q], one measure by query.

        Raises:
            InputError: there is no such measure.
        """
        if measure not in MEASURES:
            raise InputError(f"measure: expected one of {', '.join(MEASURES)}; got {measure!r}")
        column: NDArray[np.float64] = self.values[:, MEASURES.index(measure)]
        return column

    @property
    def ndcg_at_10(self) -> float:
        """Its mean over the queries."""
        return float(self.of("ndcg_at_10").mean())

    def summary(self, measure: str = "ndcg_at_10", *, replicates: int = 1000, seed: int = SEED) -> Interval:
        """Mean of a measure, with its bootstrap interval over queries."""
        return interval(self.of(measure), replicates=replicates, seed=seed)


def evaluate(qrel: Qrel, run: Run, *, ties: Ties = "id") -> Evaluation:
    """Measure a run against judgements.

    Queries of the run without judgements are left out; queries with judgements that the run lacks count 0,
    as in ir-measures (trec_eval leaves them out). Equal scores are ordered by the id of the document, or as
    ``ties`` says for NDCG (:func:`pyfastlm.ir.measures.ndcg`).

    Raises:
        InputError, InputTypeError: there is no query, a relevance is no whole number, or a score no number.
    """
    check_qrel(qrel)
    check_run(run)
    rows = []
    for query, judged in qrel.items():
        scores = run.get(query, {})
        order = ordered(scores)
        rows.append(
            [
                ndcg(judged, scores, 10, ties=ties),
                reciprocal_rank(judged, order, 10),
                *(recall(judged, order, k) for k in (5, 10, 20, 100)),
                average_precision(judged, order),
            ]
        )
    return Evaluation(tuple(qrel), np.array(rows, np.float64), sum(query not in run for query in qrel))


def ndcg_at_10(qrel: Qrel, run: Run, *, ties: Ties = "id") -> float:
    """Mean NDCG@10 over the queries with judgements; see :func:`pyfastlm.ir.measures.ndcg`.

    Args:
        qrel: {query: {document: relevance}}.
        run: {query: {document: score}}; a query that it lacks counts 0.
        ties: what equal scores mean.

    Raises:
        InputError, InputTypeError: as :func:`evaluate`.
    """
    check_qrel(qrel)
    check_run(run)
    return float(np.mean([ndcg(judged, run.get(query, {}), 10, ties=ties) for query, judged in qrel.items()]))
