"""The six laws with their derivatives, compiled: losses in nats after n shots, from free parameters.

A form writes the loss of a curve at each number of shots, and its derivatives by the free parameters, which
may be any numbers: positive ones pass through softplus, those of scale are logarithms, clamped as in the
published fitter. ``theta`` [P], ``shots`` [S], ``loss`` [S], ``by`` [S, P] (zeroed by the caller).
"""

import math

import numba
import numpy as np

STEEP = 15.0  # the largest exponent
LARGE, FAR = 20.0, 40.0  # of logarithms: of losses, and of numbers of shots
NOTHING = -25.0  # a term whose logarithm is below is left out


@numba.njit(cache=True, error_model="numpy", inline="always")
def softplus(x):
    """log(1 + exp(x))"""
    return x if x > 30.0 else math.log1p(math.exp(x))


@numba.njit(cache=True, error_model="numpy", inline="always")
def sigmoid(x):
    """The derivative of softplus."""
    return 1.0 / (1.0 + math.exp(-x)) if x > -700.0 else 0.0


@numba.njit(cache=True, error_model="numpy", inline="always")
def clamped(x, bound):
    """The value, and its derivative."""
    if x > bound:
        return bound, 0.0
    if x < -bound:
        return -bound, 0.0
    return x, 1.0


@numba.njit(cache=True, error_model="numpy", inline="always")
def exponent(free):
    """A positive number of at most ``STEEP``, and its derivative."""
    value = softplus(free)
    return (STEEP, 0.0) if value > STEEP else (value, sigmoid(free))


@numba.njit(cache=True, error_model="numpy")
def power(theta, shots, loss, by):
    """exp(C) n^-alpha + exp(K); free: C, alpha, K."""
    c, dc = clamped(theta[0], LARGE)
    alpha, dalpha = exponent(theta[1])
    k, dk = clamped(theta[2], LARGE)
    floor = math.exp(k)
    for s in range(len(shots)):
        log = math.log(shots[s])
        term = math.exp(c - alpha * log)
        loss[s] = term + floor
        by[s, 0] = term * dc
        by[s, 1] = -term * log * dalpha
        by[s, 2] = floor * dk


@numba.njit(cache=True, error_model="numpy")
def bounded(theta, shots, loss, by):
    """exp(C) (1 + n / exp(n_c))^-alpha + exp(K); free: C, alpha, K, n_c."""
    c, dc = clamped(theta[0], LARGE)
    alpha, dalpha = exponent(theta[1])
    k, dk = clamped(theta[2], LARGE)
    n_c, dn = clamped(theta[3], FAR)
    floor = math.exp(k)
    for s in range(len(shots)):
        far = math.log(shots[s]) - n_c
        log = softplus(far)
        power = c - alpha * log
        term = math.exp(power) if power >= NOTHING else 0.0
        loss[s] = term + floor
        by[s, 0] = term * dc
        by[s, 1] = -term * log * dalpha
        by[s, 2] = floor * dk
        by[s, 3] = term * alpha * sigmoid(far) * dn


@numba.njit(cache=True, error_model="numpy")
def logistic(theta, shots, loss, by):
    """exp(L) / (1 + (n / exp(x0))^K) + exp(C); free: L, K, x0, C."""
    top, dtop = clamped(theta[0], LARGE)
    k, dk = exponent(theta[1])
    x0, dx = clamped(theta[2], FAR)
    c, dc = clamped(theta[3], LARGE)
    floor = math.exp(c)
    for s in range(len(shots)):
        far = math.log(shots[s]) - x0
        power = top - softplus(k * far)
        term = math.exp(power) if power >= NOTHING else 0.0
        loss[s] = term + floor
        by[s, 0] = term * dtop
        by[s, 1] = -term * sigmoid(k * far) * far * dk
        by[s, 2] = term * sigmoid(k * far) * k * dx
        by[s, 3] = floor * dc


@numba.njit(cache=True, error_model="numpy")
def bayesian(kind, theta, shots, task, prior_at, speed_at, hypotheses, tasks, loss, by):
    """A learner that weighs hypotheses m by their prior rho_m and by what each says about examples of task h.

    -log of sum_m rho_m P_hm^(K n + 1) / sum_m rho_m P_hm^(K n). ``theta`` holds at ``prior_at`` the free
    priors [M], at ``speed_at`` that of K, and at its end the likelihoods: P [tasks, M], or for the tied laws
    what gamma and beta <= gamma come from: g then b, each [M] (kind 1, by column) or [tasks] (2, by row).
    """
    first = len(theta) - (tasks * hypotheses if kind == 0 else 2 * hypotheses if kind == 1 else 2 * tasks)
    k, dk = softplus(theta[speed_at]), sigmoid(theta[speed_at])
    top = theta[prior_at]
    for m in range(1, hypotheses):
        top = max(top, theta[prior_at + m])
    total = 0.0
    for m in range(hypotheses):
        total += math.exp(theta[prior_at + m] - top)
    log_total = top + math.log(total)

    log_p = np.empty(hypotheses)
    for m in range(hypotheses):
        if kind == 0:
            log_p[m] = -softplus(theta[first + task * hypotheses + m])
        else:
            at = m if kind == 1 else task
            half = hypotheses if kind == 1 else tasks
            log_p[m] = -softplus(theta[first + at])
            if m != task:
                log_p[m] -= softplus(theta[first + half + at])
    before, after = np.empty(hypotheses), np.empty(hypotheses)
    for s in range(len(shots)):
        n = shots[s]
        most0 = most1 = -np.inf
        for m in range(hypotheses):
            before[m] = theta[prior_at + m] - log_total + k * n * log_p[m]
            after[m] = before[m] + log_p[m]
            most0, most1 = max(most0, before[m]), max(most1, after[m])
        sum0 = sum1 = 0.0
        for m in range(hypotheses):
            before[m] = math.exp(before[m] - most0)
            after[m] = math.exp(after[m] - most1)
            sum0 += before[m]
            sum1 += after[m]
        loss[s] = most0 + math.log(sum0) - most1 - math.log(sum1)
        for m in range(hypotheses):
            w0, w1 = before[m] / sum0, after[m] / sum1
            by[s, prior_at + m] = w0 - w1
            by[s, speed_at] += (w0 - w1) * n * log_p[m] * dk
            by_p = w0 * k * n - w1 * (k * n + 1.0)
            if kind == 0:
                at = first + task * hypotheses + m
                by[s, at] = -by_p * sigmoid(theta[at])
            else:
                at = m if kind == 1 else task
                half = hypotheses if kind == 1 else tasks
                by[s, first + at] -= by_p * sigmoid(theta[first + at])
                if m != task:
                    by[s, first + half + at] -= by_p * sigmoid(theta[first + half + at])
