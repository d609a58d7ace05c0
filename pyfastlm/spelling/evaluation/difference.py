"""By how much one corrector is better than another on the same queries."""

from typing import NamedTuple

from pyfastlm.errors import InputError
from pyfastlm.spelling.evaluation import measures
from pyfastlm.spelling.evaluation.report import Interval, Report


class Gain(NamedTuple):
    """A measure of a report less that of the other, and its 95 % interval; NaN where one has no value."""

    value: float
    interval: Interval


class Difference(NamedTuple):
    """Of each measure, by its name in a report; ``accuracy`` at each rate of :attr:`Report.mixed`."""

    precision: Gain
    recall: Gain
    f1: Gain
    recall_at_1: Gain
    recall_at_k: Gain
    false_correction_rate: Gain
    novel_false_correction_rate: Gain
    accuracy: tuple[Gain, ...]


def difference(report: Report, base: Report, *, seed: int = 0) -> Difference:
    """``report`` less ``base``, with intervals from the same queries drawn anew for both.

    Raises:
        InputError: they are not of the same queries in the same form, or count other numbers of candidates.
    """
    if report.outcomes.digest != base.outcomes.digest:
        raise InputError("base: expected a report of the same queries in the same order, got one of others")
    if report.k != base.k:
        raise InputError(f"base: expected a report with k={report.k}, got k={base.k}")
    whole = [measures.shares(measures.sums(one.outcomes)) for one in (report, base)]
    drawn = [measures.shares(measures.resampled(one.outcomes, seed)) for one in (report, base)]

    def gain(values: list[measures.Doubles], draws: list[measures.Doubles]) -> Gain:
        return Gain(float((values[0] - values[1])[0]), measures.interval(draws[0] - draws[1]))

    names = Difference._fields[:-1]
    gains = {name: gain([one[name] for one in whole], [one[name] for one in drawn]) for name in names}
    accuracy = tuple(
        gain(
            [measures.mixed_accuracy(one, rate) for one in whole],
            [measures.mixed_accuracy(one, rate) for one in drawn],
        )
        for rate in measures.RATES
    )
    return Difference(**gains, accuracy=accuracy)
