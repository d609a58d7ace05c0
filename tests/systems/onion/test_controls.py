"""Known codes: each intervention repairs the code that it looks for, and not the other."""

from typing import Any

import pytest
import torch
from copiers import LONGEST, SYMBOLS, small_task, some_sequences

from pyfastlm.errors import InputError
from pyfastlm.onion import RepeatTask, Sequences, evaluate
from pyfastlm.onion.controls import LinearCode, OnionCode
from pyfastlm.onion.interventions import LinearBigram, LinearUnigram, Onion, fit_intervention
from pyfastlm.onion.probes import LinearProbe, fit_probe

LINEAR = LinearCode.make(SYMBOLS, LONGEST, min_len=1)
ONION = OnionCode.make(20, SYMBOLS, LONGEST, min_len=1)


@pytest.fixture(scope="module")
def task() -> RepeatTask:
    return small_task(n_train=500, n_valid=100)


@pytest.mark.parametrize("code", [LINEAR, ONION])
def test_a_code_says_what_it_was_given(code: Any, task: RepeatTask) -> None:
    report = evaluate(code, task)
    assert report.scores.taught.share == report.scores.free.share == report.scores.tokens.share == 1.0


def test_states_are_those_of_the_formulas() -> None:
    tokens, lengths = some_sequences(8)
    x = torch.zeros(8, LONGEST, SYMBOLS)
    layers = torch.zeros(8, 20)
    for row in range(8):
        for place in range(int(lengths[row])):
            x[row, place, tokens[row, place]] = 1
            layers[row] += 0.4**place * ONION.embedding[tokens[row, place]]
    torch.testing.assert_close(LINEAR.encode(tokens, lengths), x.flatten(1) @ LINEAR.rotation)
    torch.testing.assert_close(ONION.encode(tokens, lengths), layers)


@pytest.mark.parametrize(
    ("code", "kind", "options", "found"),
    [
        (LINEAR, LinearUnigram, {}, True),
        (LINEAR, LinearBigram, {}, True),
        (ONION, LinearUnigram, {}, False),
        (ONION, Onion, {}, True),
        (ONION, Onion, {"scale": False}, False),
    ],
)
def test_an_intervention_finds_what_it_looks_for(
    code: Any, kind: Any, options: dict[str, bool], found: bool, task: RepeatTask
) -> None:
    intervention = kind(code.config, **options)
    fit_intervention(
        intervention,
        code,
        task,
        steps=300,
        batch_size=64,
        learning_rate=2e-2,
        lengths="max",
        evaluate_every=400,
    )
    share = evaluate(code, task, intervention, lengths="max").scores.taught.share
    assert share > 0.9 if found else share < 0.6


def test_a_linear_probe_reads_a_linear_code(task: RepeatTask) -> None:
    fitted = fit_probe(LinearProbe(LINEAR.config), LINEAR, task, steps=150, batch_size=64, learning_rate=3e-2)
    assert fitted.scores.taught.share > 0.95


def test_codes_that_cannot_be_are_refused() -> None:
    with pytest.raises(InputError, match="size: expected at least one for each of 30"):
        OnionCode.make(20)
    with pytest.raises(InputError, match="gamma: expected a number between 0 and 1/2"):
        OnionCode.make(gamma=0.5)
    with pytest.raises(InputError, match="n_symbols: expected at least 2"):
        LinearCode.make(1, 3)
    tokens = torch.zeros(1, LONGEST + 1, dtype=torch.int64)
    with pytest.raises(InputError, match="tokens: expected at most 4 places, got 5"):
        evaluate(LINEAR, Sequences(tokens, torch.tensor([5])))
