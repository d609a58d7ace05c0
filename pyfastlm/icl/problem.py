"""Curves to fit, checked: losses in nats by shots, for tasks and groups of them."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.icl.laws import LAWS, Doubles, Law

Loss = Literal["mse_prob", "mse", "mse_log", "huber", "huber_log"]
LOSSES: tuple[str, ...] = get_args(Loss)
Missing = Literal["raise", "mask"]


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """Curves that one call of the solver fits jointly, or one by one.

    Attributes:
        shots: [S], from 1.
        nll: [C, S] with C = groups * tasks, a group after the other; numbers that are not ``known`` are 1.
        known: [C, S].
        tasks, groups: how the curves are made up.
        grouped: whether they were given as [G, C, S].
    """

    shots: Doubles
    nll: Doubles
    known: NDArray[np.bool_]
    tasks: int
    groups: int
    grouped: bool


def problem(shots: Any, nll: Any, loss: str, missing: str, where: str = "") -> Problem:
    """Check what was given; ``where`` is said before the name of an argument that is wrong."""
    n, given = shots_of(shots, where), _numbers(nll, f"{where}nll")
    if given.ndim not in (2, 3) or given.shape[-1] != len(n) or not given.size:
        raise InputError(
            f"{where}nll: expected [C, S] or [G, C, S] with S = {len(n)}, got shape {list(given.shape)}"
        )
    groups = 1 if given.ndim == 2 else given.shape[0]
    curves = given.reshape(-1, len(n))
    known = ~np.isnan(curves)
    if missing == "raise" and not known.all():
        curve, shot = np.argwhere(~known)[0]
        raise InputError(
            f"{where}nll: curve {curve} has NaN at shot {n[shot]:g}; leave it out, or pass missing='mask'"
        )
    for curve in np.flatnonzero(~known.any(axis=1)):
        raise InputError(f"{where}nll: curve {curve} has no number at all")
    _in_range(curves, known, n, loss, where)
    return Problem(n, np.where(known, curves, 1.0), known, given.shape[-2], groups, grouped=given.ndim == 3)


def check_options(law: str, loss: str, starts: int, missing: str, hypotheses: int | None) -> Law:
    """The law of that name."""
    if law not in LAWS:
        raise InputError(f"law: expected one of {', '.join(LAWS)}, got {law!r}")
    if loss not in LOSSES:
        raise InputError(f"loss: expected one of {', '.join(LOSSES)}, got {loss!r}")
    if missing not in get_args(Missing):
        raise InputError(f"missing: expected 'raise' or 'mask', got {missing!r}")
    if starts < 1:
        raise InputError(f"starts: expected at least 1, got {starts}")
    if hypotheses is not None and not LAWS[law].joint:
        raise InputError(f"hypotheses: {law} has none; leave it out")
    return LAWS[law]


def shots_of(shots: Any, where: str = "", least: int = 1) -> Doubles:
    """[S], counted from 1: a law says what is lost on the n-th example."""
    n = _numbers(shots, f"{where}shots")
    if n.ndim != 1 or not n.size:
        raise InputError(f"{where}shots: expected [S], one number at least, got shape {list(n.shape)}")
    wrong = ~(np.isfinite(n) & (n >= least))
    if wrong.any():
        raise InputError(
            f"{where}shots: expected numbers from {least}, got {n[wrong][0]:g}"
            + "; add 1 where they count from 0" * (least == 1)
        )
    return n


def _numbers(value: Any, name: str) -> Doubles:
    try:
        array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
    except ValueError:
        raise InputError(f"{name}: expected an array, got rows of different lengths") from None
    if array.dtype.kind not in "fiu":
        raise InputTypeError(f"{name}: expected numbers, got dtype {array.dtype}")
    return array.astype(np.float64)


def _in_range(curves: Doubles, known: NDArray[np.bool_], n: Doubles, loss: str, where: str) -> None:
    """Losses of no probability, or whose residuals no number expresses, are refused."""
    with np.errstate(invalid="ignore"):
        wrong = known & (curves < 0)
        why = "is negative: no probability is above 1"
        if not wrong.any() and loss != "mse_prob":
            wrong = known & np.isinf(curves)
            why = f"is infinite (probability 0): {loss} needs finite losses; clip, mask, or use mse_prob"
        if not wrong.any() and loss in ("mse_log", "huber_log"):
            wrong = known & (curves == 0)
            why = f"is 0 (probability 1): {loss} takes its logarithm; use mse_prob or mse"
    if wrong.any():
        curve, shot = np.argwhere(wrong)[0]
        raise InputError(f"{where}nll: curve {curve}, {curves[curve, shot]:g} at shot {n[shot]:g} {why}")
