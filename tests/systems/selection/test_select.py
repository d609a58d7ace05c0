"""One call from a matrix and errors to a selection: joined by name, by its rules, within its budget."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from planted import errors_of, matrix_of, plant
from scipy import stats

from pyfastlm import selection
from pyfastlm.errors import InputError
from pyfastlm.selection import BenchmarkErrors, BpbMatrix, Selection, bootstrap, combine, linear, select

NAMES = ["product", "sign", "sign_cdf", "sign_sign", "spearmanr"]


@pytest.mark.parametrize("name", NAMES)
def test_the_pipeline_of_the_reference(
    name: str, reference: ModuleType, reference_projections: ModuleType
) -> None:
    x, y, _ = plant(1, models=25, domains=60)
    tokens = np.random.default_rng(0).integers(50, 500, 60)
    found = select(x, y, estimator=name, keep=0.1, tokens=tokens)
    estimate = getattr(reference, name)(x, y)
    tau = tokens / tokens.sum() / (found.basis.budget / tokens.sum())
    assert_allclose(found.estimate, estimate, rtol=1e-12)
    assert_allclose(found.weights, reference_projections.linear(estimate, tau), rtol=0, atol=1e-6)
    assert found.allotted.sum() == found.basis.budget == int(0.1 * tokens.sum())
    assert_array_equal(found.included, found.weights > 0)


def test_l2_takes_weights_and_not_correlations(reference_projections: ModuleType) -> None:
    x, y, _ = plant(2, models=40, domains=50)
    tau = np.full(50, 1 / 10)
    for name, inverse in {
        "spearmanr": lambda r: 2 * np.sin(np.pi * r / 6),
        "sign_sign": lambda r: np.sin(np.pi * r / 2),
        "sign_cdf": lambda r: 2 * np.sin(np.pi * r / 2),
        "sign": lambda r: r,
    }.items():
        found = select(x, y, estimator=name, projection="l2", budget=10)
        expected = reference_projections.l2(inverse(getattr(selection, name)(x, y)), tau)
        assert_allclose(found.weights, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["spearmanr", "sign_sign", "sign_cdf"])
def test_inverses_recover_a_correlation(name: str) -> None:
    """Many models of two domains: the estimate, inverted, is Pearson's correlation of the Gaussians."""
    from pyfastlm.selection.study.scores import INVERSES

    rho, count = 0.6, 3000
    random = np.random.default_rng(5)
    x = random.normal(size=(count, 1))
    y = np.exp(rho * x[:, 0] + (1 - rho**2) ** 0.5 * random.normal(size=count))
    found = INVERSES[name](getattr(selection, name)(x, y))
    assert found[0] == pytest.approx(rho, abs=4 * (1 - rho**2) / count**0.5)


def test_models_are_joined_by_name_and_never_by_place() -> None:
    x, y, _ = plant(3, models=12, domains=20)
    matrix, errors = matrix_of(x), errors_of(y)
    whole = select(matrix, errors, keep=0.2)
    order = np.random.default_rng(0).permutation(12)
    shuffled = errors.only([errors.models[row] for row in order])
    assert_array_equal(select(matrix, shuffled, keep=0.2).estimate, whole.estimate)
    some = select(
        matrix.only([f"m{n}" for n in range(2, 12)]), errors.only([f"m{n}" for n in range(9)]), keep=0.2
    )
    assert some.basis.models == tuple(f"m{n}" for n in range(2, 9))
    assert dict(some.basis.left_out) == {
        "m0": "is not in the matrix", "m1": "is not in the matrix",
        "m9": "has no errors", "m10": "has no errors", "m11": "has no errors",
    }  # fmt: skip
    assert_array_equal(some.estimate, selection.spearmanr(x[2:9], y[2:9]))


