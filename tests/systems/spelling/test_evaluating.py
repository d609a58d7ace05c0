"""What is said about a corrector, against numbers that were worked out by hand and by brute force."""

import math
import random

import numpy as np
import pytest
from correctors import Batched, Scripted

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.spelling import DoNothing, Pair, candidate_recall, difference, evaluate
from pyfastlm.spelling.evaluation import measures, timing
from pyfastlm.spelling.evaluation.report import Mixed

# Of five misspellings two are repaired, one is changed into something else, two are left.
PAIRS = [
    Pair("teh", "the", "swap"),
    Pair("hte", "the", "swap"),
    Pair("wrod", "word", "swap"),
    Pair("fone", "phone", "ph"),
    Pair("nite", "night", "ph"),
]
ANSWERS = {
    "teh": [("the", 2.0), ("ten", 1.0)],
    "hte": [("hate", 3.0), ("the", 1.0)],
    "wrod": [("word", 1.0)],
    "fone": [("phone", -1.0), ("bone", -2.0)],
    "acme": [("acne", 0.5)],
    "zyrk": [("york", 4.0)],
    "bolto": [("bolt", -3.0)],
}
CLEAN = ["lamp", "acme", "rug", "desk"]
NOVEL = ["zyrk", "bolto"]


def test_a_small_case_by_hand() -> None:
    report = evaluate(Scripted(ANSWERS), PAIRS, CLEAN, novel=NOVEL, k=2)
    assert (report.n, report.n_clean, report.n_novel, report.k) == (5, 4, 2, 2)
    assert report.precision == pytest.approx(2 / 3)
    assert report.recall == report.exact_match == 2 / 5
    assert report.changed == 3 / 5
    assert report.f1 == pytest.approx(2 * (2 / 3) * (2 / 5) / (2 / 3 + 2 / 5))
    assert report.recall_at_1 == 3 / 5  # of "fone" too: it was weighed best of the others, and not chosen
    assert report.recall_at_k == 4 / 5
    assert report.false_correction_rate == 1 / 4
    assert report.novel_false_correction_rate == 1 / 2
    ph, swap = report.by_kind
    assert ph[:4] == ("ph", 2, ph.precision, 0.0)
    assert math.isnan(ph.precision)
    assert (ph.f1, ph.recall_at_1, ph.recall_at_k) == (0.0, 0.5, 0.5)
    assert swap == ("swap", 3, 2 / 3, 2 / 3, pytest.approx(2 / 3), 2 / 3, 1.0)
    assert [row.rate for row in report.mixed] == [0.05, 0.12, 0.26]
    assert report.mixed[2].accuracy == pytest.approx(0.26 * 0.4 + 0.74 * 0.75)
    assert report.mixed[2].precision == pytest.approx(0.26 * 0.4 / (0.26 * 0.6 + 0.74 * 0.25))
    outcomes = report.outcomes
    assert outcomes.changed.tolist() == [True, True, True, False, False]
    assert outcomes.right.tolist() == [True, False, True, False, False]
    assert outcomes.best_right.tolist() == [True, False, True, True, False]
    assert outcomes.margin.tolist() == [2.0, 3.0, 1.0, -1.0, -math.inf]
    assert outcomes.rank.tolist() == [1, 2, 1, 1, 0]
    assert outcomes.rank.dtype == np.int32
    assert outcomes.clean.margin.tolist() == [-math.inf, 0.5, -math.inf, -math.inf]
    assert outcomes.novel.changed.tolist() == [True, False]


def test_only_the_first_candidates_count() -> None:
    report = evaluate(Scripted(ANSWERS), PAIRS, CLEAN, k=1)
    assert report.recall_at_k == report.recall_at_1 == 3 / 5


def test_doing_nothing() -> None:
    report = evaluate(DoNothing(), PAIRS, CLEAN, novel=NOVEL)
    assert math.isnan(report.precision)
    assert (report.recall, report.f1, report.changed, report.recall_at_k) == (0.0, 0.0, 0.0, 0.0)
    assert (report.false_correction_rate, report.novel_false_correction_rate) == (0.0, 0.0)
    for row in report.mixed:
        assert row.accuracy == pytest.approx(1 - row.rate)
        assert math.isnan(row.precision)
    assert DoNothing().correct("teh").text == "teh"
    assert [item.text for item in DoNothing().suggest("teh")] == ["teh"]


def test_a_perfect_corrector() -> None:
    perfect = Scripted({noisy: [(gold, 1.0)] for noisy, gold, _ in PAIRS})
    report = evaluate(perfect, PAIRS, CLEAN)
    assert report.precision == report.recall == report.f1 == report.recall_at_1 == 1.0
    assert report.intervals.recall == (1.0, 1.0)
    assert report.mixed[0] == Mixed(0.05, 1.0, (1.0, 1.0), 1.0)


def test_pairs_that_are_equal_are_clean() -> None:
    report = evaluate(Scripted(ANSWERS), [*PAIRS, Pair("acme", "acme", "none"), ("rug", "rug")], ["desk"])
    assert (report.n, report.n_clean) == (5, 3)
    assert report.false_correction_rate == 1 / 3
    assert [part.kind for part in report.by_kind] == ["ph", "swap"]


