"""Which objective: the evidence is right, and the sentence follows from it."""

import numpy as np
import pytest
import torch
from preferences import PAIRS, plain_logps, small_lm

from pyfastlm.errors import InputError
from pyfastlm.preference import PreferencePair, suggest_objective
from pyfastlm.preference.encoding import encode

OWN = ["struck four", "has gone", "    pass", "chiude", "b or c"]


@pytest.fixture(scope="module")
def lm():
    torch.set_num_threads(1)
    return small_lm()


def test_the_numbers_are_those_of_a_plain_forward_pass(lm) -> None:
    found = suggest_objective(lm, PAIRS, own=OWN)
    pairs = [PreferencePair(pair.prompt, pair.chosen, own) for pair, own in zip(PAIRS, OWN, strict=True)]
    tokens = encode(lm.tokenizer, pairs)
    counts = np.array([[len(pair.chosen), len(pair.rejected)] for pair in tokens]).T
    chosen, own = plain_logps(lm.model, tokens).detach().view(2, -1).numpy() / counts
    assert found.chosen == pytest.approx(chosen.mean(), rel=1e-5)
    assert found.own == pytest.approx(own.mean(), rel=1e-5)
    assert found.difference == pytest.approx((chosen - own).mean(), rel=1e-4)
    assert found.likelier == (chosen > own).mean()
    assert found.low <= found.difference <= found.high
    assert np.isnan(found.better)
    assert found.prompts == 5


def test_own_answers_are_sampled_by_a_seed(lm) -> None:
    first = suggest_objective(lm, PAIRS, max_tokens=12, seed=3)
    again = suggest_objective(lm, PAIRS, max_tokens=12, seed=3)
    assert (first.own, first.low, first.reason) == (again.own, again.low, again.reason)
    assert first.own != suggest_objective(lm, PAIRS, max_tokens=12, seed=4).own


def test_likelihoods_decide_beyond_chance(lm) -> None:
    """Of each two answers, the likelier one is once the chosen and once the model's own."""
    tokens = encode(lm.tokenizer, PAIRS)
    counts = np.array([[len(pair.chosen), len(pair.rejected)] for pair in tokens]).T
    chosen, rejected = plain_logps(lm.model, tokens).detach().view(2, -1).numpy() / counts
    both = [(pair.chosen, pair.rejected) for pair in PAIRS]
    ordered = [two if a > b else two[::-1] for two, a, b in zip(both, chosen, rejected, strict=True)]
    prompts = [pair.prompt for pair in PAIRS]
    for up, objective, said in ((0, "apo_zero", "chosen answers likelier"), (1, "apo_down", "own answers")):
        pairs = [PreferencePair(prompt, two[up], "no") for prompt, two in zip(prompts, ordered, strict=True)]
        found = suggest_objective(lm, pairs, own=[two[1 - up] for two in ordered], max_tokens=100)
        assert found.objective == objective
        assert said in found.reason
        assert found.likelier == 1 - up
        assert found.low * found.high > 0


@pytest.mark.parametrize(("verdict", "objective"), [(True, "apo_zero"), (False, "apo_down")])
def test_a_judge_decides_alone(lm, verdict, objective) -> None:
    seen = []

    def judge(*texts: str) -> bool:
        seen.append(texts)
        return verdict

    found = suggest_objective(lm, PAIRS, own=OWN, judge=judge)
    assert found.objective == objective
    assert found.better == float(verdict)
    assert seen[0] == (PAIRS[0].prompt, PAIRS[0].chosen, OWN[0])


def test_what_cannot_be_compared(lm) -> None:
    with pytest.raises(InputError, match="own: expected 5 answers"):
        suggest_objective(lm, PAIRS, own=OWN[:2])
    with pytest.raises(InputError, match="pairs: expected at least 2"):
        suggest_objective(lm, PAIRS, own=["", "", "", PAIRS[3].chosen, "b or c"])
    with pytest.raises(InputError, match="max_tokens"):
        suggest_objective(lm, PAIRS, own=OWN, max_tokens=0)
