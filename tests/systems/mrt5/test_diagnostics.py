"""The three sanity tasks: their answers by hand and by another way, and their randomness."""

from typing import Any, get_args

import numpy as np
import pytest

from pyfastlm.errors import InputError
from pyfastlm.mrt5.diagnostics import Diagnostic, Task, target
from pyfastlm.mrt5.vocabulary import EOS, decode

TASKS = get_args(Task)


@pytest.mark.parametrize(
    ("task", "text", "expected"),
    [
        ("vowel_removal", "#aBcEiXyou", "#BcXy"),
        ("contextual_vowel_removal", "#aboAeBaxAi", "#abAeBaxi"),
        ("merge_abc", "#xABCABCabcABxC", "#xDDabcABxC"),
    ],
)
def test_answers_by_hand(task: Task, text: str, expected: str) -> None:
    assert target(task, text) == expected


def slowly(task: str, text: str) -> str:
    """The same, letter by letter."""
    if task == "merge_abc":
        return "D".join(text.split("ABC"))
    out, previous_taken = "", False
    for before, letter in zip(" " + text, text, strict=False):
        vowel = letter.lower() in "aeiou"
        after = before.islower() and before not in "aeiou" and not previous_taken
        previous_taken = vowel and (task == "vowel_removal" or after)
        out += "" if previous_taken else letter
    return out


@pytest.mark.parametrize("task", TASKS)
def test_examples_hold_what_they_should(task: Task) -> None:
    data = Diagnostic(task, 30, length=64, seed=3)
    assert len(data) == 30
    planted = 0
    for example in data.examples(0, range(30)):
        assert example.language == task
        assert len(example.input_ids) == 64
        assert example.input_ids[-1] == example.labels[-1] == EOS
        text = decode(example.input_ids)
        assert text[0] == "#"
        assert text[1:].isalpha()
        assert decode(example.labels) == slowly(task, text)
        planted += len(example.input_ids) - len(example.labels)
    assert planted > 30  # some letters go in nearly every example


def test_epoch_index_and_seed_decide() -> None:
    data = Diagnostic("vowel_removal", 10, seed=1)
    first, second = data.examples(0, [4, 5])
    (again,) = Diagnostic("vowel_removal", 10, seed=1).examples(0, np.array([5]))
    assert (again.input_ids == second.input_ids).all()
    others = [data.examples(1, [4])[0], second, Diagnostic("vowel_removal", 10, seed=2).examples(0, [4])[0]]
    assert all((other.input_ids != first.input_ids).any() for other in others)


@pytest.mark.parametrize("task", TASKS)
def test_shortest(task: Task) -> None:
    (example,) = Diagnostic(task, 1, length=6).examples(0, [0])
    assert len(example.input_ids) == 6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "sort"}, "task: expected one of vowel_removal, .*, got 'sort'"),
        ({"size": 0}, "size: expected at least 1, got 0"),
        ({"length": 5}, "length: expected at least 6, got 5"),
        ({"seed": -1}, "seed: expected at least 0, got -1"),
    ],
)
def test_mistakes(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Diagnostic(**({"task": "merge_abc", "size": 1} | changes))
