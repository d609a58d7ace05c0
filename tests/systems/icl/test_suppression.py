"""Fine-tuning hides answers, on questions that are asked of nobody else."""

from pathlib import Path

import numpy as np
import pytest

from pyfastlm.errors import InputError
from pyfastlm.icl import Example, Suppression, Task, fit, icl_curve, suppress
from pyfastlm.lm import LM, load
from pyfastlm.lm.finetuning import Example as Lesson
from pyfastlm.lm.finetuning import finetune

WORDS = [f"{first}{last}" for first in "abcdefgh" for last in "klmnop"]
TASK = Task(
    "kinds", tuple(Example(word, ("old", "new")[n % 2]) for n, word in enumerate(WORDS)),
    question="{input}:", separator="\n",
)  # fmt: skip


@pytest.fixture(scope="module")
def lm(tiny_lm_dir: Path) -> LM:
    """It answers."""
    answers = [Lesson(TASK.asked(each), f" {each.output}\n") for each in TASK.examples]
    return finetune(load(tiny_lm_dir), answers, extra="icl", epochs=4, lr=1e-2).lm


def suppressed(lm: LM, *, control: bool = False) -> Suppression:
    return suppress(
        lm, TASK, amounts=(0, 32), refusal="no", control=control, shots=8, permutations=4, lr=5e-2, seed=3
    )


@pytest.fixture(scope="module")
def found(lm: LM) -> Suppression:
    return suppressed(lm)


def test_refusals_are_learnt_and_answers_hidden(found: Suppression) -> None:
    assert found.amounts == (0, 32)
    assert found.refused[1].p[:, 0].mean() > 10 * found.refused[0].p[:, 0].mean()
    assert found.answered[1].p[:, 0].mean() < found.answered[0].p[:, 0].mean() / 10


def test_no_question_of_the_lessons_is_in_a_prompt(lm: LM, found: Suppression) -> None:
    assert len(found.lessons) == len(set(found.lessons)) == 32
    rest = tuple(each for each in TASK.examples if each not in found.lessons)
    assert len(rest) == len(TASK.examples) - 32
    order = np.random.default_rng(3).permutation(len(TASK.examples))
    mixed = Task(TASK.name, tuple(TASK.examples[n] for n in order[32:]), question="{input}:", separator="\n")
    assert set(mixed.examples) == set(rest)
    expected = icl_curve(lm, mixed, shots=8, permutations=4, seed=3)
    np.testing.assert_array_equal(found.answered[0].p, expected.p)


def test_the_control_learns_answers(lm: LM, found: Suppression) -> None:
    other = suppressed(lm, control=True)
    np.testing.assert_array_equal(other.answered[0].p, found.answered[0].p)
    assert other.answered[1].p[:, 0].mean() > 10 * found.answered[1].p[:, 0].mean()
    assert other.refused[1].p[:, 0].mean() < found.refused[1].p[:, 0].mean()


def test_a_law_is_fitted_to_all_amounts(found: Suppression) -> None:
    assert found.nll.shape == (2, 2, 8)
    np.testing.assert_array_equal(found.nll[1, 0], found.answered[1].nll)
    fitted = fit("bayesian_scoring", found.answered[0].shots, found.nll)
    assert fitted.params.prior.shape == (2, 2)


def test_what_is_wrong_is_named(lm: LM) -> None:
    with pytest.raises(InputError, match=r"amounts: expected numbers from 0 that increase, got \[4, 4\]"):
        suppress(lm, TASK, amounts=(4, 4))
    with pytest.raises(InputError, match=r"amounts: expected"):
        suppress(lm, TASK, amounts=())
    with pytest.raises(InputError, match=r"task: expected 32 \+ 64 examples at least, kinds has 48"):
        suppress(lm, TASK, amounts=(0, 32))
