"""pyfastlm.selection beside the reference package, numpy, scipy and numba, equal results asserted first.

    PYFASTLM_NUM_THREADS=1 OMP_NUM_THREADS=1 python -m pytest benchmarks/bench_selection.py

Groups: average ranks of 1.8 million numbers; Spearman's correlation, sign_cdf and Kendall's tau of
90 models, 8 benchmarks; the products that need no ranks; both projections. numpy's ranks are positions, right
only where nothing is tied, as here; scipy's and numba's share ties as ours do. The reference takes one
benchmark at a time. Figures of 1 thread: fix all the peers' by the environment.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numba
import numpy as np
import perplexity_correlations.estimation as reference
import perplexity_correlations.projection as reference_projection
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from scipy.stats import rankdata

from pyfastlm import selection
from pyfastlm.selection.ranking import centred_ranks

pytestmark = [pytest.mark.timeout(0), pytest.mark.filterwarnings("default")]
MODELS, BENCHMARKS = 90, 8
Array = NDArray[Any]


@cache
def inputs(domains: int, kind: str = "float32", models: int = MODELS) -> tuple[Array, Array]:
    """Without ties, also in float32."""
    random = np.random.default_rng(0)
    x = np.argsort(random.random((models, domains)), axis=0) + random.random((models, domains)) / 2
    return x.astype(kind), random.random((models, BENCHMARKS))


@numba.njit
def numba_ranks(x: Array) -> Array:
    """Doubled and centred average ranks: a sort of each column, and runs of equal numbers."""
    rows, columns = x.shape
    out = np.empty((rows, columns), x.dtype)
    column = np.empty(rows, x.dtype)
    for d in range(columns):
        column[:] = x[:, d]
        order = np.argsort(column)
        start = 0
        while start < rows:
            end = start + 1
            while end < rows and column[order[end]] == column[order[start]]:
                end += 1
            for place in range(start, end):
                out[order[place], d] = start + end - rows
            start = end
    return out


@numba.njit
def numba_pairwise_ranks(x: Array) -> Array:
    """The same by comparing every two rows, one row's domains after the other: numba makes vectors of it."""
    rows, columns = x.shape
    out = np.zeros((rows, columns), x.dtype)
    for begin in range(0, columns, 256):
        end = min(begin + 256, columns)
        for i in range(rows):
            for j in range(i):
                for d in range(begin, end):
                    s = np.float32(x[i, d] > x[j, d]) - np.float32(x[i, d] < x[j, d])
                    out[i, d] += s
                    out[j, d] -= s
    return out


def positions(x: Array) -> Array:
    return np.argsort(np.argsort(x, axis=0), axis=0)


def numpy_centred(x: Array) -> Array:
    return (2 * positions(x) - (len(x) - 1)).astype(x.dtype)


RANKS: dict[str, Callable[[Array], Array]] = {
    "pyfastlm": centred_ranks,
    "numpy_argsort_twice": numpy_centred,
    "scipy_rankdata": lambda x: 2 * rankdata(x, axis=0) - (len(x) + 1),
    "numba_sort": numba_ranks,
    "numba_pairwise": numba_pairwise_ranks,
}


@pytest.mark.parametrize("peer", RANKS)
@pytest.mark.parametrize(
    ("models", "kind"), [(90, "float32"), (90, "float64"), (300, "float32"), (1000, "float32")]
)
def test_ranks(benchmark, models: int, kind: str, peer: str) -> None:
    domains = 1_800_000 // models
    benchmark.group = f"ranks {models} x {domains} {kind}"
    x, _ = inputs(domains, kind, models)
    run = partial(RANKS[peer], x)
    assert_allclose(run(), RANKS["scipy_rankdata"](x))
    benchmark.pedantic(run, rounds=7, warmup_rounds=1)


def ranked(ranks: Callable[[Array], Array], x: Array, y: Array) -> Array:
    """Spearman's correlation without ties from any ranks: one matrix product."""
    of_x, of_y = ranks(x), ranks(y).astype(x.dtype)
    return (of_x.T.astype(x.dtype) @ of_y) * (3 / (MODELS * (MODELS**2 - 1)))


def one_by_one(estimator: Callable[[Array, Array], Array], x: Array, y: Array) -> Array:
    return np.stack([estimator(x, errors) for errors in y.T], axis=1)


SPEARMAN: dict[str, Callable[[Array, Array], Array]] = {
    "pyfastlm": selection.spearmanr,
    "numpy_ranks_product": partial(ranked, numpy_centred),
    "scipy_ranks_product": partial(ranked, RANKS["scipy_rankdata"]),
    "reference": partial(one_by_one, reference.spearmanr),
}
SIGN_CDF: dict[str, Callable[[Array, Array], Array]] = {
    "pyfastlm": selection.sign_cdf,
    "numpy_ranks_product": lambda x, y: ranked(numpy_centred, x, y) * ((MODELS + 1) / (3 * MODELS)),
    "reference": partial(one_by_one, reference.sign_cdf),
}


