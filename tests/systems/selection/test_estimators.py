"""The estimators against their definitions, scipy and the reference package; shapes, streams, refusals."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from pair_sums import DEFINITIONS, by_definition

from pyfastlm import selection
from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.selection import ranking
from pyfastlm.selection.ranking import MOST_EXACT

NAMES = sorted(DEFINITIONS)
RANKED = ["sign_cdf", "spearmanr"]


def estimator(name: str) -> Callable[..., Any]:
    found: Callable[..., Any] = getattr(selection, name)
    return found


def data(models: int, domains: int, benchmarks: int, *, ties: bool = False, seed: int = 0) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    x, y = random.random((models, domains)) * 3, random.random((models, benchmarks))
    return (np.round(x, 1), np.round(y, 1)) if ties else (x, y)


@pytest.mark.parametrize("name", NAMES)
@given(st.integers(2, 13), st.integers(1, 40), st.integers(1, 10), st.integers(0, 2**20), st.data())
@settings(max_examples=25, deadline=None)
def test_definitions_with_ties(
    name: str, models: int, domains: int, benchmarks: int, seed: int, draw: Any
) -> None:
    x, y = data(models, domains, benchmarks, ties=True, seed=seed)
    x = x.astype(draw.draw(st.sampled_from([np.float32, np.float64])))
    found = estimator(name)(x, y)
    assert_allclose(found, by_definition(name, x.astype(float), y), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
@given(st.integers(2, 11), st.integers(1, 30), st.integers(1, 6), st.integers(0, 2**20))
@settings(max_examples=25, deadline=None)
def test_definitions_with_missing_values(
    name: str, models: int, domains: int, benchmarks: int, seed: int
) -> None:
    x, y = data(models, domains, benchmarks, ties=True, seed=seed)
    random = np.random.default_rng(seed)
    x[random.random(x.shape) < random.choice([0.0, 0.1, 0.6])] = np.nan
    y[random.random(y.shape) < random.choice([0.0, 0.2])] = np.nan
    found = estimator(name)(x, y, missing="mask")
    assert_allclose(found, by_definition(name, x, y), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_on_data_without_ties(name: str, reference: ModuleType) -> None:
    x, y = data(90, 500, 1, seed=3)
    expected = getattr(reference, name)(x, y[:, 0])
    assert_allclose(estimator(name)(x, y[:, 0]), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", RANKED)
def test_ties_of_the_reference(name: str, reference: ModuleType) -> None:
    """Its ranks follow the order of the rows in the columns that numpy's sort happens to leave so."""
    x, y = data(12, 300, 1, ties=True, seed=4)
    y = np.random.default_rng(0).permutation(12) / 12
    same = (np.argsort(x, axis=0) == np.argsort(x, axis=0, kind="stable")).all(axis=0)
    assert same.sum() > 20
    x = x[:, same]
    expected = getattr(reference, name)(x, y)
    assert_allclose(estimator(name)(x, y, ties="reference"), expected, rtol=0, atol=1e-14)
    assert np.abs(estimator(name)(x, y) - expected).max() > 0.01


def test_the_reference_calls_a_missing_model_the_worst(reference: ModuleType) -> None:
    x, y = data(20, 4, 1, seed=4)
    x[3, 2] = np.nan
    assert np.isfinite(reference.spearmanr(x, y[:, 0])).all()
    with pytest.raises(InputError, match=r"^X: row 3, column 2 is NaN"):
        selection.spearmanr(x, y[:, 0])
    masked = selection.spearmanr(x, y[:, 0], missing="mask")
    rest = np.delete(np.arange(20), 3)
    assert masked[2] == selection.spearmanr(x[rest], y[rest, 0])[2]


