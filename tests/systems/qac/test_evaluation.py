"""The numbers of a report, compared with what one counts by hand."""

import math
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import terms as brute
from searches import TERMS, TRAIN_ROW, sample_rows

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.index import TermIndex
from pyfastlm.qac import Backoff, Popularity, Query, Row, evaluate, one_prefix
from pyfastlm.qac.ceilings import ceilings, prefix_edits
from pyfastlm.qac.evaluation import interval


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> TermIndex:
    return TermIndex.build(TERMS.items(), tmp_path_factory.mktemp("evaluation") / "terms")


def row(prefix: str, term: str, session: str = "s") -> Row:
    return TRAIN_ROW._replace(prefixes=(prefix,), term=term, session_id=session)


def test_success_and_reciprocal_rank_by_hand(index: TermIndex) -> None:
    rows = [
        row("re", "red shoes"),  # first
        row("re", "rechargeable lamp", "t"),  # fourth
        row("ph", "phone charger"),  # second
        row("ph", "red dress"),  # begins otherwise
        row("sm", "smoke alarm", "u"),  # in no dictionary
    ]
    report = evaluate(index, rows, 3)
    assert report.ranks.tolist() == [1, 0, 2, 0, 0]
    assert (report.n, report.sessions, report.k) == (5, 3, 3)
    assert report.success_at_1 == pytest.approx(1 / 5)
    assert report.success_at_k == pytest.approx(2 / 5)
    assert report.rr_at_k == pytest.approx((1 + 1 / 2) / 5)
    assert report.coverage == pytest.approx(4 / 5)
    assert [report.success_at(k) for k in (1, 2, 3)] == pytest.approx([1 / 5, 2 / 5, 2 / 5])
    assert evaluate(index, rows, 4).ranks.tolist() == [1, 4, 2, 0, 0]
    with pytest.raises(ValueError, match="k: expected 1 to 3, got 4"):
        report.success_at(4)


def test_slices_add_up(index: TermIndex) -> None:
    rows = one_prefix(sample_rows(400, seed=2))
    report = evaluate(index, rows)
    for parts in (report.by_prefix_length, report.by_popularity, report.by_context):
        assert sum(part.n for part in parts) == report.n
        hits = sum(part.n * part.success_at_k for part in parts if part.n)
        assert hits / report.n == pytest.approx(report.success_at_k)
    lengths = Counter(len(row.prefixes[0]) for row in rows)
    assert [part.n for part in report.by_prefix_length[:4]] == [lengths[n] for n in (1, 2, 3, 4)]
    assert report.by_context[0].n == sum(bool(row.past) for row in rows)
    assert [cells[0] for cells in report.cells()][:2] == ["all", "prefix 1"]
    assert len(report.cells()[0]) == len(report.columns())


def test_tenths_of_popularity(tmp_path: Path) -> None:
    index = TermIndex.build([(f"t{n}", 100.0 - n) for n in range(20)], tmp_path / "terms")
    rows = [row("t", f"t{n}") for n in range(20)] + [row("t", "none")] * 3
    report = evaluate(index, rows, 2)
    assert [part.n for part in report.by_popularity] == [2] * 10 + [3]
    assert [part.success_at_k for part in report.by_popularity] == [1.0] + [0.0] * 10


def test_a_function_is_an_engine_and_equal_answers_count_once() -> None:
    asked = []

    def engine(prefix: str, k: int) -> list[tuple[str, float]]:
        asked.append((prefix, k))
        return [("a", 9.0), ("a", 8.0), ("b", 7.0), ("c", 6.0)]

    report = evaluate(engine, [row("x", "b"), row("y", "c")], 2)
    assert report.ranks.tolist() == [2, 0]
    assert asked == [("x", 2), ("y", 2)]
    assert math.isnan(report.coverage)
    assert math.isnan(report.ceilings.in_dictionary)


def test_the_form_of_the_index_is_that_of_the_comparison(tmp_path: Path) -> None:
    index = TermIndex.build([("Red  Shoes", 3.0)], tmp_path / "t", normalizer="nfkc_casefold")
    rows = [row("RED", "red SHOES"), row("rEd ", "Red shoes ")]
    report = evaluate(index, rows)
    assert report.ranks.tolist() == [1, 1]
    assert report.ceilings.true_prefix == report.coverage == 1.0
    plain = TermIndex.build([("Red Shoes", 3.0)], tmp_path / "p")
    assert evaluate(plain, rows).ranks.tolist() == [0, 0]


def test_a_space_at_the_end_counts(tmp_path: Path) -> None:
    index = TermIndex.build([("net", 9.0), ("nets", 8.0), ("net curtain", 1.0)], tmp_path / "t")
    report = evaluate(index, [row("net", "net curtain"), row("net ", "net curtain")])
    assert report.ranks.tolist() == [3, 1]


def test_typos_find_what_exact_completion_does_not(index: TermIndex) -> None:
    rows = [row("rde sh", "red shoes"), row("phoen", "phone case"), row("red", "red dress")]
    assert evaluate(index, rows).ranks.tolist() == [0, 0, 2]
    assert (evaluate(Popularity(index, edits=-1), rows).ranks > 0).all()


