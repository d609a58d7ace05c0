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
def curves(law, theta, shots, task, places, hypotheses, loss, by):
    """Losses [C, S] of all curves of a problem, and derivatives [C, W, S] by their own numbers, which are at
    ``places`` [C, W] of ``theta``."""
    own = np.empty(places.shape[1])
    for c in range(len(task)):
        for w in range(len(own)):
            own[w] = theta[places[c, w]]
        if law == POWER:
            forms.power(own, shots, loss[c], by[c])
        elif law == BOUNDED:
            forms.bounded(own, shots, loss[c], by[c])
        elif law == LOGISTIC:
            forms.logistic(own, shots, loss[c], by[c])
        else:
            forms.bayesian(law - ORIGINAL, own, shots, task[c], hypotheses, loss[c], by[c])


@numba.njit(cache=True, error_model="numpy")
def residuals(kind, truth, known, loss, by, out):
    """Half the loss; ``out`` [C, S] becomes the residuals, and ``by`` their derivatives.

    ``truth`` [C, S] are probabilities, losses, or logarithms of these, as the ``kind`` of loss compares them.
    Beyond 1, residuals of Huber's loss are such that their square is twice it.
    """
    total = 0.0
    slope = np.empty(loss.shape[1])
    for c in range(loss.shape[0]):
        for s in range(loss.shape[1]):
            if not known[c, s]:
                out[c, s] = slope[s] = 0.0
                continue
            x = loss[c, s]
            if kind == MSE_PROB:
                x = math.exp(-x)
                slope[s] = -x
            elif kind in (MSE, HUBER):
                slope[s] = 1.0
            else:
                x = max(x, 1e-300)
                slope[s] = 1.0 / x
                x = math.log(x)
            r = x - truth[c, s]
            if kind >= HUBER and abs(r) > 1.0:
                root = math.sqrt(2.0 * abs(r) - 1.0)
                slope[s] /= root
                r = math.copysign(root, r)
            out[c, s] = r
            total += r * r
        for w in range(by.shape[1]):
            for s in range(by.shape[2]):
                by[c, w, s] *= slope[s]
    return 0.5 * total if math.isfinite(total) else np.inf


@numba.njit(cache=True, error_model="numpy", fastmath={"reassoc", "contract"})
def product(x, y):
    """Of two rows."""
    total = 0.0
    for s in range(len(x)):
        total += x[s] * y[s]
    return total


@numba.njit(cache=True, error_model="numpy")
def normal(by, r, places, a, g):
    """the lower half of ``a`` [P, P] becomes that of J^T J, and ``g`` [P] J^T r."""
    a[:] = 0.0
    g[:] = 0.0
    for c in range(by.shape[0]):
        for i in range(by.shape[1]):
            p = places[c, i]
            g[p] += product(by[c, i], r[c])
            for j in range(i + 1):
                a[p, places[c, j]] += product(by[c, i], by[c, j])


@numba.njit(cache=True, error_model="numpy", fastmath={"reassoc", "contract"})
def solved(a, damping, scale, g, low, x):
    """``x`` becomes -(a + damping diag(scale))^-1 g, by Cholesky; False where that is not positive.

    From the last number to the first: of likelihoods that different curves have alone, the product is 0, and
    stays so; what all have in common comes last. ``low`` is of numbers in that order.
    """
    n = len(g)
    first = np.empty(n, np.int64)  # what is before, in a row, is 0
    for i in range(n):
        row, begin = a[:, n - 1 - i], 0
        while begin < i and row[n - 1 - begin] == 0.0:
            begin += 1
        first[i] = begin
        for j in range(begin, i):
            v = row[n - 1 - j]
            for k in range(max(begin, first[j]), j):
                v -= low[i, k] * low[j, k]
            low[i, j] = v / low[j, j]
        v, y = row[n - 1 - i] + damping * scale[n - 1 - i], -g[n - 1 - i]
        for k in range(begin, i):
            v -= low[i, k] * low[i, k]
            y -= low[i, k] * x[n - 1 - k]
        if not v > 0.0:
            return False
        low[i, i] = math.sqrt(v)
        x[n - 1 - i] = y / low[i, i]
    for i in range(n - 1, -1, -1):
        x[n - 1 - i] /= low[i, i]
        for k in range(first[i], i):
            x[n - 1 - k] -= low[i, k] * x[n - 1 - i]
    return True


@numba.njit(cache=True, error_model="numpy")
def promised(g, step, damping, scale):
    """How much half the loss would fall along ``step``, were it a parabola: the step solves
    (a + damping diag(scale)) step = -g."""
    down = 0.0
    for p in range(len(g)):
        down += 0.5 * step[p] * (damping * scale[p] * step[p] - g[p])
    return down


@numba.njit(cache=True, error_model="numpy")
def minimised(law, kind, theta, shots, truth, known, task, places, hypotheses, limit):
    """From ``theta`` down, at most ``limit`` steps: parameters, half the loss, steps, whether it rests."""
    width, shape = len(theta), truth.shape
    loss, by, r = np.empty(shape), np.empty((shape[0], places.shape[1], shape[1])), np.empty(shape)
    new_loss, new_by, new_r = np.empty_like(loss), np.empty_like(by), np.empty_like(r)
    a, g, step, low = np.empty((width, width)), np.empty(width), np.empty(width), np.empty((width, width))
    curves(law, theta, shots, task, places, hypotheses, loss, by)
    cost = residuals(kind, truth, known, loss, by, r)
    normal(by, r, places, a, g)
    scale = np.full(width, 1e-12)
    damping, grow, still = DAMPING, 2.0, 0
    for count in range(limit):
        for p in range(width):
            scale[p] = max(scale[p], a[p, p])
        new_cost = np.inf
        if solved(a, damping, scale, g, low, step):
            trial = theta + step
            curves(law, trial, shots, task, places, hypotheses, new_loss, new_by)
            new_cost = residuals(kind, truth, known, new_loss, new_by, new_r)
        if new_cost < cost:
            gain = (cost - new_cost) / max(promised(g, step, damping, scale), 1e-300)
            damping = max(damping * max(SHRINK, 1.0 - (2.0 * gain - 1.0) ** 3), 1e-14)
            grow = 2.0
            still = still + 1 if cost - new_cost <= FLAT * cost else 0
            theta, cost = trial, new_cost
            loss, new_loss, by, new_by, r, new_r = new_loss, loss, new_by, by, new_r, r
            normal(by, r, places, a, g)
        else:
            damping *= grow
            grow *= 2.0
        if still >= PATIENCE or cost < EXACT or damping > STUCK:
            return theta, cost, count + 1, True
    return theta, cost, limit, False


@numba.njit(cache=True, error_model="numpy", parallel=True)
def all_minimised(law, kind, starts, shots, truth, known, task, places, hypotheses, limit):
    """For ``starts`` [B, T, P] of B problems: ``shots`` [B, S], ``truth`` and ``known`` [B, C, S]."""
    problems, count = starts.shape[:2]
    theta, cost = np.empty_like(starts), np.empty((problems, count))
    steps, rests = np.empty((problems, count), np.int64), np.empty((problems, count), np.bool_)
    for at in numba.prange(problems * count):
        b, t = at // count, at % count
        theta[b, t], cost[b, t], steps[b, t], rests[b, t] = minimised(
            law, kind, starts[b, t].copy(), shots[b], truth[b], known[b], task, places, hypotheses, limit
        )
    return theta, cost, steps, rests
