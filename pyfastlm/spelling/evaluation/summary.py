"""The report of outcomes."""

import numpy as np

from pyfastlm.spelling.evaluation import measures
from pyfastlm.spelling.evaluation.outcomes import Outcomes
from pyfastlm.spelling.evaluation.report import Intervals, Mixed, Report, Slice
from pyfastlm.spelling.evaluation.timing import Latency


def report_of(outcomes: Outcomes, latency: Latency, seed: int) -> Report:
    """Shares over all queries, by class of error, and their intervals."""
    whole = measures.shares(measures.sums(outcomes))
    drawn = measures.shares(measures.resampled(outcomes, seed))
    value = {name: float(share[0]) for name, share in whole.items()}
    return Report(
        k=outcomes.k,
        seed=seed,
        n=len(outcomes.kinds),
        n_clean=len(outcomes.clean.changed),
        n_novel=len(outcomes.novel.changed),
        intervals=Intervals(*(measures.interval(drawn[name]) for name in Intervals._fields)),
        by_kind=tuple(_slice(outcomes, kind) for kind in sorted(set(outcomes.kinds))),
        mixed=tuple(
            Mixed(
                rate,
                float(measures.mixed_accuracy(whole, rate)[0]),
                measures.interval(measures.mixed_accuracy(drawn, rate)),
                float(measures.mixed_precision(whole, rate)[0]),
            )
            for rate in measures.RATES
        ),
        latency=latency,
        outcomes=outcomes,
        **value,
    )


def _slice(outcomes: Outcomes, kind: str) -> Slice:
    chosen = np.array([other == kind for other in outcomes.kinds])
    needed = measures.columns(outcomes)[0]
    sums = {name: np.array([column[chosen].sum()], float) for name, column in needed.items()}
    value = measures.needed_shares(sums)
    return Slice(kind, int(chosen.sum()), *(float(value[name][0]) for name in Slice._fields[2:]))
