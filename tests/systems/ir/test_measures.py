"""Measures against trec_eval by way of ir-measures, against all orders of equals, and by hand."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.ir import evaluate, ndcg_at_10
from pyfastlm.ir.measures import interval, ndcg, ordered, paired

DOCUMENTS = [f"d{n}" for n in range(30)]
judgements = st.dictionaries(st.sampled_from(DOCUMENTS), st.integers(-1, 3), max_size=25)
# Few values, so that many are equal.
scores = st.dictionaries(st.sampled_from(DOCUMENTS), st.sampled_from([-1.5, 0.0, 0.25, 2.0]), max_size=25)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(judgements, scores), min_size=1, max_size=4))
def test_equal_to_ir_measures(pairs: list[tuple[dict[str, int], dict[str, float]]]) -> None:
    oracle = pytest.importorskip("ir_measures", reason="ir-measures is not installed")
    # trec_eval leaves a query alone that has no judgement at all.
    qrel = {f"q{n}": {"never returned": 0, **judged} for n, (judged, _) in enumerate(pairs)}
    run = {f"q{n}": given for n, (_, given) in enumerate(pairs)}
    # trec_eval orders equals otherwise, and reads float32: it gets our order as whole numbers.
    places = {
        query: {document: -place for place, document in enumerate(ordered(given))}
        for query, given in run.items()
    }
    names = {
        "ndcg_at_10": oracle.nDCG @ 10, "mrr_at_10": oracle.RR @ 10, "recall_at_5": oracle.R @ 5,
        "recall_at_10": oracle.R @ 10, "recall_at_20": oracle.R @ 20, "recall_at_100": oracle.R @ 100,
        "map": oracle.AP,
    }  # fmt: skip
    found = evaluate(qrel, run)
    for name, measure in names.items():
        theirs = {each.query_id: each.value for each in oracle.iter_calc([measure], qrel, places)}
        assert found.of(name) == pytest.approx([theirs[query] for query in qrel], abs=1e-9)
    assert ndcg_at_10(qrel, run) == pytest.approx(
        oracle.calc_aggregate([oracle.nDCG @ 10], qrel, places)[oracle.nDCG @ 10], abs=1e-9
    )
    assert found.ndcg_at_10 == pytest.approx(ndcg_at_10(qrel, run), abs=1e-12)


def test_linear_gain_and_the_best_order_of_all_judged() -> None:
    judged = {"a": 3, "b": 1, "c": 0, "not returned": 2}
    best = 3 / math.log2(2) + 2 / math.log2(3) + 1 / math.log2(4)
    assert ndcg(judged, {"b": 2.0, "c": 1.0, "a": 0.5}) == pytest.approx((1 + 3 / 2) / best)


def test_equal_scores_go_by_id() -> None:
    assert ordered({"b": 1.0, "a": 1.0, "10": 1.0, "9": 2.0}) == ["9", "10", "a", "b"]
    assert ndcg({"a": 1}, {"b": 1.0, "a": 1.0}, 1) == 1.0
    assert ndcg({"b": 1}, {"b": 1.0, "a": 1.0}, 1) == 0.0


def test_order_of_the_mapping_does_not_matter() -> None:
    given = {"b": 1.0, "a": 1.0, "c": 1.0}
    turned = dict(reversed(given.items()))
    assert ndcg({"b": 1}, given) == ndcg({"b": 1}, turned)


@settings(deadline=None, max_examples=40)
@given(
    st.dictionaries(st.sampled_from(DOCUMENTS[:6]), st.integers(0, 2), min_size=1, max_size=6),
    st.dictionaries(st.sampled_from(DOCUMENTS[:6]), st.sampled_from([0.0, 1.0]), max_size=6),
    st.integers(1, 4),
)
def test_expected_ndcg_is_the_mean_over_all_orders_of_equals(
    judged: dict[str, int], given: dict[str, float], k: int
) -> None:
    orders = [
        order
        for order in itertools.permutations(given)
        if [given[each] for each in order] == sorted(given.values(), reverse=True)
    ]
    each = [ndcg(judged, {doc: -place for place, doc in enumerate(order)}, k) for order in orders]
    assert ndcg(judged, given, k, ties="expected") == pytest.approx(np.mean(each), abs=1e-12)


def test_a_query_without_answer_counts_zero() -> None:
    found = evaluate({"a": {"x": 1}, "b": {"x": 1}}, {"a": {"x": 1.0}, "other": {"x": 1.0}})
    assert found.queries == ("a", "b")
    assert found.unanswered == 1
    assert found.ndcg_at_10 == 0.5


@pytest.mark.parametrize(
    ("qrel", "run", "message"),
    [
        ({}, {}, "qrel: expected at least one query"),
        ([], {}, "qrel: expected a mapping"),
        ({"q": ["d"]}, {}, "qrel: query 'q': expected a mapping"),
        ({"q": {"d": 0.5}}, {}, "qrel: query 'q', document 'd': expected a whole number, got 0.5"),
        ({"q": {"d": True}}, {}, "expected a whole number, got True"),
        ({"q": {"d": 1}}, [], "run: expected a mapping"),
        ({"q": {"d": 1}}, {"q": ["d"]}, "run: query 'q': expected a mapping"),
        ({"q": {"d": 1}}, {"q": {"d": "1"}}, "run: query 'q', document 'd': expected a number, got '1'"),
        ({"q": {"d": 1}}, {"q": {"d": float("nan")}}, "got NaN"),
    ],
)
def test_bad_judgements_and_runs(qrel: object, run: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ndcg_at_10(qrel, run)  # type: ignore[arg-type]


def test_bad_choices() -> None:
    found = evaluate({"q": {"d": 1}}, {"q": {"d": np.float32(1)}})
    with pytest.raises(InputError, match=r"measure: expected one of ndcg_at_10.*got 'f1'"):
        found.of("f1")
    with pytest.raises(InputError, match="ties: expected 'id' or 'expected', got 'random'"):
        ndcg({"d": 1}, {"d": 1.0}, ties="random")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="k: expected a whole number >= 1, got 0"):
        ndcg({"d": 1}, {"d": 1.0}, 0)
    assert issubclass(InputTypeError, InputError)


def test_interval_covers_the_mean_of_the_population() -> None:
    rng = np.random.default_rng(0)
    covered = [low <= 0.5 <= high for _, low, high in (interval(rng.random(40)) for _ in range(200))]
    assert 0.88 <= np.mean(covered) <= 0.99


def test_interval_is_that_of_scipy() -> None:
    scipy = pytest.importorskip("scipy.stats")
    values = np.random.default_rng(1).beta(0.5, 0.5, 50)
    theirs = scipy.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    ours = interval(values, replicates=20_000)
    assert ours[1:] == pytest.approx([theirs.low, theirs.high], abs=5e-3)
    assert interval(values) == interval(values)


def test_paired_sees_what_single_intervals_do_not() -> None:
    rng = np.random.default_rng(0)
    hard = rng.random(30)  # queries differ far more than systems do
    better = hard + rng.normal(0.02, 0.01, 30)
    alone, other = interval(better), interval(hard)
    assert alone.low < other.high
    found = paired(better, hard)
    assert found.low > 0
    assert found.p < 0.01
    assert paired(hard, better).mean == pytest.approx(-found.mean)
    assert paired(hard, hard) == (0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("values", "message"),
    [([], "one or more"), ([[1.0]], "one or more"), ([float("nan")], "finite")],
)
def test_bad_values(values: list[float], message: str) -> None:
    with pytest.raises(InputError, match=f"values: .*{message}"):
        interval(values)


def test_bad_pairs_and_replicates() -> None:
    with pytest.raises(InputError, match="b: expected values of the same 2 queries, got 1"):
        paired([1.0, 2.0], [1.0])
    with pytest.raises(InputError, match="replicates: expected a whole number >= 1, got 0"):
        interval([1.0], replicates=0)
