"""The judges of answers, by hand and beside SQuAD's own text."""

import re
import string
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyfastlm.mrt5.metrics import exact_match, f1, normalized, same_sequence

ANSWERS = st.text(alphabet="aAnthe Eb.,-'é中 \t", max_size=14)


def squad(text: str) -> str:
    """normalize_answer of evaluate-v1.1.py, step by step."""
    text = "".join(ch for ch in text.lower() if ch not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def squad_f1(prediction: str, truth: str) -> float:
    """f1_score of evaluate-v1.1.py."""
    said, right = squad(prediction).split(), squad(truth).split()
    if not said or not right:
        return float(said == right)
    same = sum((Counter(said) & Counter(right)).values())
    if same == 0:
        return 0.0
    precision, recall = same / len(said), same / len(right)
    return 2 * precision * recall / (precision + recall)


def test_by_hand() -> None:
    assert normalized("The  Cat, a dog; an ox!") == "cat dog ox"
    assert normalized("Anthem") == "anthem"
    assert exact_match("the Cat.", ["dog", "cat"]) == 1
    assert exact_match("cats", ["cat"]) == 0
    assert f1("the black cat", ["black cat sat", "x"]) == pytest.approx(2 * 2 / (2 + 3))
    assert f1("", ["a"]) == 1  # nothing is left of either
    assert f1("", ["cat"]) == 0
    assert same_sequence("abc", ["abd", "abc"]) == 1
    assert same_sequence("abc ", ["abc"]) == 0


@given(ANSWERS, st.lists(ANSWERS, min_size=1, max_size=3))
def test_as_squad_has_it(answer: str, truths: list[str]) -> None:
    assert exact_match(answer, truths) == max(float(squad(answer) == squad(truth)) for truth in truths)
    assert f1(answer, truths) == pytest.approx(max(squad_f1(answer, truth) for truth in truths))
