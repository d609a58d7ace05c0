"""Sequences that are read in portions, many together, give what the model gives for each alone and whole."""

import numpy as np
import pytest
import torch
from preferences import small_lm

from pyfastlm.lm import LM
from pyfastlm.lm.growing import Extension, Keys, read
from pyfastlm.lm.runner import Runner


@pytest.fixture(scope="module")
def lm() -> LM:
    return small_lm()


def plain(lm: LM, tokens: list[int]) -> torch.Tensor:
    """Logits [n, V] of one sequence by the model itself."""
    with torch.inference_mode():
        return lm.model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0]


@pytest.mark.parametrize("kind", ["Llama", "GPT2"])
def test_portions_of_many_sequences(kind: str) -> None:
    lm = small_lm(kind) if kind == "Llama" else small_lm(kind, n_embd=48, n_layer=2, n_head=4)
    runner = Runner(lm, 128)
    rng = np.random.default_rng(0)
    sequences = [rng.integers(3, 400, n).tolist() for n in (9, 30, 17)]
    keys = [Keys(), Keys(40), Keys()]
    given: list[list[torch.Tensor]] = [[], [], []]
    while any(len(k.tokens) < len(s) for k, s in zip(keys, sequences, strict=True)):
        now = [
            (i, sequences[i][len(keys[i].tokens) :][: rng.integers(1, 7)])
            for i in range(3)
            if len(keys[i].tokens) < len(sequences[i])
        ]
        hidden = read(runner, [Extension(keys[i], tokens) for i, tokens in now])
        for (i, _), rows in zip(now, hidden.split([len(tokens) for _, tokens in now]), strict=True):
            given[i].append(runner.head.logits(rows))
    for sequence, rows in zip(sequences, given, strict=True):
        torch.testing.assert_close(torch.cat(rows), plain(lm, sequence), rtol=1e-5, atol=1e-5)


def test_what_is_only_tried_leaves_no_trace(lm: LM) -> None:
    runner = Runner(lm, 128)
    keys = Keys()
    read(runner, [Extension(keys, [5, 6, 7])])
    tried = read(runner, [Extension(keys, [8, 9], kept=False), Extension(keys, [10], kept=False)])
    assert keys.tokens == [5, 6, 7]
    after = read(runner, [Extension(keys, [11])])
    found = runner.head.logits(torch.cat([tried, after]))
    expected = [plain(lm, [5, 6, 7, 8, 9])[3:], plain(lm, [5, 6, 7, 10])[3:], plain(lm, [5, 6, 7, 11])[3:]]
    torch.testing.assert_close(found, torch.cat(expected), rtol=1e-5, atol=1e-5)


def test_a_cut_forgets(lm: LM) -> None:
    runner = Runner(lm, 128)
    keys = Keys()
    read(runner, [Extension(keys, list(range(5, 90)))])
    keys.cut(4)
    found = runner.head.logits(read(runner, [Extension(keys, [50])]))
    torch.testing.assert_close(found, plain(lm, [5, 6, 7, 8, 50])[4:], rtol=1e-5, atol=1e-5)


def test_a_part_goes_over_to_another(lm: LM) -> None:
    runner = Runner(lm, 128)
    first, second = Keys(), Keys()
    read(runner, [Extension(first, [5, 6, 7, 8])])
    second.extend([5, 6, 7], first.part(0, 3))
    found = runner.head.logits(read(runner, [Extension(second, [9])]))
    torch.testing.assert_close(found, plain(lm, [5, 6, 7, 9])[3:], rtol=1e-5, atol=1e-5)
