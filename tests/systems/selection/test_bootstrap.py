"""The bootstrap against one written out, its seeds and families, and what its intervals cover."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from pyfastlm import selection
from pyfastlm.errors import InputError
from pyfastlm.selection import bootstrap

NAMES = ["product", "sign", "sign_cdf", "sign_sign", "spearmanr"]


def data(models: int, domains: int, benchmarks: int, seed: int = 0) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    return random.random((models, domains)), random.random((models, benchmarks))


@pytest.mark.parametrize("name", NAMES)
def test_each_replicate_is_the_estimator_on_models_drawn(name: str) -> None:
    x, y = data(12, 150, 2)
    found = bootstrap(name, x, y, replicates=40, level=0.8, seed=7)
    estimator = getattr(selection, name)
    draws = np.random.default_rng(7).integers(12, size=(40, 12))
    samples = np.stack([estimator(x[rows], y[rows]) for rows in draws])
    assert_allclose(found.estimate, estimator(x, y), rtol=0, atol=1e-15)
    assert_allclose(found.low, np.quantile(samples, 0.1, axis=0), rtol=0, atol=1e-14)
    assert_allclose(found.high, np.quantile(samples, 0.9, axis=0), rtol=0, atol=1e-14)
    assert_array_equal(found.replicates, np.full((150, 2), 40))


def test_the_seed_decides() -> None:
    x, y = data(12, 50, 1)
    one, again, other = (bootstrap("sign", x, y[:, 0], replicates=20, seed=seed) for seed in (1, 1, 2))
    assert one.low.shape == (50,)
    assert_array_equal(one.low, again.low)
    assert not np.array_equal(one.low, other.low)


def test_blocks_give_what_the_whole_gives() -> None:
    x, y = data(10, 500, 2)
    whole = bootstrap("spearmanr", x, y, replicates=30)
    parts = bootstrap("spearmanr", selection.blocks(x, size=77), y, replicates=30)
    for a, b in zip(whole, parts, strict=True):
        assert_array_equal(a, b)


def test_families_are_drawn_whole() -> None:
    """Each model five times over is no more evidence: only by models does the interval shrink."""
    x, y = data(20, 60, 1, seed=3)
    y = y[:, 0]
    copies = np.repeat(np.arange(20), 5)
    single = bootstrap("spearmanr", x, y, replicates=600, seed=1)
    by_family = bootstrap("spearmanr", x[copies], y[copies], replicates=600, seed=1, families=list(copies))
    by_model = bootstrap("spearmanr", x[copies], y[copies], replicates=600, seed=1)
    width, family_width, model_width = (
        float(np.mean(found.high - found.low)) for found in (single, by_family, by_model)
    )
    assert family_width == pytest.approx(width, rel=1e-9)
    assert model_width < 0.6 * width


def test_intervals_cover() -> None:
    """Domains that have nothing to do with the benchmark: 0 lies within the interval of most."""
    x, y = data(80, 1500, 1, seed=4)
    found = bootstrap("sign_sign", x, y[:, 0], replicates=300, level=0.9)
    covered = float(np.mean((found.low <= 0) & (found.high >= 0)))
    assert 0.85 < covered < 0.95


def test_draws_without_an_estimate_are_counted() -> None:
    x, y = data(2, 30, 1)
    found = bootstrap("spearmanr", x, y[:, 0], replicates=200)
    assert (found.replicates < 150).all()
    assert (found.replicates > 50).all()
    assert_array_equal(np.abs(found.estimate), np.ones(30))
    assert_array_equal(found.low, found.estimate)
    empty = bootstrap("spearmanr", np.ones((3, 2)), [1.0, 2.0, 3.0], replicates=9)
    assert_array_equal(empty.replicates, [0, 0])
    assert np.isnan(empty.low).all()


def test_missing_values() -> None:
    x, y = data(15, 40, 2)
    x[2, 5] = y[3, 1] = np.nan
    with pytest.raises(InputError, match=r"^y: row 3, column 1 is NaN"):
        bootstrap("sign", x, y, replicates=5)
    found = bootstrap("sign", x, y, replicates=50, missing="mask")
    assert_array_equal(found.estimate, selection.sign(x, y, missing="mask"))
    assert (found.low < found.high).all()


def test_tensors() -> None:
    x, y = data(6, 9, 1)
    found = bootstrap("sign", torch.from_numpy(x), y[:, 0], replicates=5)
    assert all(isinstance(field, torch.Tensor) for field in found)


@pytest.mark.parametrize(
    ("estimator", "options", "message"),
    [
        ("pearson", {}, r"^estimator: expected one of product, sign, sign_cdf, sign_sign, spearmanr, got"),
        ("sign", {"replicates": 0}, r"^replicates: expected a whole number >= 1, got 0$"),
        ("sign", {"level": 1}, r"^level: expected a number between 0 and 1, got 1$"),
        ("sign", {"seed": -1}, r"^seed: expected a whole number >= 0, got -1$"),
        ("sign", {"families": ["a"]}, r"^families: expected a label for each of 6 models, got 1$"),
        ("sign", {"families": ["a"] * 6}, r"^families: expected two or more, got 1$"),
    ],
)  # fmt: skip
def test_wrong_input_is_refused(estimator: str, options: dict[str, Any], message: str) -> None:
    x, y = data(6, 9, 1)
    with pytest.raises(InputError, match=message):
        bootstrap(estimator, x, y, **options)