def test_missing_numbers_by_one_rule_for_all() -> None:
    x, y, _ = plant(4, models=15, domains=30)
    x[3, 7] = x[8, 2] = np.nan
    y[5] = np.nan
    matrix, errors = matrix_of(x), errors_of(y)
    keep: dict[str, Any] = {"keep": 0.2}
    with pytest.raises(InputError, match=r"^missing: model 'm5' has no error on 'b0'; pass missing='drop_mo"):
        select(matrix, errors, **keep)
    whole = errors_of(np.nan_to_num(y))
    with pytest.raises(
        InputError, match=r"^missing: model 'm3' has no number for domain 'd7'; pass missing="
    ):
        select(matrix, whole, **keep)

    dropped = select(matrix, errors, missing="drop_models", **keep)
    rows = np.delete(np.arange(15), [3, 5, 8])
    assert_array_equal(dropped.estimate, selection.spearmanr(x[rows], y[rows]))
    assert dict(dropped.basis.left_out) == {
        "m3": "has no number for 1 of 30 domains",
        "m5": "has no error on b0",
        "m8": "has no number for 1 of 30 domains",
    }

    narrowed = select(matrix, errors, missing="drop_domains", **keep)
    rows, there = np.delete(np.arange(15), 5), np.delete(np.arange(30), [2, 7])
    assert_array_equal(narrowed.estimate[there], selection.spearmanr(x[np.ix_(rows, there)], y[rows]))
    assert np.isnan(narrowed.estimate[[2, 7]]).all()
    assert_array_equal(narrowed.weights[[2, 7]], 0)

    masked = select(matrix, errors, missing="mask", **keep)
    assert_array_equal(masked.estimate, selection.spearmanr(x[rows], y[rows], missing="mask"))
    assert_array_equal(masked.models_of, np.where(np.isin(np.arange(30), [2, 7]), 13, 14))
    fewer = select(matrix, errors, missing="mask", least=14, **keep)
    assert np.isnan(fewer.estimate[[2, 7]]).all()
    assert np.isfinite(np.delete(fewer.estimate, [2, 7])).all()


def test_a_domain_that_two_models_have_is_not_the_best() -> None:
    x, y, _ = plant(5, models=15, domains=30)
    x[2:, 11] = np.nan
    x[:2, 11] = y[:2]
    assert select(x, y, keep=0.2, missing="mask", least=2).estimate[11] == 1
    assert select(x, y, keep=0.2, missing="mask").weights[11] == 0


def test_models_that_are_the_same() -> None:
    x, y, _ = plant(6, models=10, domains=20)
    x, y = np.vstack([x, x[4]]), np.append(y, 9.0)
    matrix, errors = matrix_of(x), errors_of(y)
    with pytest.raises(
        InputError, match=r"^duplicates: 'm4' and 'm10' have the same bits per byte for every"
    ):
        select(matrix, errors, keep=0.2)
    dropped = select(matrix, errors, keep=0.2, duplicates="drop")
    assert dropped.basis.left_out == (("m10", "is the same as m4"),)
    assert_array_equal(dropped.estimate, select(x[:10], y[:10], keep=0.2).estimate)
    folded = select(matrix, errors, keep=0.2, duplicates="family")
    assert len(folded.basis.models) == 11
    assert folded.basis.families[10] == folded.basis.families[4]
    assert len(set(folded.basis.families)) == 10


def test_models_without_any_number_are_not_the_same() -> None:
    x, y, _ = plant(6, models=10, domains=20)
    x[[2, 5]] = np.nan
    found = select(x, y, keep=0.2, missing="drop_models")
    assert dict(found.basis.left_out) == dict.fromkeys("25", "has no number for 20 of 20 domains")