def test_scipy_with_ties() -> None:
    x, y = data(60, 40, 3, ties=True, seed=5)
    spearman, kendall = selection.spearmanr(x, y), selection.sign_sign(x, y)
    for d in range(40):
        for k in range(3):
            assert spearman[d, k] == pytest.approx(scipy.stats.spearmanr(x[:, d], y[:, k])[0], abs=1e-12)
            tau_b = scipy.stats.kendalltau(x[:, d], y[:, k])[0]
            pairs = [
                len(v) * (len(v) - 1) / 2 - sum(c * (c - 1) / 2 for c in np.unique(v, return_counts=True)[1])
                for v in (x[:, d], y[:, k])
            ]
            assert kendall[d, k] * 60 * 59 / 2 == pytest.approx(
                tau_b * np.sqrt(pairs[0] * pairs[1]), abs=1e-9
            )


def test_sign_cdf_is_spearman_where_y_has_no_ties() -> None:
    x, y = data(30, 200, 2, seed=6)
    assert_allclose(selection.sign_cdf(x, y), selection.spearmanr(x, y) * 31 / 90, rtol=0, atol=1e-15)


@pytest.mark.parametrize("models", [MOST_EXACT, MOST_EXACT + 1, 700])
def test_many_models_stay_exact(models: int) -> None:
    """The greatest sums there are: y in the order of x, in whichever precision they are summed."""
    y = np.random.default_rng(0).permutation(models).astype(float)
    x = np.stack([y, -y, np.roll(y, 1)], axis=1).astype(np.float32)
    found = selection.spearmanr(x, y)
    assert_array_equal(found[:2], [1, -1])
    assert found[2] == pytest.approx(scipy.stats.spearmanr(x[:, 2], y)[0], abs=1e-13)
    assert_array_equal(selection.sign_sign(x, y)[:2], [1, -1])


def test_one_benchmark_is_a_vector() -> None:
    x, y = data(9, 70, 4, seed=7)
    for name in NAMES:
        every = estimator(name)(x, y)
        assert every.shape == (70, 4)
        assert every.dtype == np.float64
        assert_allclose(estimator(name)(x, y[:, 2]), every[:, 2], rtol=0, atol=1e-15)


@pytest.mark.parametrize("name", NAMES)
def test_blocks_give_what_the_whole_gives(name: str, tmp_path: Path) -> None:
    x, y = data(17, 1000, 3, ties=True, seed=8)
    x[3, 999] = np.nan
    np.save(tmp_path / "x.npy", x)
    names = [f"model {n}" for n in range(17)]
    pq.write_table(
        pa.table(dict(zip(names, x, strict=True)) | {"domain": ["d"] * 1000}), tmp_path / "x.parquet"
    )
    whole = estimator(name)(x, y, missing="mask")
    for source in (
        np.load(tmp_path / "x.npy", mmap_mode="r"),
        selection.blocks(tmp_path / "x.npy", size=7),
        selection.blocks(tmp_path / "x.parquet", size=64),
        selection.blocks(x, size=333),
        (x[:, at : at + 100] for at in range(0, 1000, 100)),
        [x[:, :1], x[:, 1:]],
        np.asfortranarray(x),
        np.repeat(x, 2, axis=1)[:, ::2],
        np.repeat(x, 3, axis=0)[::3],
        x[::-1][::-1],
        x.astype(">f8"),
    ):
        found = estimator(name)(source, y, missing="mask")
        if name in {"product", "sign"}:
            assert_allclose(found, whole, rtol=0, atol=1e-15)
        else:
            assert_array_equal(found, whole)
    flipped = estimator(name)(x[::-1], y[::-1], missing="mask")
    assert_allclose(flipped, whole, rtol=0, atol=1e-14)