def test_without_clean_queries_nothing_is_said_about_them() -> None:
    report = evaluate(Scripted(ANSWERS), PAIRS, [])
    assert math.isnan(report.false_correction_rate)
    assert math.isnan(report.novel_false_correction_rate)
    assert all(map(math.isnan, report.intervals.false_correction_rate))
    assert all(math.isnan(row.accuracy) for row in report.mixed)
    assert report.as_dict()["false_correction_rate"] is None


def test_the_form_in_which_texts_are_compared() -> None:
    speller = Scripted({"Teh": [("the", 1.0)], "Acme": [("acme", 9.0)]})
    pairs = [("Teh", "The"), ("THE", "the")]
    strict = evaluate(speller, pairs, ["Acme"])
    assert (strict.n, strict.recall, strict.false_correction_rate) == (2, 0.0, 1.0)
    loose = evaluate(speller, pairs, ["Acme"], form=str.casefold)
    assert (loose.n, loose.n_clean, loose.recall, loose.false_correction_rate) == (1, 2, 1.0, 0.0)
    assert strict.outcomes.digest != loose.outcomes.digest


def test_batches_give_the_same_and_some_are_timed_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "BATCH", 2)
    monkeypatch.setattr(timing, "ALONE", 3)
    speller = Batched(ANSWERS)
    report = evaluate(speller, PAIRS, CLEAN, novel=NOVEL, k=2)
    assert report.latency.timed == 3
    assert speller.batches == [2, 2, 1, 2, 2, 2]
    assert len(speller.asked) == 1 + 3 + 11
    single = evaluate(Scripted(ANSWERS), PAIRS, CLEAN, novel=NOVEL, k=2)
    assert single.latency.timed == 11
    assert {**report.as_dict(), "latency": 0} == {**single.as_dict(), "latency": 0}

    class Forgetful(Batched):
        def correct_all(self, queries):  # type: ignore[no-untyped-def]
            return super().correct_all(queries)[1:]

    with pytest.raises(InputError, match="speller: expected 2 corrections of 2 queries, got 1"):
        evaluate(Forgetful(ANSWERS), PAIRS, CLEAN)


def test_latency_is_in_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([0.0, 0.001, 1.0, 1.003, 2.0, 2.002, 3.0, 3.010])
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(ticks))
    report = evaluate(Scripted(ANSWERS), PAIRS[:3], ["lamp"])
    assert report.latency.timed == 4
    assert report.latency.mean == pytest.approx(4.0)
    assert report.latency.p50 == pytest.approx(2.5)
    assert report.latency.p99 == pytest.approx(np.percentile([1, 3, 2, 10], 99))
    assert report.latency.per_second == pytest.approx(250)


def test_intervals_are_those_of_a_proportion() -> None:
    rng = random.Random(0)
    pairs = [Pair(f"x{number}", f"y{number}") for number in range(400)]
    answers = {noisy: [(gold if rng.random() < 0.3 else "z", 1.0)] for noisy, gold, _ in pairs}
    report = evaluate(Scripted(answers), pairs, ["a"])
    low, high = report.intervals.recall
    spread = 1.96 * math.sqrt(report.recall * (1 - report.recall) / 400)
    assert (high - low) / 2 == pytest.approx(spread, rel=0.15)
    assert low < report.recall < high
    assert evaluate(Scripted(answers), pairs, ["a"]).intervals == report.intervals
    assert evaluate(Scripted(answers), pairs, ["a"], seed=1).intervals.recall != report.intervals.recall


def test_draws_by_brute_force() -> None:
    report = evaluate(Scripted(ANSWERS), PAIRS, CLEAN, novel=NOVEL)
    drawn = measures.resampled(report.outcomes, 7)
    rng = np.random.default_rng([7, 0])
    of = [[0, 1], [2], [3], [4]]  # the first two were meant to be the same
    for draw in range(20):
        chosen = [place for text in rng.integers(4, size=4) for place in of[text]]
        assert drawn["right"][draw] == report.outcomes.right[chosen].sum()
        assert drawn["changed"][draw] == report.outcomes.changed[chosen].sum()
        assert drawn["n"][draw] == len(chosen)


def test_misspellings_of_one_text_are_drawn_together() -> None:
    """Eight misspellings of a text that share their fate are worth no more than one."""
    rng = random.Random(2)
    fates = {number: rng.random() < 0.5 for number in range(50)}
    pairs = [Pair(f"{number} {copy}", f"y{number}") for number in fates for copy in range(8)]
    answers = {noisy: [(gold, 1.0)] for noisy, gold, _ in pairs if fates[int(noisy.split()[0])]}
    one = evaluate(Scripted(answers), pairs[::8], ["a"])
    low, high = evaluate(Scripted(answers), pairs, ["a"]).intervals.recall
    assert high - low == pytest.approx(one.intervals.recall[1] - one.intervals.recall[0], rel=0.1)