def test_two_copies_of_all_models_change_nothing_where_families_are_drawn() -> None:
    x, y, _ = plant(7, models=16, domains=40)
    twice = np.repeat(np.arange(16), 2)
    options: dict[str, Any] = {"keep": 0.2, "replicates": 60, "seed": 3}
    once = select(x, y, **options)
    copies = select(x[twice], y[twice], duplicates="family", **options)
    for name in ("estimate", "low", "high"):
        assert_allclose(getattr(copies, name), getattr(once, name), rtol=0, atol=1e-12)
    assert_array_equal(copies.frequency, once.frequency)
    assert_array_equal(copies.weights, once.weights)
    assert copies.basis.stability == once.basis.stability
    nearly = x[twice] + 1e-9 * np.random.default_rng(0).normal(size=(32, 40))
    by_model = select(nearly, y[twice], **options)
    assert (by_model.high - by_model.low).mean() < 0.85 * (once.high - once.low).mean()


def test_groups_do_not_depend_on_each_other() -> None:
    x, y, _ = plant(8, models=14, domains=25)
    random = np.random.default_rng(1)
    values = np.column_stack([y, random.random(14), random.random(14)])
    values[3, 1] = np.nan
    matrix, errors = matrix_of(x), errors_of(values)
    options: dict[str, Any] = {"keep": 0.2, "missing": "drop_models", "replicates": 15}
    groups = {"second": ["b1"], "both": ["b2", "b0"], "first": ["b0"]}
    found = select(matrix, errors, groups=groups, **options)
    assert [one.name for one in found] == list(groups)
    assert [len(one.basis.models) for one in found] == [13, 14, 14]
    alone = select(matrix, errors_of(y), **options)
    for name in ("estimate", "low", "high", "frequency", "weights", "allotted"):
        assert_array_equal(getattr(found[2], name), getattr(alone, name))
    each = selection.spearmanr(x, values[:, [2, 0]])
    assert_allclose(found[1].estimate, combine(each), rtol=0, atol=1e-15)
    assert found[1].basis.benchmarks == ("b2", "b0")
    assert_array_equal(select(x, values[:, [0, 2]], keep=0.2).estimate, found[1].estimate)


def test_each_group_has_its_own_reasons() -> None:
    x, y, _ = plant(8, models=14, domains=25)
    values = np.column_stack([y, y])
    values[3] = np.nan
    one, other = select(
        matrix_of(x), errors_of(values), keep=0.2, missing="drop_models", groups={"a": ["b0"], "b": ["b1"]}
    )
    assert one.basis.left_out == (("m3", "has no error on b0"),)
    assert other.basis.left_out == (("m3", "has no error on b1"),)
    assert_array_equal(one.estimate, other.estimate)


