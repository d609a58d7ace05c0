"""The other builders: judges in both orders, and a stronger model's own answers."""

import math
from pathlib import Path
from typing import Any

import pytest
from jobs import one_thread
from tiny import SENTENCES

from pyfastlm.errors import InputError
from pyfastlm.lm import LM, Scorer, load
from pyfastlm.preference.asking import Completion, sample_answers
from pyfastlm.preference.builders import (
    ChoiceJudge,
    LikelihoodJudge,
    Reason,
    TwoAnswers,
    judged_pairs,
    on_policy_pairs,
    stronger_preferred,
)
from pyfastlm.preference.builders.judges import QUESTION
from pyfastlm.preference.pairs import PreferencePair

ROWS = [(f"Say {n}.", "x" * (n % 4 + 1), "y" * (n % 3 + 1)) for n in range(40)]


@pytest.fixture(scope="module")
def lm(tiny_lm_dir: Path) -> LM:
    return load(tiny_lm_dir)


@pytest.fixture(autouse=True)
def _one_thread() -> Any:
    with one_thread():
        yield


def longer(rows: list[TwoAnswers]) -> list[float]:
    """Prefers the longer answer, and a little the first."""
    return [0.5 + 0.1 * (len(row.first) - len(row.second)) + 0.05 for row in rows]


def test_the_longer_is_chosen_and_ties_are_none() -> None:
    found = judged_pairs(ROWS, longer)
    for (prompt, first, second), outcome, preference in zip(
        ROWS, found.outcomes, found.preference, strict=True
    ):
        assert preference == pytest.approx(0.5 + 0.1 * (len(first) - len(second)))
        if len(first) == len(second):
            assert (outcome.pair, outcome.reason) == (None, Reason.TIE)
        else:
            chosen, rejected = sorted((first, second), key=len, reverse=True)
            assert outcome.pair == PreferencePair(prompt, chosen, rejected)
    assert found.position_bias == pytest.approx(0.1)
    assert found.statistics.reasons[Reason.TIE] == sum(len(a) == len(b) for _, a, b in ROWS)


def test_a_judge_of_places_has_no_preference() -> None:
    for first in (0.0, 0.3, 0.77, 1.0):
        found = judged_pairs(ROWS, lambda rows, first=first: [first] * len(rows))
        assert found.pairs == []
        assert found.statistics.reasons == {Reason.TIE: 40}
        assert found.position_bias == pytest.approx(2 * first - 1)


def test_the_least_preference() -> None:
    def judge(rows: list[TwoAnswers]) -> list[float]:
        return [0.6 if row.first[0] == "x" else 0.4 for row in rows]

    assert len(judged_pairs(ROWS, judge, least=0.05).pairs) == 40
    assert len(judged_pairs(ROWS, judge, least=0.15).pairs) == 0
    for wrong in (-0.1, 0.5, float("nan")):
        with pytest.raises(InputError, match="least: expected"):
            judged_pairs(ROWS, judge, least=wrong)


def test_rows_a_judge_is_not_asked_about() -> None:
    rows = [
        ("a", "same  text", "same text\n"),
        ("b", " ", "x"),
        {"prompt": "c", "first": "x", "second": "yy"},
    ]
    asked: list[TwoAnswers] = []

    def judge(given: list[TwoAnswers]) -> list[float]:
        asked.extend(given)
        return longer(given)

    found = judged_pairs(rows, judge)
    assert asked == [("c", "x", "yy"), ("c", "yy", "x")]
    assert [outcome.reason for outcome in found.outcomes] == [Reason.UNCHANGED, Reason.BLANK, None]
    assert [math.isnan(value) for value in found.preference] == [True, True, False]
    assert found.pairs == [PreferencePair("c", "yy", "x")]
    assert math.isnan(judged_pairs([], judge).position_bias)


