"""Thresholds: what each would give, by asking a corrector that has it."""

import math
import random

import pytest
from correctors import Scripted

from pyfastlm.errors import InputError
from pyfastlm.spelling import DoNothing, Pair, curve, evaluate, threshold_for
from pyfastlm.spelling.evaluation.curve import Curve


def some(
    seed: int, count: int = 60
) -> tuple[dict[str, list[tuple[str, float]]], list[Pair], list[str], list[str]]:
    """Answers with scores in steps, so that ties are many; some queries have none."""
    rng = random.Random(seed)
    pairs = [Pair(f"x{number}", f"y{number}") for number in range(count)]
    clean, novel = ([f"{name}{number}" for number in range(count)] for name in ("clean", "novel"))
    answers = {}
    for query, gold in [*((p.noisy, p.gold) for p in pairs), *((text, "other") for text in clean + novel)]:
        if rng.random() < 0.9:
            answers[query] = [(gold if rng.random() < 0.7 else "z", rng.randrange(-4, 5) / 2), ("a", -9.0)]
    return answers, pairs, clean, novel


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("on", ["clean", "novel", "both"])
def test_every_point_is_what_that_threshold_gives(seed: int, on: str) -> None:
    answers, pairs, clean, novel = some(seed)
    found = curve(evaluate(Scripted(answers), pairs, clean, novel=novel), on=on)  # type: ignore[arg-type]
    assert found.thresholds.tolist() == [-math.inf, *(step / 2 for step in range(-4, 5))]
    for place, threshold in enumerate(found.thresholds):
        report = evaluate(Scripted(answers, threshold), pairs, clean, novel=novel)
        both = (report.false_correction_rate + report.novel_false_correction_rate) / 2
        rates = {
            "clean": report.false_correction_rate,
            "novel": report.novel_false_correction_rate,
            "both": both,
        }
        assert found.recall[place] == pytest.approx(report.recall)
        assert found.precision[place] == pytest.approx(report.precision, nan_ok=True)
        assert found.false_correction_rate[place] == pytest.approx(rates[on])
    assert (found.recall[:-1] >= found.recall[1:]).all()
    assert (found.recall[-1], found.false_correction_rate[-1]) == (0.0, 0.0)


def test_it_does_not_depend_on_the_threshold_that_was_used() -> None:
    answers, pairs, clean, novel = some(9)
    one, other = (curve(evaluate(Scripted(answers, t), pairs, clean, novel=novel)) for t in (-9.0, 1.0))
    for name in Curve.__slots__:
        assert getattr(one, name).tolist() == pytest.approx(getattr(other, name).tolist(), nan_ok=True)


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.1, 0.3, 0.5, 0.99, 1.0])
def test_the_threshold_keeps_the_rate_with_most_recall(rate: float) -> None:
    answers, pairs, clean, novel = some(3)
    found = curve(evaluate(Scripted(answers), pairs, clean, novel=novel), on="novel")
    threshold = threshold_for(found, rate)
    report = evaluate(Scripted(answers, threshold), pairs, clean, novel=novel)
    assert report.novel_false_correction_rate <= rate
    allowed = found.recall[found.false_correction_rate <= rate]
    assert report.recall == pytest.approx(allowed.max())


def test_one_that_has_no_scores_has_one_point() -> None:
    pairs = [Pair("teh", "the"), Pair("fone", "phone")]
    sure = Scripted({"teh": [("the", math.inf)], "acme": [("acne", math.inf)]})
    found = curve(evaluate(sure, pairs, ["acme", "lamp"]))
    assert found.thresholds.tolist() == [-math.inf]
    assert (found.recall[0], found.precision[0], found.false_correction_rate[0]) == (0.5, 1.0, 0.5)
    assert threshold_for(found, 0.5) == -math.inf
    with pytest.raises(
        InputError, match=r"rate: expected 0.5 or more, which every threshold leaves; got 0.1"
    ):
        threshold_for(found, 0.1)
    nothing = curve(evaluate(DoNothing(), pairs, ["acme"]))
    assert (nothing.recall.tolist(), nothing.false_correction_rate.tolist()) == ([0.0], [0.0])
    assert math.isnan(nothing.precision[0])


def test_wrong_arguments() -> None:
    report = evaluate(DoNothing(), [("teh", "the")], ["lamp"])
    with pytest.raises(InputError, match=r"report: it has no queries that need no change \(on='novel'\)"):
        curve(report, on="novel")
    with pytest.raises(InputError, match="on: expected clean, novel or both, got 'all'"):
        curve(report, on="all")  # type: ignore[arg-type]
    for rate in (-0.1, 1.1, math.nan):
        with pytest.raises(InputError, match="rate: expected a number from 0 to 1"):
            threshold_for(curve(report), rate)