def test_models_of_a_parquet_file_are_named(tmp_path: Path) -> None:
    table = pa.table({"domain": ["a", "b"], "m1": [1.0, None], "tokens": [5, 6], "m2": [3.0, 4.0]})
    pq.write_table(table, tmp_path / "x.parquet")
    blocks = selection.blocks(tmp_path / "x.parquet")
    assert blocks.models == ("m1", "m2")
    (block,) = selection.blocks(tmp_path / "x.parquet", models=["m2", "m1"])
    assert_array_equal(block, [[3.0, 4.0], [1.0, np.nan]])
    assert [part.shape for part in blocks] == [part.shape for part in blocks] == [(2, 2)]
    with pytest.raises(
        InputError, match=r"^models: .* has no floating-point column 'tokens'; it has: m1, m2$"
    ):
        selection.blocks(tmp_path / "x.parquet", models=["tokens"])


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.bfloat16, torch.int64])
def test_tensors_give_tensors(kind: torch.dtype) -> None:
    x, y = data(8, 50, 2, seed=9)
    tensor = torch.from_numpy(x * 10).to(kind)
    numbers = tensor.double().numpy()
    for name in NAMES:
        found = estimator(name)(tensor, torch.from_numpy(y))
        assert isinstance(found, torch.Tensor)
        assert found.dtype == torch.float64
        assert_allclose(found.numpy(), estimator(name)(numbers, y), rtol=0, atol=1e-13)
    assert isinstance(selection.sign(iter(tensor.split(20, dim=1)), y), torch.Tensor)
    with_gradient = torch.rand(8, 3, requires_grad=True)
    assert not selection.sign(with_gradient, y).requires_grad


@pytest.mark.parametrize("kind", [np.float16, np.int32, np.uint8, np.longdouble])
def test_other_numbers(kind: Any) -> None:
    x, y = data(8, 50, 2, seed=10)
    given = (x * 50).astype(kind)
    for name in NAMES:
        expected = by_definition(name, given.astype(np.float64), y)
        assert_allclose(estimator(name)(given, y), expected, rtol=1e-13, atol=1e-13)


class Table:
    """What tables of other libraries have in common: numpy can ask them for an array."""

    def __init__(self, values: Any) -> None:
        self.values = values

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array(self.values, dtype)

    def __iter__(self) -> Any:
        return iter("names of the columns")


def test_tables_and_lists() -> None:
    x, y = data(5, 7, 1, seed=14)
    expected = selection.sign_sign(x, y[:, 0])
    for given_x in (Table(x), x.tolist(), list(x), tuple(x)):
        assert_array_equal(selection.sign_sign(given_x, y[:, 0].tolist()), expected)
    assert_array_equal(selection.sign_sign(x, Table(y[:, 0])), expected)