@pytest.mark.parametrize("peer", SPEARMAN)
def test_spearmanr(benchmark, peer: str) -> None:
    measure(benchmark, "spearmanr", SPEARMAN, peer, 100_000)


@pytest.mark.parametrize("peer", SIGN_CDF)
def test_sign_cdf(benchmark, peer: str) -> None:
    measure(benchmark, "sign_cdf", SIGN_CDF, peer, 100_000)


def pairs_product(x: Array, y: Array) -> Array:
    """Kendall's tau as a matrix product of the signs of all pairs, some domains at a time."""
    later, earlier = np.tril_indices(MODELS, -1)
    of_y = np.sign(y[later] - y[earlier]).astype(np.float32)
    parts = [
        np.sign(x[later, at : at + 1024] - x[earlier, at : at + 1024]).T @ of_y
        for at in range(0, x.shape[1], 1024)
    ]
    return np.concatenate(parts) / len(later)


@numba.njit
def numba_pairs(x: Array, signs: Array) -> Array:
    rows, columns = x.shape
    out = np.zeros((signs.shape[1], columns), np.float32)
    for begin in range(0, columns, 256):
        end = min(begin + 256, columns)
        pair = 0
        for i in range(rows):
            for j in range(i):
                for k in range(signs.shape[1]):
                    sign = signs[pair, k]
                    for d in range(begin, end):
                        s = np.float32(x[i, d] > x[j, d]) - np.float32(x[i, d] < x[j, d])
                        out[k, d] += s * sign
                pair += 1
    return out


def numba_kendall(x: Array, y: Array) -> Array:
    later, earlier = np.tril_indices(MODELS, -1)
    return numba_pairs(x, np.sign(y[later] - y[earlier]).astype(np.float32)).T / len(later)


KENDALL: dict[str, Callable[[Array, Array], Array]] = {
    "pyfastlm": selection.sign_sign,
    "numpy_pairs_product": pairs_product,
    "numba_pairs": numba_kendall,
    "reference": partial(one_by_one, reference.sign_sign),
}


@pytest.mark.parametrize("peer", KENDALL)
def test_sign_sign(benchmark, peer: str) -> None:
    measure(benchmark, "sign_sign", KENDALL, peer, 20_000)


SIGN: dict[str, Callable[[Array, Array], Array]] = {
    "pyfastlm": selection.sign,
    "numpy_product": lambda x, y: x.T.astype(float) @ centred_ranks(y) * (2 / (MODELS * (MODELS - 1))),
    "reference": partial(one_by_one, reference.sign),
}
PRODUCT: dict[str, Callable[[Array, Array], Array]] = {
    "pyfastlm": selection.product,
    "numpy_product": lambda x, y: x.T.astype(float) @ y / MODELS,
    "reference": partial(one_by_one, reference.product),
}


@pytest.mark.parametrize("peer", SIGN)
def test_sign(benchmark, peer: str) -> None:
    measure(benchmark, "sign", SIGN, peer, 20_000)


@pytest.mark.parametrize("peer", PRODUCT)
def test_product(benchmark, peer: str) -> None:
    measure(benchmark, "product", PRODUCT, peer, 20_000)


def measure(benchmark, name: str, peers: dict[str, Callable[..., Array]], peer: str, domains: int) -> None:
    benchmark.group = f"{name} {MODELS} x {domains} x {BENCHMARKS}"
    x, y = inputs(domains)
    few = inputs(1000)
    tolerance = 2e-6 if name in {"sign", "product"} else 1e-7  # the reference sums float32
    scale = float(np.abs(peers["reference"](*few)).max())
    assert_allclose(peers[peer](*few), peers["reference"](*few), rtol=0, atol=tolerance * scale)
    slow = peer == "reference"
    benchmark.pedantic(partial(peers[peer], x, y), rounds=2 if slow else 7, warmup_rounds=0 if slow else 1)


PROJECTIONS: dict[str, dict[str, Callable[[Array, Array], Array]]] = {
    "linear": {"pyfastlm": selection.linear, "reference": reference_projection.linear},
    "l2": {"pyfastlm": selection.l2, "reference": reference_projection.l2},
}


@pytest.mark.parametrize("peer", ["pyfastlm", "reference"])
@pytest.mark.parametrize("name", PROJECTIONS)
def test_projections(benchmark, name: str, peer: str) -> None:
    benchmark.group = f"{name} 200000"
    random = np.random.default_rng(0)
    estimate, tau = random.normal(size=200_000) * 0.1, random.random(200_000) * 1e-4
    run = partial(PROJECTIONS[name][peer], estimate, tau)
    assert_allclose(run(), PROJECTIONS[name]["reference"](estimate, tau), rtol=0, atol=1e-4)
    benchmark.pedantic(run, rounds=7, warmup_rounds=1)
