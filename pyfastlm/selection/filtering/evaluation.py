"""How well a filter tells included from excluded pages."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

THRESHOLD = 0.5


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Figures of n pages with labels; a ratio without a denominator is NaN.

    Attributes:
        pages, included: how many there are, and how many of them are of included domains.
        prevalence: their ratio: the precision of a filter that takes everything.
        true_positives, false_positives, false_negatives, true_negatives: pages by label and by a probability
            of 0.5 or more.
        precision, recall, f1: of the included, at that probability.
        top_precision: among the ``included`` pages of highest score, as many as a perfect filter would take.
        average_precision, roc_auc: of the order alone, over all thresholds. Equal scores count as one.
        brier: mean of (probability - label) squared; always guessing the prevalence has
            ``prevalence * (1 - prevalence)``.
        mean_probability: near ``prevalence`` for calibrated probabilities.
    """

    pages: int
    included: int
    prevalence: float
    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int
    precision: float
    recall: float
    f1: float
    top_precision: float
    average_precision: float
    roc_auc: float
    brier: float
    mean_probability: float


def evaluate(included: NDArray[np.bool_], probability: NDArray[np.float64]) -> Evaluation:
    """Figures for labels [n] and probabilities [n]."""
    n, positives = len(included), int(included.sum())
    taken = probability >= THRESHOLD
    hits, alarms = int((taken & included).sum()), int((taken & ~included).sum())
    missed = positives - hits
    order = np.argsort(-probability, kind="stable")
    above = np.cumsum(included[order])
    # Only where the score changes is there a threshold.
    ends = np.flatnonzero(np.r_[np.diff(probability[order]) != 0, np.ones(min(n, 1), bool)])
    found, seen = above[ends].astype(np.float64), ends + 1.0
    steps = np.diff(found, prepend=0)
    negatives = n - positives
    wrong = seen - found
    area = float(np.sum(np.diff(wrong, prepend=0) * (found - steps / 2)))
    return Evaluation(
        pages=n,
        included=positives,
        prevalence=_ratio(positives, n),
        true_positives=hits,
        false_positives=alarms,
        false_negatives=missed,
        true_negatives=negatives - alarms,
        precision=_ratio(hits, hits + alarms),
        recall=_ratio(hits, positives),
        f1=_ratio(2 * hits, 2 * hits + alarms + missed),
        top_precision=_ratio(int(above[positives - 1]) if positives else 0, positives),
        average_precision=_ratio(float(np.sum(steps * found / seen)), positives),
        roc_auc=_ratio(area, positives * negatives),
        brier=_ratio(float(np.sum((probability - included) ** 2)), n),
        mean_probability=_ratio(float(probability.sum()), n),
    )


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")