def test_more_pairs_than_float32_can_count(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = data(20, 99, 3, ties=True, seed=15)
    expected = selection.sign_sign(x.astype(np.float32), y)
    monkeypatch.setattr(ranking, "MOST_PAIRS", 190)
    assert_array_equal(selection.sign_sign(x.astype(np.float32), y), expected)


def test_constant_columns() -> None:
    x, y = data(10, 3, 1, seed=11)
    x[:, 1] = 0.7
    assert_array_equal(np.isnan(selection.spearmanr(x, y[:, 0])), [False, True, False])
    assert selection.sign_cdf(x, y[:, 0])[1] == selection.sign_sign(x, y[:, 0])[1] == 0
    assert selection.sign(x, y[:, 0])[1] == pytest.approx(0, abs=1e-15)


def test_threads_do_not_change_anything() -> None:
    x, y = data(40, 5000, 5, ties=True, seed=12)
    for name in ("sign_cdf", "sign_sign", "spearmanr"):
        assert_array_equal(estimator(name)(x, y, threads=1), estimator(name)(x, y, threads=3))


def test_a_planted_domain_is_found() -> None:
    """A single-index model with a sigmoid and noise: the estimates order domains as their weights do."""
    random = np.random.default_rng(13)
    weights = np.concatenate([[2.0, -2.0], np.zeros(300)])
    x = random.normal(size=(200, len(weights)))
    y = 1 / (1 + np.exp(-(x @ weights + 0.5 * random.normal(size=200))))
    for name in NAMES:
        found = estimator(name)(x, y)
        assert (found.argmax(), found.argmin()) == (0, 1)
    expected = 6 / np.pi * np.arcsin(2 / np.sqrt(8.25) / 2)
    assert selection.spearmanr(x, y)[0] == pytest.approx(expected, abs=4 * 0.75 / np.sqrt(200))


def nan_at(row: int, column: int) -> Any:
    x = np.ones((4, 5))
    x[row, column] = np.nan
    return x


INFINITE = np.where(np.isnan(nan_at(2, 3)), np.inf, 1.0)
Y = np.arange(4.0)


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        (nan_at(1, 2), Y, {}, r"^X: row 1, column 2 is NaN; pass missing='mask'"),
        ([nan_at(1, 2)[:, :2], nan_at(1, 0)], Y, {}, r"^X: row 1, column 2 is NaN"),
        (np.ones((4, 5)), nan_at(3, 4), {}, r"^y: row 3, column 4 is NaN"),
        (INFINITE, Y, {}, r"^X: expected finite numbers, got inf in row 2, column 3$"),
        (INFINITE, Y, {"missing": "mask"}, r"^X: expected finite numbers, got inf in row 2, column 3$"),
        (np.ones(4), Y, {}, r"^X: expected \[N, D\], got shape \[4\]$"),
        (np.ones((3, 5)), Y, {}, r"^X: expected \[4, D\], a row for each of y, got shape \[3, 5\]$"),
        (np.ones((4, 0)), Y, {}, r"^X: expected one domain or more, got none$"),
        ([], Y, {}, r"^X: expected"),
        (iter(()), Y, {}, r"^X: expected one domain or more, got none$"),
        (3.5, Y, {}, r"^X: expected \[N, D\], got shape \[\]$"),
        ("abcd", Y, {}, r"^X: expected"),
        (np.ones((4, 5), bool), Y, {}, r"^X: expected numbers, got dtype bool$"),
        (np.ones((4, 5), complex), Y, {}, r"^X: expected numbers, got dtype complex128$"),
        ([[1, 2], [3]], Y, {}, r"^X: expected an array, got rows of different lengths$"),
        (np.ones((4, 5)), np.ones((4, 2, 2)), {}, r"^y: expected \[N\] or \[N, K\], got shape \[4, 2, 2\]$"),
        (np.ones((4, 5)), np.ones((4, 0)), {}, r"^y: expected \[N\] or \[N, K\], got shape \[4, 0\]$"),
        (np.ones((1, 5)), [1.0], {}, r"^y: expected two models or more, got 1$"),
        (np.ones((4, 5)), ["a"] * 4, {}, r"^y: expected numbers, got dtype"),
        (np.ones((4, 5)), Y, {"ties": "max"}, r"^ties: expected one of average, reference, got 'max'$"),
        (np.ones((4, 5)), Y, {"missing": "drop"}, r"^missing: expected one of raise, mask, got 'drop'$"),
        (
            np.ones((4, 5)),
            Y,
            {"missing": "mask", "ties": "reference"},
            r"^ties: the reference has no missing",
        ),
        (np.ones((4, 5)), Y, {"threads": 0}, r"^threads: expected a whole number >= 1, got 0$"),
    ],
)
def test_wrong_input_is_refused(x: Any, y: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        selection.spearmanr(x, y, **options)


def test_a_wrong_dtype_is_a_type_error() -> None:
    with pytest.raises(InputTypeError):
        selection.product(np.ones((4, 5), object), Y)


@pytest.mark.parametrize(
    "name", ["missing.npy", "missing.parquet", "x.csv", "damaged.npy", "damaged.parquet"]
)
def test_files_that_cannot_be_read(name: str, tmp_path: Path) -> None:
    if name.startswith("damaged"):
        (tmp_path / name).write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match=r"^source: (cannot read|expected a name)"):
        selection.blocks(tmp_path / name)


def test_no_torch_on_the_way(tmp_path: Path) -> None:
    code = (
        "import sys, numpy as np; from pyfastlm import selection as s; x = np.random.rand(9, 50);"
        "[getattr(s, n)(x, x[:, 0]) for n in ('product', 'sign', 'sign_cdf', 'sign_sign', 'spearmanr')];"
        "s.bootstrap('sign', x, x[:, 0], replicates=3); s.linear(x[0], x[1]); s.l2(x[0], x[1]);"
        "print('torch' in sys.modules, 'scipy' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == ["False", "False"]
