"""The native ranks and signs of pairs against scipy's ranks and two loops, whatever the matrix lies like."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_array_equal
from scipy.stats import rankdata

from pyfastlm.selection.ranking import centred_ranks, concordance, positional_ranks

SHAPES = st.tuples(st.integers(1, 24), st.integers(1, 140))


def matrices(kind: Any) -> st.SearchStrategy[Any]:
    """With many ties, both zeros, infinities and the smallest numbers there are."""
    tiny = float(np.finfo(kind).smallest_subnormal)
    some = st.sampled_from(
        [0.0, -0.0, 1.0, -1.0, tiny, -tiny, np.inf, -np.inf, float(np.finfo(kind).max), 0.5]
    )
    return hnp.arrays(kind, SHAPES, elements=some)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@given(st.data())
@settings(max_examples=100, deadline=None)
def test_ranks_are_those_of_scipy(kind: Any, data: Any) -> None:
    x = data.draw(matrices(kind))
    ranks = centred_ranks(x)
    assert ranks.dtype == kind
    assert_array_equal(ranks, 2 * rankdata(x, axis=0) - (len(x) + 1))


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@given(st.data())
@settings(max_examples=50, deadline=None)
def test_pairs_are_counted(kind: Any, data: Any) -> None:
    x = data.draw(matrices(kind))
    sets = data.draw(st.integers(1, 19))
    y = np.random.default_rng(0).integers(0, 4, (len(x), sets)).astype(float)
    expected = np.zeros((sets, x.shape[1]))
    for i in range(len(x)):
        for j in range(i):
            of_x = (x[i] > x[j]).astype(float) - (x[i] < x[j])
            expected += np.sign(y[i] - y[j])[:, None] * of_x
    assert_array_equal(concordance(x, y), expected)


@pytest.mark.parametrize("models", [2, 5, 90, 131])
def test_missing_numbers_are_compared_with_nothing(models: int) -> None:
    x = np.random.default_rng(1).integers(0, 30, (models, 333)).astype(np.float32)
    x[np.random.default_rng(2).random(x.shape) < 0.2] = np.nan
    ranks = centred_ranks(x, threads=2)
    for column, found in zip(x.T, ranks.T, strict=True):
        there = ~np.isnan(column)
        assert_array_equal(found[~there], 0)
        assert_array_equal(found[there], 2 * rankdata(column[there]) - (there.sum() + 1))


def test_memory_of_every_kind() -> None:
    x = np.random.default_rng(3).integers(0, 50, (33, 501)).astype(np.float32)
    expected = 2 * rankdata(x, axis=0) - 34
    raw = np.zeros(x.nbytes + 1, np.uint8)[1:].view(np.float32).reshape(x.shape)
    raw[:] = x
    wide = np.zeros((33, 700), np.float32)
    wide[:, 100:601] = x
    for given_x in (
        x,
        np.asfortranarray(x),
        x[::-1][::-1],
        wide[:, 100:601],
        raw,
        np.repeat(x, 2, 1)[:, ::2],
    ):
        assert_array_equal(centred_ranks(given_x), expected)
    assert_array_equal(centred_ranks(x[::-1]), expected[::-1])
    assert_array_equal(centred_ranks(x[:, ::-1]), expected[:, ::-1])
    assert_array_equal(centred_ranks(np.broadcast_to(x[:1], (4, 501))), np.zeros((4, 501)))
    assert centred_ranks(x[:, :0]).shape == (33, 0)


def test_positions() -> None:
    x = np.array([[2.0, 1.0], [1.0, 1.0], [2.0, 0.0]])
    assert_array_equal(positional_ranks(x), [[0, 0], [-2, 2], [2, -2]])
