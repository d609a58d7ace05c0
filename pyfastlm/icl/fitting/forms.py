"""The six laws with their derivatives, compiled: losses in nats after n shots, from free parameters.

A form writes the loss of a curve at each number of shots, and its derivatives by its own free numbers,
which may be any: positive ones pass through softplus, those of scale are logarithms, clamped as in the
published fitter. ``own`` [W], ``shots`` [S], ``loss`` [S], ``by`` [W, S].
"""

import math

import numba
import numpy as np

STEEP = 15.0  # the largest exponent
LARGE, FAR = 20.0, 40.0  # of logarithms: of losses, and of numbers of shots
NOTHING = -25.0  # a term whose logarithm is below is left out
LOG2_E, LN2_HIGH, LN2_LOW = 1.4426950408889634, 6.93147180369123816490e-01, 1.90821492927058770002e-10
TO_BITS = 2.0**52 + 1023  # added to k, the last bits are those of the exponent of 2^k
NONE = 1e-300  # of what the likeliest hypothesis says: less is called this


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


@numba.njit(cache=True, error_model="numpy", fastmath={"contract"})
def exponentials(x, work):
    """In place, of numbers up to 0, to the last bits; loops that the compiler makes vectors of, unlike those
    with ``math.exp``. Below exp(-690) they are called that. ``work`` [S] is overwritten."""
    for s in range(len(x)):
        v = max(x[s], -690.0)
        whole = np.floor(v * LOG2_E + 0.5)
        r = (v - whole * LN2_HIGH) - whole * LN2_LOW  # within log(2) / 2
        sum_ = 1.0 / 479001600
        sum_ = sum_ * r + 1.0 / 39916800
        sum_ = sum_ * r + 1.0 / 3628800
        sum_ = sum_ * r + 1.0 / 362880
        sum_ = sum_ * r + 1.0 / 40320
        sum_ = sum_ * r + 1.0 / 5040
        sum_ = sum_ * r + 1.0 / 720
        sum_ = sum_ * r + 1.0 / 120
        sum_ = sum_ * r + 1.0 / 24
        sum_ = sum_ * r + 1.0 / 6
        sum_ = sum_ * r + 0.5
        sum_ = sum_ * r + 1.0
        x[s] = sum_ * r + 1.0
        work[s] = whole + TO_BITS
    bits = work.view(np.int64)
    for s in range(len(x)):
        bits[s] <<= 52
    for s in range(len(x)):
        x[s] *= work[s]


@numba.njit(cache=True, error_model="numpy")
def power(own, shots, loss, by):
    """exp(C) n^-alpha + exp(K); free: C, alpha, K."""
    c, dc = clamped(own[0], LARGE)
    alpha, dalpha = exponent(own[1])
    k, dk = clamped(own[2], LARGE)
    floor = math.exp(k)
    for s in range(len(shots)):
        log = math.log(shots[s])
        term = math.exp(c - alpha * log)
        loss[s] = term + floor
        by[0, s] = term * dc
        by[1, s] = -term * log * dalpha
        by[2, s] = floor * dk


@numba.njit(cache=True, error_model="numpy")
def bounded(own, shots, loss, by):
    """exp(C) (1 + n / exp(n_c))^-alpha + exp(K); free: C, alpha, K, n_c."""
    c, dc = clamped(own[0], LARGE)
    alpha, dalpha = exponent(own[1])
    k, dk = clamped(own[2], LARGE)
    n_c, dn = clamped(own[3], FAR)
    floor = math.exp(k)
    for s in range(len(shots)):
        far = math.log(shots[s]) - n_c
        log = softplus(far)
        power = c - alpha * log
        term = math.exp(power) if power >= NOTHING else 0.0
        loss[s] = term + floor
        by[0, s] = term * dc
        by[1, s] = -term * log * dalpha
        by[2, s] = floor * dk
        by[3, s] = term * alpha * sigmoid(far) * dn


@numba.njit(cache=True, error_model="numpy")
def logistic(own, shots, loss, by):
    """exp(L) / (1 + (n / exp(x0))^K) + exp(C); free: L, K, x0, C."""
    top, dtop = clamped(own[0], LARGE)
    k, dk = exponent(own[1])
    x0, dx = clamped(own[2], FAR)
    c, dc = clamped(own[3], LARGE)
    floor = math.exp(c)
    for s in range(len(shots)):
        far = math.log(shots[s]) - x0
        power = top - softplus(k * far)
        term = math.exp(power) if power >= NOTHING else 0.0
        loss[s] = term + floor
        by[0, s] = term * dtop
        by[1, s] = -term * sigmoid(k * far) * far * dk
        by[2, s] = term * sigmoid(k * far) * k * dx
        by[3, s] = floor * dc


@numba.njit(cache=True, error_model="numpy")
def bayesian(kind, own, shots, task, hypotheses, loss, by):
    """A learner that weighs hypotheses m by their prior rho_m and by what each says about examples of task h.

    -log of sum_m rho_m P_hm^(K n + 1) / sum_m rho_m P_hm^(K n): -log of the mean of P_h by what is believed
    after n shots. ``own`` holds the free priors [M], that of K, and the likelihoods: row h of P [M], or for
    the tied laws what gamma and beta <= gamma come from, each [M] (kind 1, by column) or one (2, by row).
    """
    first = hypotheses + 1
    width = hypotheses if kind <= 1 else 1  # of gamma, and of beta
    k, dk = softplus(own[hypotheses]), sigmoid(own[hypotheses])
    log_p, slope, slope_b = np.empty(hypotheses), np.empty(hypotheses), np.zeros(hypotheses)
    most = -np.inf
    for m in range(hypotheses):
        at = first + (m if kind <= 1 else 0)
        log_p[m], slope[m] = -softplus(own[at]), -sigmoid(own[at])
        if kind > 0 and m != task:
            log_p[m] -= softplus(own[at + width])
            slope_b[m] = -sigmoid(own[at + width])
        most = max(most, log_p[m])
    p = np.exp(log_p - most)
    by[hypotheses:] = 0.0
    work, total, right = np.full(len(shots), -np.inf), np.zeros(len(shots)), np.zeros(len(shots))
    for m in range(hypotheses):
        before, slow, free = by[m], k * log_p[m], own[m]
        for s in range(len(shots)):
            before[s] = free + slow * shots[s]
            work[s] = before[s] if before[s] > work[s] else work[s]
    top = work.copy()
    for m in range(hypotheses):
        before, p_m = by[m], p[m]
        for s in range(len(shots)):
            before[s] -= top[s]
        exponentials(before, work)
        for s in range(len(shots)):
            total[s] += before[s]
            right[s] += before[s] * p_m
    for s in range(len(shots)):
        total[s] = 1.0 / total[s]
        mean = max(right[s] * total[s], NONE)
        right[s] = 1.0 / mean
        loss[s] = max(-most - math.log(mean), 0.0)
    by_k = by[hypotheses]
    for m in range(hypotheses):
        at = first + (m if kind <= 1 else 0)
        before, by_p, p_m, log_k = by[m], work, p[m], log_p[m] * dk
        for s in range(len(shots)):
            w = before[s] * total[s]
            after = w * p_m * right[s]
            before[s] = w - after
            by_k[s] += (w - after) * shots[s] * log_k
            by_p[s] = (w - after) * k * shots[s] - after
        add(by[at], by_p, slope[m])
        if kind > 0:
            add(by[at + width], by_p, slope_b[m])


@numba.njit(cache=True, error_model="numpy")
def add(to, x, times):
    """To a row."""
    for s in range(len(to)):
        to[s] += x[s] * times
