"""Laws side by side: how well each fits curves, and how well it goes on from their beginnings."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.icl.fitted import Fit, relative_error
from pyfastlm.icl.fitting.fitting import fit_many
from pyfastlm.icl.laws import LAW_NAMES, Doubles, LawName
from pyfastlm.icl.problem import Loss, Problem, check_options, problem

WHOLE = 1.0
FRACTIONS = (WHOLE, 0.05, 0.1, 0.2, 0.5)
BASELINES = ("last value", "mean")
RESAMPLED = 2000


class Score(NamedTuple):
    """Of a law, or a baseline, on one set of curves: errors on all shots where ``fraction`` is 1, else on
    those behind it. ``fit`` is None of baselines."""

    law: str
    fraction: float
    set: int
    nrmse: float
    nrmse_nll: float
    n_params: int
    fit: Fit | None


class Mean(NamedTuple):
    """Over sets: means of ``nrmse``, with its 95 % interval by bootstrap, of ``nrmse_nll``, and of the fits'
    ``aic`` and ``bic`` (NaN of baselines), which judge what was fitted; ``warned`` is a share of fits."""

    law: str
    fraction: float
    nrmse: float
    low: float
    high: float
    nrmse_nll: float
    n_params: int
    warned: float
    aic: float
    bic: float


class Difference(NamedTuple):
    """``mean`` of a's nrmse less b's over sets, its 95 % interval by bootstrap, the paired t-test's ``p``,
    and on how many sets a is the better."""

    mean: float
    low: float
    high: float
    p: float
    better: int
    sets: int


class Comparison(NamedTuple):
    """What :func:`compare` found."""

    scores: tuple[Score, ...]
    seed: int

    def means(self) -> list[Mean]:
        """A row for each fraction and law, in the order they were asked for."""
        rows: dict[tuple[float, str], list[Score]] = {}
        for score in self.scores:
            rows.setdefault((score.fraction, score.law), []).append(score)
        return [self._mean(*key, found) for key, found in rows.items()]

    def difference(self, a: str, b: str, fraction: float = WHOLE) -> Difference:
        """Whether law ``a`` errs less than ``b`` on the same sets.

        Raises:
            InputError: one of them was not compared at that fraction, or there is one set only.
        """
        first, second = (
            np.array([s.nrmse for s in self.scores if (s.law, s.fraction) == (law, fraction)])
            for law in (a, b)
        )
        if len(first) < 2 or len(first) != len(second):
            raise InputError(f"a, b: expected laws compared at {fraction:g} on two sets or more")
        off = first - second
        low, high = _interval(off, self.seed)
        same = bool((off == off[0]).all())  # whose t is no number
        stats = require("scipy.stats", "icl")
        p = float(off[0] == 0) if same else float(stats.ttest_rel(first, second).pvalue)
        return Difference(float(off.mean()), low, high, p, int((off < 0).sum()), len(off))

    def _mean(self, fraction: float, law: str, found: list[Score]) -> Mean:
        errors = np.array([score.nrmse for score in found])
        low, high = _interval(errors, self.seed)
        return Mean(
            law,
            fraction,
            float(errors.mean()),
            low,
            high,
            float(np.mean([score.nrmse_nll for score in found])),
            found[0].n_params,
            float(np.mean([bool(score.fit and score.fit.warnings) for score in found])),
            float(np.mean([score.fit.aic if score.fit else np.nan for score in found])),
            float(np.mean([score.fit.bic if score.fit else np.nan for score in found])),
        )


def compare(
    sets: Iterable[tuple[Any, Any]],
    *,
    laws: Sequence[LawName] = LAW_NAMES,
    fractions: Sequence[float] = FRACTIONS,
    starts: int = 8,
    loss: Loss = "mse_prob",
    hypotheses: int | None = None,
    seed: int = 0,
    threads: int | None = None,
) -> Comparison:
    """Fit each law to each set of curves, whole and to its beginnings, beside what needs no law.

    Args:
        sets: ``(shots, nll)`` each, as :func:`pyfastlm.icl.fit` takes them.
        laws: names of :data:`pyfastlm.icl.LAWS`.
        fractions: 1 fits and judges all shots; x fits those up to x of the largest, and judges the others.
        starts, loss, seed, threads: of the fits.
        hypotheses: of the Bayesian laws, the curves of a set by default.

    Raises:
        InputError: as :func:`fit`; or a fraction leaves nothing to fit or to judge.
    """
    chosen = [check_options(law, loss, starts, "raise", None) for law in laws]
    given = [problem(*each, loss, "raise", f"sets[{n}]: ") for n, each in enumerate(sets)]
    if not given:
        raise InputError("sets: expected at least one, got none")
    scores: list[Score] = []
    for fraction in fractions:
        if not 0 < fraction <= WHOLE:
            raise InputError(f"fractions: expected numbers above 0, up to 1, got {fraction:g}")
        seen = [_seen(each, fraction, n) for n, each in enumerate(given)]
        judged = [np.ones_like(some) if fraction == WHOLE else ~some for some in seen]
        parts = [(each.shots[some], _shaped(each, some)) for each, some in zip(given, seen, strict=True)]
        for law, known in zip(laws, chosen, strict=True):
            fits = fit_many(
                law, parts, starts=starts, loss=loss, hypotheses=hypotheses if known.joint else None,
                seed=seed, threads=threads,
            )  # fmt: skip
            for n, (each, some, found) in enumerate(zip(given, judged, fits, strict=True)):
                guess = found.predict(each.shots[some]).reshape(len(each.nll), -1)
                scores.append(_score(law, fraction, n, each, some, guess, found))
        for name in BASELINES:
            for n, (each, some, rest) in enumerate(zip(given, seen, judged, strict=True)):
                guess = np.repeat(_baseline(name, each, some)[:, None], int(rest.sum()), axis=1)
                scores.append(_score(name, fraction, n, each, rest, guess, None))
    return Comparison(tuple(scores), seed)


def _seen(each: Problem, fraction: float, place: int) -> Any:
    """Which shots are fitted."""
    seen = each.shots <= fraction * each.shots.max()
    if not seen.any() or (fraction < WHOLE and seen.all()):
        raise InputError(
            f"fractions: at {fraction:g}, sets[{place}] has {int(seen.sum())} of {len(seen)} shots to fit"
        )
    return seen


def _shaped(each: Problem, seen: Any) -> Doubles:
    """Curves as they were given."""
    curves = each.nll[:, seen]
    return curves.reshape(each.groups, each.tasks, -1) if each.grouped else curves


def _baseline(name: str, each: Problem, seen: Any) -> Doubles:
    """One loss for each curve: of the last shot that was seen, or of the mean probability."""
    if name == "mean":
        with np.errstate(divide="ignore"):  # of probability 0
            return np.asarray(-np.log(np.exp(-each.nll[:, seen]).mean(axis=1)))
    last = int(np.flatnonzero(seen)[np.argmax(each.shots[seen])])
    return each.nll[:, last]


def _score(
    law: str, fraction: float, place: int, each: Problem, some: Any, guess: Doubles, fit: Fit | None
) -> Score:
    truth = each.nll[:, some]
    nrmse, nrmse_nll = relative_error(np.exp(-truth), np.exp(-guess)), relative_error(truth, guess)
    return Score(law, fraction, place, nrmse, nrmse_nll, fit.n_params if fit else len(each.nll), fit)


def _interval(values: Doubles, seed: int) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    means = values[rng.integers(0, len(values), (RESAMPLED, len(values)))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)
