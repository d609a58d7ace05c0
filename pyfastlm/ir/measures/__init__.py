"""How good a ranking is: NDCG with linear gain, reciprocal rank, recall, average precision, intervals."""

from pyfastlm.ir.measures.bootstrap import Difference, Interval, interval, paired
from pyfastlm.ir.measures.evaluating import MEASURES, Evaluation, evaluate, ndcg_at_10
from pyfastlm.ir.measures.gains import ndcg
from pyfastlm.ir.measures.ranking import Qrel, Run, ordered

__all__ = [
    "MEASURES",
    "Difference",
    "Evaluation",
    "Interval",
    "Qrel",
    "Run",
    "evaluate",
    "interval",
    "ndcg",
    "ndcg_at_10",
    "ordered",
    "paired",
]