def test_intervals_and_frequencies_are_those_of_the_draws() -> None:
    x, y, _ = plant(9, models=18, domains=30)
    families = [row // 3 for row in range(18)]
    found = select(x, y, budget=6, replicates=40, families=families, level=0.8, seed=11)
    again = bootstrap("spearmanr", x, y, replicates=40, families=families, level=0.8, seed=11)
    assert_array_equal(found.estimate, again.estimate)
    assert_array_equal(found.low, again.low)
    assert_array_equal(found.high, again.high)
    random = np.random.default_rng(11)
    picks = random.integers(6, size=(40, 6))
    weights = []
    for row in picks:
        rows = np.concatenate([np.arange(3 * pick, 3 * pick + 3) for pick in row])
        estimate = [stats.spearmanr(x[rows, domain], y[rows]).statistic for domain in range(30)]
        weights.append(linear(np.round(estimate, 12), np.full(30, 1 / 6)))
    assert_allclose(found.frequency, np.mean([one > 1e-12 for one in weights], axis=0), rtol=0, atol=0.03)
    assert found.basis.stability == pytest.approx(
        np.mean([np.minimum(one, found.weights).sum() for one in weights]), abs=0.02
    )
    assert found.basis.replicates == 40
    other = select(x, y, budget=6, replicates=40, families=families, level=0.8, seed=12)
    assert not np.array_equal(other.low, found.low)


def test_equal_estimates_go_in_the_order_of_the_matrix() -> None:
    x, y, _ = plant(10, models=9, domains=6)
    x = np.repeat(x, 5, axis=1)
    found = select(x, y, budget=7)
    best, second = np.argsort(-found.estimate[::5])[:2]
    expected = [*range(5 * best, 5 * best + 5), 5 * second, 5 * second + 1]
    assert np.flatnonzero(found.included).tolist() == sorted(expected)
    assert found.order()[:7].tolist() == expected


def test_many_small_weights_are_kept_and_what_rounding_left_is_not() -> None:
    """A level of 10,000 equals with 1e-9 of the budget between them; and seven times 1 / 7."""
    from pyfastlm.selection.study.scores import Projector

    estimate = np.concatenate([np.ones(10), np.zeros(10_000)])
    tau = np.concatenate([np.full(10, 0.1 * (1 - 1e-9)), np.ones(10_000)])
    weights = Projector("sign", "l2", tau).weights(estimate, 1)
    assert weights is not None
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    weights = Projector("sign", "linear", np.full(9, 1 / 7)).weights(np.arange(9.0), 1)
    assert weights is not None
    assert (weights > 0).sum() == 7


def test_a_file_gives_what_the_array_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y, _ = plant(11, models=12, domains=900)
    tokens = np.random.default_rng(0).integers(0, 90, 900)
    matrix, errors = matrix_of(x, tokens=tokens), errors_of(y).only([f"m{row}" for row in range(11, -1, -1)])
    matrix.save(tmp_path / "bpb.parquet")
    options: dict[str, Any] = {"keep": 0.1, "replicates": 13}
    whole = select(matrix, errors, **options)
    monkeypatch.setattr("pyfastlm.selection.study.resampling.PASS_BYTES", 5 * 8 * 900)
    monkeypatch.setattr("pyfastlm.selection.study.selecting.MEMORY", 5000)
    streamed = select(tmp_path / "bpb.parquet", errors, **options)
    for name in ("estimate", "low", "high", "frequency", "weights", "allotted", "models_of", "tokens"):
        assert_array_equal(getattr(streamed, name), getattr(whole, name))
    assert streamed.basis == whole.basis
    assert (whole.allotted <= tokens).all()


def test_tensors_and_single_precision() -> None:
    x, y, _ = plant(12, models=12, domains=30)
    found = select(torch.from_numpy(x.astype(np.float32)), torch.from_numpy(y), keep=0.2)
    assert_array_equal(found.estimate, select(x.astype(np.float32), y, keep=0.2).estimate)


@pytest.mark.parametrize("estimator", NAMES)
def test_planted_domains_are_found(estimator: str) -> None:
    """A tenth of the text is planted and a tenth is selected; ``product`` suffers from the means of x."""
    shares = []
    for seed in range(5):
        x, y, planted = plant(seed, models=150)
        shares.append(select(x, y, estimator=estimator, keep=0.1).weights[planted].sum())
    assert np.mean(shares) > (0.3 if estimator == "product" else 0.8)


def test_permuted_errors_select_at_chance() -> None:
    """The control: with errors of other models the share of planted domains is that of all text."""
    shares = []
    for seed in range(60):
        x, y, planted = plant(seed, models=30)
        y = np.random.default_rng(1000 + seed).permutation(y)
        shares.append(select(x, y, keep=0.1).weights[planted].sum())
    assert np.mean(shares) == pytest.approx(0.1, abs=4 * np.std(shares) / 60**0.5)


def test_more_text_than_there_is_of_domains_with_an_estimate() -> None:
    x, y, _ = plant(13, models=9, domains=10)
    x[:, 4:] = 1.0
    with pytest.raises(
        InputError, match=r"^budget: expected at most what the 4 domains with an estimate hold, 4"
    ):
        select(x, y, budget=5)
    assert select(x, y, budget=5, repeats=2).included[:4].sum() == 3
    assert_array_equal(select(x, y, budget=4).weights[:4], 0.25)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"^keep: expected keep or budget, one of the two$"),
        ({"keep": 0.1, "budget": 3}, r"^keep: expected keep or budget, one of the two$"),
        ({"keep": 0.01}, r"^keep: expected 1 token or more to keep, got 0.01 of the tokens there are$"),
        ({"budget": 2.5}, r"^budget: expected a whole number of tokens, got 2.5$"),
        ({"budget": 31}, r"^budget: expected at most 30 tokens, all there are, got 31$"),
        ({"keep": 1.5}, r"^keep: expected a part above 0 and up to 1, got 1.5$"),
        ({"keep": 0.1, "estimator": "pearson"}, r"^estimator: expected one of product, .*, got 'pearson'$"),
        ({"keep": 0.1, "projection": "l1"}, r"^projection: expected linear or l2, got 'l1'$"),
        ({"keep": 0.1, "missing": "ignore"}, r"^missing: expected one of raise, drop_models, drop"),
        ({"keep": 0.1, "duplicates": "keep"}, r"^duplicates: expected one of raise, drop, family, got"),
        ({"keep": 0.1, "least": 1}, r"^least: expected a whole number >= 2, got 1$"),
        ({"keep": 0.1, "ties": "first"}, r"^ties: expected one of average, reference, got 'first'$"),
        ({"keep": 0.1, "missing": "mask", "ties": "reference"}, r"^ties: the reference has no missing"),
        ({"keep": 0.1, "replicates": -1}, r"^replicates: expected a whole number >= 0, got -1$"),
        ({"keep": 0.1, "seed": "x"}, r"^seed: expected a whole number >= 0, got 'x'$"),
        ({"keep": 0.1, "level": 1.0}, r"^level: expected a number between 0 and 1, got 1.0$"),
        ({"keep": 0.1, "tokens": [1, 2]}, r"^tokens: expected \[30\], one for each domain, got shape \[2\]$"),
        ({"keep": 0.1, "tokens": [-1] * 30}, r"^tokens: expected 0 or more, got -1.0 for domain 0$"),
        ({"keep": 0.1, "families": ["a"]}, r"^families: expected a label for each of 8 models, got 1$"),
        ({"keep": 0.1, "families": {"0": "a"}}, r"^families: expected a label for each model, got none"),
        ({"keep": 0.1, "families": ["a"] * 8, "replicates": 2}, r"^families: expected two or more, got 1$"),
        ({"keep": 0.1, "groups": {}}, r"^groups: expected names with their benchmarks, got \{\}$"),
        ({"keep": 0.1, "groups": {"a": ["7"]}}, r"^groups: 'a': expected some of 0, got '7'$"),
        ({"keep": 0.1, "groups": {"a": "0"}}, r"^groups: 'a': expected benchmarks, each once, got '0'$"),
        ({"keep": 0.1, "groups": {"a": ["0", "0"]}}, r"^groups: 'a': expected benchmarks, each once, got"),
    ],
)  # fmt: skip
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    x, y, _ = plant(14, models=8, domains=30)
    with pytest.raises(InputError, match=message):
        select(x, y, **options)