@pytest.mark.parametrize(
    ("judge", "message"),
    [
        (lambda rows: [0.5], "judge: expected 32 probabilities, one for each row, got 1"),
        (lambda rows: [1.5] * len(rows), r"judge: expected probabilities in \[0, 1\], got 1.5"),
        (lambda rows: [float("nan")] * len(rows), "judge: expected probabilities"),
    ],
)
def test_a_judge_that_is_none(judge: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        judged_pairs(ROWS, judge)


def test_the_likelihood_judge_prefers_what_is_likelier(lm: LM) -> None:
    rows = [TwoAnswers("Tell me.", SENTENCES[0], "zq jx vk."), TwoAnswers("Say.", "ab", "The old clock")]
    found = LikelihoodJudge(lm)(rows)
    scorer = Scorer(lm)
    for row, value in zip(rows, found, strict=True):
        a, b = (
            scorer.conditional([(f"{row.prompt}\n\n", answer)])[0].logp / len(answer.encode())
            for answer in (row.first, row.second)
        )
        assert value == pytest.approx(1 / (1 + math.exp(b - a)), abs=1e-5)
    turned = LikelihoodJudge(lm)([TwoAnswers(row.prompt, row.second, row.first) for row in rows])
    assert found == pytest.approx([1 - value for value in turned], abs=1e-6)


def test_the_choice_judge_weighs_two_letters(lm: LM) -> None:
    rows = [TwoAnswers("p", "one", "two"), TwoAnswers("q", "two", "one")]
    found = ChoiceJudge(lm)(rows)
    for row, value in zip(rows, found, strict=True):
        asked = QUESTION.format(**row._asdict())
        a, b = (score.logp for score in Scorer(lm).conditional([(asked, " A"), (asked, " B")]))
        assert value == pytest.approx(math.exp(a) / (math.exp(a) + math.exp(b)), abs=1e-5)


def test_braces_in_answers_are_no_fields(lm: LM) -> None:
    assert len(ChoiceJudge(lm)([TwoAnswers("{prompt}", "{x}", "{0}")])) == 1


def test_on_policy_pairs_are_the_targets_own(tiny_lm_dir: Path, tmp_path: Path) -> None:
    lm = load(tiny_lm_dir)
    lm.model.generation_config.eos_token_id = [*range(2, 400, 9)]  # so that some texts come to an end
    prompts = [text[:20] for text in SENTENCES]
    given: dict[str, Any] = {"max_new_tokens": 8, "seed": 1}
    judge = LikelihoodJudge(lm)
    found = on_policy_pairs(lm, prompts, judge, tmp_path / "answers", **given)
    answers = sample_answers(lm, prompts, samples=2, **given)
    expected = judged_pairs([(p, a.text, b.text) for p, (a, b) in zip(prompts, answers, strict=True)], judge)
    finished = {answer.text: answer.finished for two in answers for answer in two}
    cut = 0
    for outcome, whole in zip(found.outcomes, expected.outcomes, strict=True):
        if whole.pair is not None and not finished[whole.pair.chosen]:
            assert (outcome.pair, outcome.reason) == (None, Reason.CUT_OFF)
            cut += 1
        else:
            assert outcome == whole
    assert cut
    assert found.pairs
    assert found.preference == expected.preference
    assert on_policy_pairs(lm, prompts, judge, tmp_path / "answers", **given) == found


def test_stronger_preferred(tmp_path: Path) -> None:
    replies: dict[str, Any] = {
        "good": "A better answer.",
        "same": "the  answer",
        "none": None,
        "cut": Completion("A bet", finished=False),
        "failed": Completion("", error="no reply"),
        "blank": "never asked",
    }
    asked: list[str] = []

    def stronger(prompts: list[str]) -> list[Any]:
        asked.extend(prompts)
        return [replies[prompt] for prompt in prompts]

    rows = [(name, " " if name == "blank" else "the answer") for name in replies]
    found = stronger_preferred(stronger, rows, tmp_path / "answers")
    assert [outcome.reason for outcome in found.outcomes] == [
        None, Reason.UNCHANGED, Reason.EMPTY, Reason.CUT_OFF, Reason.FAILED, Reason.BLANK,
    ]  # fmt: skip
    assert found.pairs == [PreferencePair("good", "A better answer.", "the answer")]
    assert "blank" not in asked
    asked.clear()
    assert stronger_preferred(stronger, rows, tmp_path / "answers") == found
    assert asked == ["failed"]
