"""Least squares by Levenberg and Marquardt from many starts, compiled; each start on a thread of its own.

Steps of second order (geodesic acceleration) were tried: as many steps were needed, at twice the cost.
"""

import math

import numba
import numpy as np

from pyfastlm.icl.fitting import forms

POWER, BOUNDED, LOGISTIC, ORIGINAL, SAMPLING, SCORING = range(6)
MSE_PROB, MSE, MSE_LOG, HUBER, HUBER_LOG = range(5)

FLAT = 1e-6  # a relative decrease that counts as none,
PATIENCE = 6  # as often in a row
DAMPING = 1e-2  # at first
STUCK = 1e12  # damping at which no step leads down
SHRINK = 0.2  # of the damping after a good step, at most
EXACT = 1e-28  # half a loss that is nothing but rounding


@numba.njit(cache=True, error_model="numpy")
def curves(law, theta, shots, task, prior_at, speed_at, hypotheses, tasks, loss, by):
    """Losses [C, S] and derivatives [C, S, P] of all curves of a problem."""
    by[:] = 0.0
    for c in range(len(task)):
        if law == POWER:
            forms.power(theta, shots, loss[c], by[c])
        elif law == BOUNDED:
            forms.bounded(theta, shots, loss[c], by[c])
        elif law == LOGISTIC:
            forms.logistic(theta, shots, loss[c], by[c])
        else:
            kind = law - ORIGINAL
            forms.bayesian(
                kind, theta, shots, task[c], prior_at[c], speed_at[c], hypotheses, tasks, loss[c], by[c]
            )


@numba.njit(cache=True, error_model="numpy")
def residuals(kind, nll, known, loss, by, out):
    """Half the loss; ``out`` [C S] becomes the residuals, and ``by`` their derivatives.

    Beyond 1, residuals of Huber's loss are such that their square is twice it.
    """
    total = 0.0
    for c in range(loss.shape[0]):
        for s in range(loss.shape[1]):
            at = c * loss.shape[1] + s
            if not known[c, s]:
                out[at] = 0.0
                by[c, s] = 0.0
                continue
            y, x = nll[c, s], loss[c, s]
            if kind == MSE_PROB:
                e = math.exp(-x)
                r, slope = e - math.exp(-y), -e
            elif kind in (MSE, HUBER):
                r, slope = x - y, 1.0
            else:
                x = max(x, 1e-300)
                r, slope = math.log(x) - math.log(y), 1.0 / x
            if kind >= HUBER and abs(r) > 1.0:
                root = math.sqrt(2.0 * abs(r) - 1.0)
                slope /= root
                r = math.copysign(root, r)
            out[at] = r
            total += r * r
            for p in range(by.shape[2]):
                by[c, s, p] *= slope
    return 0.5 * total if math.isfinite(total) else np.inf


@numba.njit(cache=True, error_model="numpy")
def normal(by, r, a, g):
    """``a`` [P, P] becomes J^T J, and ``g`` [P] J^T r."""
    width = len(g)
    a[:] = 0.0
    g[:] = 0.0
    for at in range(len(r)):
        row = by[at // by.shape[1], at % by.shape[1]]
        for i in range(width):
            if row[i] != 0.0:
                g[i] += row[i] * r[at]
                for j in range(i + 1):
                    a[i, j] += row[i] * row[j]
    for i in range(width):
        for j in range(i):
            a[j, i] = a[i, j]


@numba.njit(cache=True, error_model="numpy")
def solved(a, damping, scale, g, x):
    """``x`` becomes -(a + damping diag(scale))^-1 g, by Cholesky; False where that is not positive."""
    n = len(g)
    low = np.empty((n, n))
    for i in range(n):
        for j in range(i + 1):
            v = a[i, j]
            for k in range(j):
                v -= low[i, k] * low[j, k]
            if i == j:
                v += damping * scale[i]
                if not v > 0.0:
                    return False
                low[i, i] = math.sqrt(v)
            else:
                low[i, j] = v / low[j, j]
    for i in range(n):
        v = -g[i]
        for k in range(i):
            v -= low[i, k] * x[k]
        x[i] = v / low[i, i]
    for i in range(n - 1, -1, -1):
        v = x[i]
        for k in range(i + 1, n):
            v -= low[k, i] * x[k]
        x[i] = v / low[i, i]
    return True


@numba.njit(cache=True, error_model="numpy")
def promised(a, g, step):
    """How much half the loss would fall along ``step``, were it a parabola."""
    down = 0.0
    for p in range(len(g)):
        down -= g[p] * step[p]
        for q in range(len(g)):
            down -= 0.5 * step[p] * a[p, q] * step[q]
    return down


@numba.njit(cache=True, error_model="numpy")
def minimised(law, kind, theta, shots, nll, known, task, prior_at, speed_at, hypotheses, tasks, limit):
    """From ``theta`` down, at most ``limit`` steps: parameters, half the loss, steps, whether it rests."""
    width = len(theta)
    loss, by, r = np.empty(nll.shape), np.empty((*nll.shape, width)), np.empty(nll.size)
    new_loss, new_by, new_r = np.empty_like(loss), np.empty_like(by), np.empty_like(r)
    a, g, step = np.empty((width, width)), np.empty(width), np.empty(width)
    curves(law, theta, shots, task, prior_at, speed_at, hypotheses, tasks, loss, by)
    cost = residuals(kind, nll, known, loss, by, r)
    normal(by, r, a, g)
    scale = np.full(width, 1e-12)
    damping, grow, still = DAMPING, 2.0, 0
    for count in range(limit):
        for p in range(width):
            scale[p] = max(scale[p], a[p, p])
        new_cost = np.inf
        if solved(a, damping, scale, g, step):
            trial = theta + step
            curves(law, trial, shots, task, prior_at, speed_at, hypotheses, tasks, new_loss, new_by)
            new_cost = residuals(kind, nll, known, new_loss, new_by, new_r)
        if new_cost < cost:
            gain = (cost - new_cost) / max(promised(a, g, step), 1e-300)
            damping = max(damping * max(SHRINK, 1.0 - (2.0 * gain - 1.0) ** 3), 1e-14)
            grow = 2.0
            still = still + 1 if cost - new_cost <= FLAT * cost else 0
            theta, cost = trial, new_cost
            loss, new_loss, by, new_by, r, new_r = new_loss, loss, new_by, by, new_r, r
            normal(by, r, a, g)
        else:
            damping *= grow
            grow *= 2.0
        if still >= PATIENCE or cost < EXACT or damping > STUCK:
            return theta, cost, count + 1, True
    return theta, cost, limit, False


@numba.njit(cache=True, error_model="numpy", parallel=True)
def all_minimised(law, kind, starts, shots, nll, known, task, prior_at, speed_at, hypotheses, tasks, limit):
    """The same for ``starts`` [B, T, P] of B problems: ``shots`` [B, S], ``nll`` and ``known`` [B, C, S]."""
    problems, count = starts.shape[:2]
    theta, cost = np.empty_like(starts), np.empty((problems, count))
    steps, rests = np.empty((problems, count), np.int64), np.empty((problems, count), np.bool_)
    for at in numba.prange(problems * count):
        b, t = at // count, at % count
        theta[b, t], cost[b, t], steps[b, t], rests[b, t] = minimised(
            law, kind, starts[b, t].copy(), shots[b], nll[b], known[b], task, prior_at, speed_at, hypotheses,
            tasks, limit,
        )  # fmt: skip
    return theta, cost, steps, rests