def test_differences_are_paired() -> None:
    """A corrector that repairs one more of every fifty gains that in every draw: the interval shows it."""
    rng = random.Random(1)
    pairs = [Pair(f"x{number}", f"y{number}") for number in range(1000)]
    some = {noisy: [(gold, 1.0)] for noisy, gold, _ in pairs if rng.random() < 0.5}
    more = {**some, **{noisy: [(gold, 1.0)] for noisy, gold, _ in pairs[::50]}}
    base, better = evaluate(Scripted(some), pairs, ["a"]), evaluate(Scripted(more), pairs, ["a"])
    assert base.intervals.recall[1] > better.intervals.recall[0]  # by themselves they cannot be told apart
    gain = difference(better, base)
    assert gain.recall.value == pytest.approx(better.recall - base.recall)
    assert 0 < gain.recall.interval[0] < gain.recall.value < gain.recall.interval[1] < 0.03
    assert gain.false_correction_rate == (0.0, (0.0, 0.0))
    assert math.isnan(gain.novel_false_correction_rate.value)
    assert gain.accuracy[0].value == pytest.approx(0.05 * gain.recall.value)
    back = difference(base, better)
    assert back.recall.interval == pytest.approx([-end for end in reversed(gain.recall.interval)])
    same = difference(base, base)
    assert same.recall == (0.0, (0.0, 0.0))


def test_differences_of_other_queries_are_refused() -> None:
    speller = Scripted(ANSWERS)
    report = evaluate(speller, PAIRS, CLEAN, novel=NOVEL)
    for other in (
        evaluate(speller, PAIRS[1:], CLEAN, novel=NOVEL),
        evaluate(speller, PAIRS[::-1], CLEAN, novel=NOVEL),
        evaluate(speller, PAIRS, CLEAN),
        evaluate(speller, PAIRS, CLEAN + NOVEL),
    ):
        with pytest.raises(InputError, match="base: expected a report of the same queries"):
            difference(report, other)
    with pytest.raises(InputError, match="base: expected a report with k=10, got k=2"):
        difference(report, evaluate(speller, PAIRS, CLEAN, novel=NOVEL, k=2))


def test_recall_of_candidates() -> None:
    asked = []

    def suggest(query: str, k: int) -> list[str]:
        asked.append((query, k))
        return [query, *(text for text, _ in ANSWERS.get(query, ())), "the"][:k]

    found = candidate_recall(suggest, [*PAIRS, ("lamp", "lamp")], 2)
    assert found.ranks.tolist() == [1, 2, 1, 1, 0]
    assert asked == [(pair.noisy, 3) for pair in PAIRS]
    assert (found.n, found.k, found.at_1, found.at_k, found.at(1)) == (5, 2, 3 / 5, 4 / 5, 3 / 5)
    assert found.by_kind == (("ph", 2, 0.5, 0.5), ("swap", 3, 2 / 3, 1.0))
    speller = Scripted(ANSWERS)
    assert candidate_recall(speller.suggest, PAIRS, 2).ranks.tolist() == found.ranks.tolist()
    assert candidate_recall(lambda query, k: ["THE"], PAIRS[:2], form=str.casefold).at_1 == 1.0
    with pytest.raises(InputError, match="k: expected 1 to 2, got 3"):
        found.at(3)


def test_wrong_arguments() -> None:
    speller = Scripted(ANSWERS)
    for k in (0, True, 1.5):
        with pytest.raises(InputError, match="k: expected a whole number >= 1"):
            evaluate(speller, PAIRS, CLEAN, k=k)  # type: ignore[arg-type]
        with pytest.raises(InputError, match="k: expected a whole number >= 1"):
            candidate_recall(speller.suggest, PAIRS, k)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="seed: expected a whole number >= 0, got -1"):
        evaluate(speller, PAIRS, CLEAN, seed=-1)
    for pairs in ([], [("a", "a")]):
        with pytest.raises(InputError, match="pairs: expected at least one that needs a change"):
            evaluate(speller, pairs, CLEAN)
        with pytest.raises(InputError, match="pairs: expected at least one that needs a change"):
            candidate_recall(speller.suggest, pairs)
    for wrong in ([("a",)], [("a", 3)], ["ab"], [["a", "b"]]):
        with pytest.raises(InputTypeError, match=r"pairs: expected \(noisy, gold\)"):
            evaluate(speller, wrong, CLEAN)  # type: ignore[arg-type]
    with pytest.raises(InputTypeError, match="clean: expected several texts, got one string"):
        evaluate(speller, PAIRS, "lamp")
    with pytest.raises(InputTypeError, match="novel: expected texts, got 3"):
        evaluate(speller, PAIRS, CLEAN, novel=[3])  # type: ignore[list-item]
    with pytest.raises(InputTypeError, match=r"speller: expected something with correct\(query\), got dict"):
        evaluate({}, PAIRS, CLEAN)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="speller: expected a margin that is a number, got NaN for 'teh'"):
        evaluate(Scripted({"teh": [("the", math.nan)]}), PAIRS, CLEAN)
