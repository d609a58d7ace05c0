"""Held-out rank prediction: against one written out; nothing leaks; the controls fall where they must."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from planted import clustered, errors_of, matrix_of, plant
from scipy import stats

from pyfastlm.errors import InputError
from pyfastlm.selection import Options, family_folds, linear, predict_ranks
from pyfastlm.selection.study.folds import halves

KEEP = Options(keep=0.1)


@given(st.lists(st.integers(0, 9), min_size=2, max_size=60), st.integers(2, 8), st.integers(0, 99))
@settings(max_examples=150, deadline=None)
def test_folds_keep_families_together(families: list[int], folds: int, seed: int) -> None:
    count = len(set(families))
    if folds > count:
        with pytest.raises(InputError, match=rf"^folds: expected 2 to {count}, one for each family at most"):
            family_folds(families, folds, seed)
        return
    fold_of = family_folds(families, folds, seed)
    assert set(fold_of) == set(range(folds))
    for family in set(families):
        assert len({fold for fold, own in zip(fold_of, families, strict=True) if own == family}) == 1
    assert_array_equal(fold_of, family_folds(families, folds, seed))
    sizes = np.bincount(fold_of)
    assert sizes.max() - sizes.min() <= max(families.count(family) for family in set(families))


def test_a_fold_for_each_family() -> None:
    assert sorted(family_folds("aabbc", None)[[0, 2, 4]]) == [0, 1, 2]


def by_hand(x: Any, y: Any, fold_of: Any, tau: Any, sign: int = 1) -> Any:
    """Mean bits per byte on what the other folds select, in their units."""
    predicted = np.empty(len(y))
    every = tau.sum() <= 1.001
    for fold in set(fold_of):
        rest = fold_of != fold
        estimate = np.array([stats.spearmanr(column[rest], y[rest]).statistic for column in x.T])
        values = x @ (tau if every else linear(sign * np.round(estimate, 12), tau))
        predicted[~rest] = (values[~rest] - values[rest].mean()) / values[rest].std()
    return predicted


def test_it_is_what_one_would_write_out() -> None:
    x, y, _ = plant(1, models=24, domains=30)
    families = [row // 2 for row in range(24)]
    found = predict_ranks(x, y, Options(budget=6), families=families, folds=4, draws=3, replicates=50, seed=5)
    one = found.benchmarks[0]
    assert_array_equal(one.fold, family_folds(families, 4, 5))
    tau = np.full(30, 1 / 6)
    expected = np.column_stack([by_hand(x, y, one.fold, tau, sign) for sign in (1, -1)])
    assert_allclose(one.predicted[:, [0, 2]], expected, rtol=0, atol=1e-9)
    for name, column in (("selected", 0), ("all domains", 1), ("inverted", 2)):
        rho = stats.spearmanr(one.predicted[:, column], y).statistic
        assert one.way(name).spearman == pytest.approx(rho, abs=1e-12)
    pairs = [
        (one.predicted[i, 0] - one.predicted[j, 0]) * (y[i] - y[j]) > 0
        for fold in range(4)
        for i in np.flatnonzero(one.fold == fold)
        for j in np.flatnonzero(one.fold == fold)
        if i < j
    ]
    assert one.way("selected").pairs == pytest.approx(np.mean(pairs))
    assert one.way("selected").gain == pytest.approx(
        one.way("selected").spearman - one.way("all domains").spearman
    )


def test_no_error_of_a_held_out_model_matters_for_its_prediction() -> None:
    """The proof that nothing leaks: other errors in a fold change no prediction in it, and some outside."""
    x, y, _ = plant(2, models=30)
    families = [row // 3 for row in range(30)]
    options: dict[str, Any] = {"families": families, "draws": 1, "replicates": 0}
    before = predict_ranks(x, y, KEEP, **options).benchmarks[0]
    random = np.random.default_rng(0)
    for fold in range(before.folds):
        here = before.fold == fold
        other = y.copy()
        other[here] = random.random(here.sum())
        after = predict_ranks(x, other, KEEP, **options).benchmarks[0]
        assert_array_equal(after.fold, before.fold)
        assert_array_equal(after.predicted[here], before.predicted[here])
        assert not np.array_equal(after.predicted[~here], before.predicted[~here])


def test_families_that_are_split_leak() -> None:
    """Errors at random, the same within a family: only folds of families say that there is nothing."""
    by_family, by_model = [], []
    for seed in range(25):
        x, y, families = clustered(seed)
        options: dict[str, Any] = {"draws": 1, "replicates": 1, "seed": seed}
        for found, labels in ((by_family, families), (by_model, None)):
            way = predict_ranks(x, y, KEEP, families=labels, **options).benchmarks[0].way("selected")
            found.append(way.spearman)
    assert np.mean(by_family) == pytest.approx(0, abs=4 * np.std(by_family) / 5)
    assert np.mean(by_model) > 0.6


def test_permuted_errors_are_not_predicted() -> None:
    found = []
    for seed in range(60):
        x, y, _ = plant(seed, models=30, quality=0.5)
        y = np.random.default_rng(1000 + seed).permutation(y)
        one = predict_ranks(x, y, KEEP, draws=5, replicates=0, seed=seed).benchmarks[0]
        found.append([*(way.spearman for way in one.ways), one.above_random])
    error = np.std(found, axis=0) / 60**0.5
    assert_array_equal(np.abs(np.mean(found, axis=0) - [0, 0, 0, 0, 0.5]) < 4 * error, True)


def test_planted_domains_predict_and_inverted_ones_are_worst() -> None:
    rhos = []
    for seed in range(8):
        x, y, _ = plant(seed, models=60)
        one = predict_ranks(x, y, KEEP, draws=10, replicates=0, seed=seed).benchmarks[0]
        rhos.append([one.way(name).spearman for name in ("selected", "all domains", "random", "inverted")])
    gains = np.array(rhos)[:, :1] - np.array(rhos)[:, 1:]
    assert (gains.mean(axis=0) > 2 * gains.std(axis=0) / 8**0.5).all()
    assert np.mean(rhos, axis=0).argmin() == 3


def test_all_of_the_text_is_the_baseline() -> None:
    """Nothing to select: every way is the mean bits per byte weighted by tokens."""
    x, y, _ = plant(3, models=20, domains=15)
    tokens = np.arange(1, 16)
    one = predict_ranks(x, y, Options(keep=1.0), tokens=tokens, draws=2, replicates=5).benchmarks[0]
    assert_allclose(one.predicted[:, [0, 2]], one.predicted[:, [1, 1]], rtol=0, atol=1e-9)
    values = x @ (tokens / tokens.sum())
    for fold in range(5):
        here = one.fold == fold
        expected = (values[here] - values[~here].mean()) / values[~here].std()
        assert_allclose(one.predicted[here, 1], expected, rtol=0, atol=1e-9)
    assert [way.spearman for way in one.ways] == [one.ways[0].spearman] * 4
    assert one.above_random == 0.5
    assert one.shared == pytest.approx(1)


def test_intervals_are_the_spread_over_halves_of_the_families() -> None:
    x, y, _ = plant(9, models=21, domains=20)
    families = np.array([row // 3 for row in range(21)])
    one = predict_ranks(x, y, Options(budget=2), families=families.tolist(), folds=3, draws=1, replicates=12,
                        seed=4).benchmarks[0]  # fmt: skip
    samples = []
    for rows in halves(families.tolist(), 12, 4):
        assert len(set(families[rows])) == 4
        assert len(rows) == 12
        chosen = by_hand(x[rows], y[rows], one.fold[rows], np.full(20, 1 / 2))
        everything = by_hand(x[rows], y[rows], one.fold[rows], np.full(20, 1 / 20))
        samples.append([stats.spearmanr(own, y[rows]).statistic for own in (chosen, everything)])
    rho = np.array(samples)
    quantile = stats.norm.ppf(0.975) * (4 / 3) ** 0.5
    way = one.way("selected")
    reach = quantile * np.arctanh(rho[:, 0]).std(ddof=1)
    assert way.low == pytest.approx(np.tanh(np.arctanh(way.spearman) - reach), abs=1e-9)
    assert way.high == pytest.approx(np.tanh(np.arctanh(way.spearman) + reach), abs=1e-9)
    reach = quantile * (rho[:, 0] - rho[:, 1]).std(ddof=1)
    assert (way.gain_high - way.gain_low) / 2 == pytest.approx(reach, abs=1e-9)
    assert one.way("all domains").gain_high == 0
    assert one.replicates == 12


def test_intervals_count_what_predictions_share() -> None:
    """Errors at random: at 95 % the interval of the selection may exclude 0 in 5 % of the runs, not more."""
    wrong = []
    for seed in range(40):
        x, y, _ = plant(seed, models=20, domains=40)
        y = np.random.default_rng(1000 + seed).permutation(y)
        one = predict_ranks(x, y, KEEP, draws=1, replicates=20, seed=seed).benchmarks[0]
        ways = one.way("selected"), one.way("all domains")
        wrong.append([*(way.low > 0 or way.high < 0 for way in ways), ways[0].gain_low > 0])
    assert (np.mean(wrong, axis=0) <= 0.05 + 3 * (0.05 * 0.95 / 40) ** 0.5).all()


def test_near_copies_of_models_are_no_more_evidence() -> None:
    x, y, _ = plant(4, models=20)
    copies = np.repeat(np.arange(20), 4)
    nearly = x[copies] + 1e-6 * np.random.default_rng(0).normal(size=(80, 100))
    widths = []
    for labels in (copies.tolist(), None):
        one = predict_ranks(nearly, y[copies], KEEP, families=labels, draws=1).benchmarks[0]
        widths.append(one.way("all domains").high - one.way("all domains").low)
    assert widths[1] < 0.75 * widths[0]


def test_too_few_families_for_halves_have_no_interval() -> None:
    x, y, _ = plant(10, models=6)
    found = predict_ranks(x, y, KEEP, families=[0, 0, 1, 1, 2, 2], draws=1)
    one = found.benchmarks[0]
    assert np.isfinite(one.way("selected").spearman)
    assert found.cells()[0][3] in ("", f"{one.way('selected').low:.2f} {one.way('selected').high:.2f}")
    none = predict_ranks(x, y, KEEP, draws=1, replicates=0).benchmarks[0]
    assert np.isnan(none.way("selected").low)
    assert none.replicates == 0


def test_each_benchmark_or_groups_by_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y, _ = plant(5, models=20, domains=40)
    values = np.column_stack([y, np.exp(3 * y), -y])
    options: dict[str, Any] = {"draws": 2, "replicates": 20}
    matrix, errors = matrix_of(x), errors_of(values)
    found = predict_ranks(matrix, errors, KEEP, **options)
    assert [one.name for one in found.benchmarks] == ["b0", "b1", "b2"]
    assert found.benchmarks[0].ways == found.benchmarks[1].ways
    monkeypatch.setattr("pyfastlm.selection.study.prediction.WEIGHT_BYTES", 1)
    assert predict_ranks(matrix, errors, KEEP, **options).as_dict() == found.as_dict()
    both = predict_ranks(matrix, errors, KEEP, groups={"both": ["b0", "b1"]}, **options).benchmarks[0]
    assert_allclose(both.error, (2 * stats.rankdata(y) - 21) / 19)
    assert both.way("selected").spearman == pytest.approx(found.benchmarks[0].way("selected").spearman)
    assert len(found.cells()) == 12
    assert len(found.cells()[0]) == len(found.columns())
    assert found.as_dict()["benchmarks"][2]["ways"][0]["name"] == "selected"


def test_missing_errors_and_numbers() -> None:
    x, y, _ = plant(6, models=20, domains=40)
    values = np.column_stack([y, y])
    values[3, 0] = x[7, 2] = np.nan
    matrix, errors = matrix_of(x), errors_of(values)
    with pytest.raises(InputError, match=r"^missing: model 'm3' has no error on 'b0'"):
        predict_ranks(matrix, errors, KEEP)
    options: dict[str, Any] = {"draws": 2, "replicates": 5}
    dropped = predict_ranks(matrix, errors, Options(keep=0.1, missing="drop_models"), **options)
    assert [len(one.models) for one in dropped.benchmarks] == [18, 19]
    masked = predict_ranks(matrix, errors, Options(keep=0.1, missing="mask"), **options)
    assert [len(one.models) for one in masked.benchmarks] == [19, 20]
    narrowed = predict_ranks(matrix, errors, Options(keep=0.1, missing="drop_domains"), **options)
    assert [len(one.models) for one in narrowed.benchmarks] == [19, 20]
    for found in (dropped, masked, narrowed):
        assert all(np.isfinite(one.predicted).all() for one in found.benchmarks)


def test_gaps_of_one_benchmark_do_not_reach_another() -> None:
    x, y, _ = plant(12, models=24, domains=30)
    x[3, 4] = np.nan
    values = np.column_stack([y, y])
    values[6:, 1] = np.nan
    options = Options(keep=0.2, missing="mask")
    both = predict_ranks(matrix_of(x), errors_of(values), options, draws=2, replicates=0)
    alone = predict_ranks(matrix_of(x), errors_of(y), options, draws=2, replicates=0)
    assert_array_equal(both.benchmarks[0].predicted, alone.benchmarks[0].predicted)
    assert repr(both.benchmarks[0].ways) == repr(alone.benchmarks[0].ways)
    assert len(both.benchmarks[1].models) == 6


def test_a_model_without_any_domain_that_is_selected_is_no_silent_guess() -> None:
    x, y, _ = plant(13, models=20, domains=10)
    x[5, 1:] = np.nan
    with pytest.raises(InputError, match=r"and some domain of each selection for every model$"):
        predict_ranks(x, y, Options(budget=1, missing="mask"), replicates=0)


def test_models_that_are_the_same_would_leak() -> None:
    x, y, _ = plant(7, models=12)
    twice = np.repeat(np.arange(12), 2)
    with pytest.raises(InputError, match=r"^duplicates: '0' and '1' have the same bits per byte"):
        predict_ranks(x[twice], y[twice], KEEP)
    one = predict_ranks(
        x[twice], y[twice], Options(keep=0.1, duplicates="family"), draws=1, replicates=5
    ).benchmarks[0]
    assert_array_equal(one.fold[::2], one.fold[1::2])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"folds": 0}, r"^folds: expected 2 to 12, one for each family at most, got 0$"),
        ({"folds": 1}, r"^folds: expected 2 to 12, one for each family at most, got 1$"),
        ({"draws": 0}, r"^draws: expected a whole number >= 1, got 0$"),
        ({"replicates": -1}, r"^replicates: expected a whole number >= 0, got -1$"),
        ({"seed": -1}, r"^seed: expected a whole number >= 0, got -1$"),
        ({"level": 0}, r"^level: expected a number between 0 and 1, got 0$"),
        ({"families": ["a"] * 12}, r"^folds: expected 2 to 1, one for each family at most, got 1$"),
        ({"families": ["a"] * 11 + ["b"]}, r"^folds: expected 2 models or more outside of each fold"),
    ],
)  # fmt: skip
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    x, y, _ = plant(8, models=12)
    with pytest.raises(InputError, match=message):
        predict_ranks(x, y, KEEP, **options)