@pytest.mark.parametrize(
    ("matrix", "errors", "message"),
    [
        (np.ones(3), [1, 2, 3], r"^matrix: expected \[N, D\], models and domains, got shape \[3\]$"),
        (np.ones((3, 2)), [1, 2], r"^errors: expected \[3\] or \[3, K\], a row for each of the matrix, got"),
        (np.full((3, 2), np.inf), [1, 2, 3], r"^matrix: expected finite numbers, got inf for model '0'"),
        (np.eye(3), [1, 2, np.inf], r"^errors: expected finite numbers, got inf of model '2' on '0'$"),
        (matrix_of(np.eye(3)), [1, 2, 3], r"^errors: expected BenchmarkErrors or a file: the matrix has na"),
        (matrix_of(np.eye(3)), BenchmarkErrors(("x",), ("x",), ("b",), np.ones((1, 1))),
         r"^errors: expected two models or more in common with the matrix, got 0; .*: 'm0', 'm1', 'x'$"),
        ("none.parquet", [1, 2], r"^path: cannot read 'none.parquet'"),
    ],
)  # fmt: skip
def test_wrong_tables_are_refused(matrix: Any, errors: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        select(matrix, errors, keep=0.5)


def test_a_matrix_with_another_number_of_domains_than_it_says(tmp_path: Path) -> None:
    x, y, _ = plant(15, models=4, domains=5)
    matrix = matrix_of(x)
    matrix.save(tmp_path / "m.parquet")
    opened = BpbMatrix.open(tmp_path / "m.parquet")
    matrix_of(x[:, :4]).save(tmp_path / "m.parquet")
    with pytest.raises(InputError, match=r"^matrix: expected 5 domains, got 4$"):
        select(opened, errors_of(y), keep=0.5)


def test_a_selection_is_kept_in_a_file(tmp_path: Path) -> None:
    x, y, _ = plant(16, models=10, domains=20)
    y[2] = np.nan
    made = select(matrix_of(x), errors_of(y), keep=0.2, missing="drop_models", replicates=5)
    made.save(tmp_path / "s.parquet")
    opened = Selection.open(tmp_path / "s.parquet")
    assert opened.basis == made.basis
    assert (opened.name, opened.domains) == (made.name, made.domains)
    for name in ("tokens", "models_of", "estimate", "low", "high", "frequency", "weights", "allotted"):
        assert_array_equal(getattr(opened, name), getattr(made, name))
    first = (tmp_path / "s.parquet").read_bytes()
    made.save(tmp_path / "s.parquet")
    assert (tmp_path / "s.parquet").read_bytes() == first
    assert [path.name for path in tmp_path.iterdir()] == ["s.parquet"]
    plain = select(matrix_of(x), errors_of(np.nan_to_num(y)), keep=0.2)
    plain.save(tmp_path / "s.parquet")
    assert repr(Selection.open(tmp_path / "s.parquet").basis) == repr(plain.basis)


def test_files_that_are_no_selection_are_refused(tmp_path: Path) -> None:
    x, y, _ = plant(17, models=10, domains=20)
    path = tmp_path / "s.parquet"
    matrix_of(x).save(path)
    with pytest.raises(InputError, match=r"^path: .*s.parquet' is no selection|^path: cannot read"):
        Selection.open(path)
    select(x, y, keep=0.2).save(path)
    whole = path.read_bytes()
    for broken in (b"", whole[: len(whole) // 2], whole[:-9], b"PAR1" + whole[8:]):
        path.write_bytes(broken)
        with pytest.raises(InputError, match=r"^path: "):
            Selection.open(path)
    path.write_bytes(whole)
    table = pq.read_table(path)
    for change in ({"budget": "7"}, {"models": 7}, {"left_out": [1]}, {"estimator": None}, {"new": 1}):
        metadata = json.loads(table.schema.metadata[b"pyfastlm.selection"])
        metadata["basis"] |= change
        pq.write_table(
            table.replace_schema_metadata({b"pyfastlm.selection": json.dumps(metadata).encode()}), path
        )
        with pytest.raises(InputError, match=r"^path: cannot read"):
            Selection.open(path)
    lacking = table.set_column(
        table.column_names.index("allotted"), "allotted", pa.array([None] * 20, pa.int64())
    )
    pq.write_table(lacking.replace_schema_metadata(table.schema.metadata), path)
    with pytest.raises(InputError, match=r"^path: .* lacks a domain, or its tokens$"):
        Selection.open(path)
    for place in range(0, len(whole), 97):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            opened = Selection.open(path)
        except InputError:
            continue
        assert len(opened.domains) == 20