def test_wrong_arguments(index: TermIndex) -> None:
    with pytest.raises(InputError, match="rows: expected one prefix in each, got 4 in query_id '0'"):
        evaluate(index, [TRAIN_ROW])
    with pytest.raises(InputError, match="rows: expected at least one"):
        evaluate(index, [])
    with pytest.raises(InputError, match="k: expected a whole number >= 1, got 0"):
        evaluate(index, [row("a", "b")], 0)
    with pytest.raises(InputTypeError, match=r"engine: expected a TermIndex, .*, got int"):
        evaluate(3, [row("a", "b")])
    with pytest.raises(InputTypeError, match="engine: expected terms"):
        evaluate(lambda prefix, k: [(1, 2)], [row("a", "b")])


def test_edits_are_those_of_the_index() -> None:
    rng = random.Random(0)
    for _ in range(3000):
        prefix, term = ("".join(rng.choices("abé", k=rng.randrange(7))) for _ in range(2))
        exact = min(brute.osa(prefix, term))
        for limit in (0, 1, 2):
            assert prefix_edits(prefix, term, limit) == min(exact, limit + 1)


def test_ceilings_hold_what_they_promise(index: TermIndex) -> None:
    """No exact engine exceeds ``true_prefix``, and an engine that knows the answer reaches it."""
    rows = one_prefix(sample_rows(500, seed=7))
    prefixes, terms = [row.prefixes[0] for row in rows], [row.term for row in rows]
    found = ceilings(prefixes, terms, index, 10)
    assert found.in_dictionary == 1.0
    assert found.true_prefix == pytest.approx(
        np.mean([t.startswith(p) for p, t in zip(prefixes, terms, strict=True)])
    )
    assert found.within_edits[0] == found.true_prefix
    assert list(found.within_edits) == sorted(found.within_edits)
    assert evaluate(index, rows, 100).success_at_k == found.true_prefix
    none = TermIndex.build([("red shoes", 1.0)], Path(index._path).with_name("one"))
    fewer = ceilings(prefixes, terms, none, 10)
    assert fewer.in_dictionary == pytest.approx(terms.count("red shoes") / len(terms))
    assert fewer.within_edits[2] <= fewer.in_dictionary


@pytest.mark.parametrize("k", [1, 2, 3])
def test_lookahead_by_brute_force(k: int) -> None:
    rng = random.Random(k)
    pairs = [(rng.choice("ab"), rng.choice("uvwxyz")) for _ in range(60)]

    def best(of: Sequence[tuple[str, str]], prefix: str) -> list[str]:
        counts = Counter(term for other, term in of if other == prefix)
        return sorted(counts, key=lambda term: (-counts[term], term))[:k]

    ahead = [term in best(pairs, prefix) for prefix, term in pairs]
    others = [
        term in best(pairs[:place] + pairs[place + 1 :], prefix) for place, (prefix, term) in enumerate(pairs)
    ]
    found = ceilings([prefix for prefix, _ in pairs], [term for _, term in pairs], None, k)
    assert found.lookahead == pytest.approx(np.mean(ahead))
    assert found.lookahead_others == pytest.approx(np.mean(others))


def test_intervals_draw_sessions_and_not_rows() -> None:
    values = np.array([0.0, 1.0] * 200)
    alone = [str(number) for number in range(400)]
    together = [str(number // 100) for number in range(400)]  # four sessions, all alike
    split = ["a" if value else "b" for value in values]  # two sessions, as unlike as can be
    low, high = interval(values, alone, 0)
    assert high - low == pytest.approx(2 * 1.96 * 0.5 / 20, rel=0.15)
    assert interval(values, together, 0) == (0.5, 0.5)
    assert interval(values, split, 0) == (0.0, 1.0)
    assert interval(values, alone, 0) == (low, high)


def test_batches_do_not_matter(index: TermIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = one_prefix(sample_rows(40, seed=1))
    whole = evaluate(index, rows).ranks
    monkeypatch.setattr("pyfastlm.qac.evaluation.BATCH", 7)
    assert (evaluate(index, rows).ranks == whole).all()


def test_context_moves_what_shares_its_words(index: TermIndex) -> None:
    query = Query("r", ("running belt",))
    plain = Popularity(index).answers([query], 5)[0]
    aware = Popularity(index, context=True).answers([query], 5)[0]
    assert plain[0] == "red shoes"
    assert aware[0].startswith("running")
    assert Popularity(index, context=True).answers([Query("r")], 5)[0] == plain


def test_backing_off_fills_what_is_missing(index: TermIndex) -> None:
    asked: list[str] = []

    class Written:
        normalizer = "none"

        def answers(self, queries: Sequence[Query], k: int) -> list[list[str]]:
            asked.extend(query.prefix for query in queries)
            return [["red shoes", f"{query.prefix} new", "other"][:k] for query in queries]

    engine = Backoff(Popularity(index), Written())
    assert engine.answers([Query("red"), Query("phone c"), Query("zz")], 4) == [
        ["red shoes", "red dress", "red shoes for women", "red new"],
        ["phone case", "phone charger", "red shoes", "phone c new"],
        ["red shoes", "zz new", "other"],
    ]
    assert asked == ["red", "phone c", "zz"]
    assert engine.answers([Query("red"), Query("phone c")], 2) == [
        ["red shoes", "red dress"],
        ["phone case", "phone charger"],
    ]
    assert asked == ["red", "phone c", "zz"]
    assert evaluate(engine, [row("red", "red new")], 4).ranks.tolist() == [4]
    with pytest.raises(InputError, match="engines: expected at least one"):
        Backoff()
