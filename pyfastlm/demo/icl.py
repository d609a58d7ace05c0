"""What examples in the context are worth: a real model, and the best learner there can be."""

import time
from dataclasses import dataclass

import numpy as np

from pyfastlm.icl import GINC, LAWS, Curve, Fit, Task, beliefs, compare, fit, icl_curve, prompts
from pyfastlm.icl.comparison import BASELINES
from pyfastlm.icl.laws import Doubles, LawName
from pyfastlm.lm import LM

HMMS, K = 5, 3  # of GINC: hidden Markov models, words of a shot
SMOOTHING = 0.02  # what exact Bayes leaves to steps that no document makes
SEEN = 0.2  # of the shots, to go on from
HYPOTHESES = 2  # of a real model: the task, and something else
DRAWN: LawName = "bayesian_scoring"  # the law in the pictures
COLUMNS = ("model", "GINC", "GINC, behind the first fifth")


@dataclass(frozen=True, slots=True)
class Size:
    """Examples in a prompt and prompts, of the real model and of GINC."""

    shots: int
    permutations: int
    ginc_shots: int
    ginc_prompts: int


QUICK = Size(16, 2, 32, 40)
SHORT = Size(32, 6, 64, 100)
FULL = Size(64, 20, 64, 400)


@dataclass(frozen=True, slots=True)
class Row:
    """Root mean square error of probabilities over their mean, for each of ``COLUMNS``; and how many numbers
    were fitted to GINC's curves: one a curve by a baseline."""

    law: str
    errors: tuple[float, ...]
    n_params: int


@dataclass(frozen=True, slots=True, eq=False)
class Learning:
    """The section. ``control`` has answers dealt anew; ``ginc`` [HMMS, S] are losses in nats of exact Bayes;
    ``fits`` are of the law ``DRAWN``, of the real curve and of GINC's."""

    task: str
    labels: int
    curve: Curve
    control: Curve
    shots: Doubles
    ginc: Doubles
    rows: tuple[Row, ...]
    fits: tuple[Fit, Fit]
    seconds: float

    @property
    def verdict(self) -> str:
        """What the curves say, in a sentence."""
        half = len(self.curve.shots) // 2
        true, dealt = (each.p[:, half:].mean() for each in (self.curve, self.control))
        ahead = "more" if true > dealt else "not more"
        best = min((row for row in self.rows if row.law in LAWS), key=lambda row: row.errors[2])
        last = next(row for row in self.rows if row.law == BASELINES[0])
        return (
            f"In the second half of a prompt the right answer has probability {true:.2f}, and {dealt:.2f} "
            f"where answers were dealt anew: {ahead} than form and frequency are learnt. Behind the first "
            f"fifth of exact Bayes {best.law} is nearest ({best.errors[2]:.3f}; the last value, "
            f"{last.errors[2]:.3f})."
        )


def learn(lm: LM, task: Task, *, size: Size, seed: int = 0, progress: bool = False) -> Learning:
    """Measure curves of a model and of exact Bayes on GINC, and fit the laws to both.

    Args:
        lm: the model.
        task: with labels.
        size: how much of all.
        seed: of every draw.
        progress: show bars on standard error.

    Raises:
        MissingExtra: numba is not installed.
    """
    started = time.perf_counter()
    curve, control = (
        icl_curve(
            lm, task, shots=size.shots, permutations=size.permutations, shuffled_labels=dealt, seed=seed,
            progress=progress,
        )
        for dealt in (False, True)
    )  # fmt: skip
    shots, ginc = np.arange(1.0, size.ginc_shots + 1), _ginc(size, seed)
    fits = (
        fit(DRAWN, curve.shots, curve.nll[None], hypotheses=HYPOTHESES, seed=seed),
        fit(DRAWN, shots, ginc, seed=seed),
    )
    rows = _rows(curve, shots, ginc, seed)
    seconds = time.perf_counter() - started
    return Learning(task.name, len(task.labels), curve, control, shots, ginc, rows, fits, seconds)


def _ginc(size: Size, seed: int) -> Doubles:
    """Losses of exact Bayes [HMMS, S], -log of the mean probability of the likeliest word."""
    world = GINC.make(HMMS)
    curves = []
    for hmm in range(HMMS):
        given = prompts(world, hmm, K, shots=size.ginc_shots, count=size.ginc_prompts, seed=seed)
        p = beliefs(world, given.tokens, smoothing=SMOOTHING).answers(given)
        curves.append(-np.log(p.mean(axis=0)))
    return np.stack(curves)


def _rows(curve: Curve, shots: Doubles, ginc: Doubles, seed: int) -> tuple[Row, ...]:
    real = compare([(curve.shots, curve.nll[None])], fractions=(1.0,), hypotheses=HYPOTHESES, seed=seed)
    made = compare([(shots, ginc)], fractions=(1.0, SEEN), seed=seed)
    scores = [*real.scores, *made.scores]
    return tuple(
        Row(
            law,
            tuple(score.nrmse for score in scores if score.law == law),
            max(score.n_params for score in scores if score.law == law),
        )
        for law in (*LAWS, *BASELINES)
    )
