"""Small models on GINC: they learn, go on where they were, and take to what they are tuned on."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pyfastlm.errors import InputError
from pyfastlm.icl import (
    GINC,
    Shape,
    TrainingOptions,
    answered,
    documents,
    dpo,
    ginc_curves,
    mixed_prompts,
    prompts,
    sft,
    shuffled_prompts,
    train_ginc,
)
from pyfastlm.icl.files.curve_tables import read_curves
from pyfastlm.icl.files.ginc_tables import write_ginc
from pyfastlm.icl.training.objectives import NextWord, text_logps
from pyfastlm.icl.training.shape import small_lm
from pyfastlm.lm import load
from pyfastlm.lm.dpo import dpo_loss

WORLD = GINC.make(3, entities=2, properties=4, symbols=7, seed=3)
SHAPE = Shape(layers=2, width=16, heads=2, context=65)
OPTIONS = TrainingOptions(
    100, length=24, smoothing=0.0, lr=1e-2, warmup=5, cooldown=0.2, log_every=20, checkpoint_every=7
)


@pytest.fixture(scope="module")
def trained() -> Any:
    torch.set_num_threads(1)
    return train_ginc(WORLD, shape=SHAPE, options=OPTIONS)


def nats(lm: Any, hmm: int) -> float:
    """Of a word of new texts by one model."""
    tokens = documents(WORLD, 24, count=200, hmms=(hmm,), seed=(99, 1)).tokens
    with torch.no_grad():
        return -float(text_logps(lm.model, WORLD, tokens).mean()) / 24


def same_weights(a: Any, b: Any) -> bool:
    pairs = zip(a.model.state_dict().values(), b.model.state_dict().values(), strict=True)
    return all(torch.equal(x, y) for x, y in pairs)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_documents_are_chains_of_their_model(smoothing: float) -> None:
    drawn = documents(WORLD, 40, count=3000, smoothing=smoothing, seed=5)
    assert drawn.tokens.shape == (3000, 40)
    assert set(drawn.models) == {0, 1, 2}
    for hmm in range(3):
        # How often words follow each other, against the chain's own joint distribution of neighbours.
        own = drawn.tokens[drawn.models == hmm]
        states, says = len(WORLD.words), np.eye(WORLD.symbols)[WORLD.words]
        state = (1 - smoothing) * WORLD.start[hmm] + smoothing / states
        steps = (1 - smoothing) * WORLD.transitions[hmm] + smoothing / states
        expected = np.zeros((WORLD.symbols, WORLD.symbols))
        for _ in range(39):
            expected += says.T @ (state[:, None] * steps) @ says / 39
            state = state @ steps
        seen = np.zeros_like(expected)
        np.add.at(seen, (own[:, :-1].ravel(), own[:, 1:].ravel()), 1 / own[:, 1:].size)
        np.testing.assert_allclose(seen, expected, atol=0.015)
    assert set(documents(WORLD, 3, count=50, hmms=(2,)).models) == {2}
    again = documents(WORLD, 40, count=3000, smoothing=smoothing, seed=5)
    assert np.array_equal(again.tokens, drawn.tokens)


def test_loss_falls_below_what_single_words_allow(trained: Any) -> None:
    words = documents(WORLD, 24, count=500, seed=1).tokens
    share = np.bincount(words.ravel(), minlength=WORLD.symbols) / words.size
    unigram = -(share[share > 0] * np.log(share[share > 0])).sum()
    losses = [entry.loss for entry in trained.log]
    assert [entry.step for entry in trained.log] == [20, 40, 60, 80, 100]
    assert losses[-1] < unigram - 0.1 < losses[0]
    assert trained.log[-1].lr < OPTIONS.lr / 10


def test_resume_is_identical_to_the_last_bit(trained: Any, tmp_path: Path) -> None:
    real = NextWord(WORLD, (0, 1, 2), OPTIONS)

    def killed(lm: Any, step: int) -> torch.Tensor:
        if step == 33:
            raise KeyboardInterrupt
        return real(lm, step)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pyfastlm.icl.training.training.NextWord", lambda *_: killed)
        with pytest.raises(KeyboardInterrupt):
            train_ginc(WORLD, tmp_path, shape=SHAPE, options=OPTIONS)
    again = train_ginc(WORLD, tmp_path, shape=SHAPE, options=OPTIONS)
    assert again.resumed_step == 28
    assert same_weights(again.lm, trained.lm)
    assert again.log == trained.log
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [20, 40, 60, 80, 100]
    # A checkpoint is a model of transformers; a finished run is only loaded; other settings are refused.
    assert same_weights(load(again.checkpoints[-1]), trained.lm)
    assert train_ginc(WORLD, tmp_path, shape=SHAPE, options=OPTIONS).resumed_step == 100
    with pytest.raises(InputError, match="lr"):
        train_ginc(WORLD, tmp_path, shape=SHAPE, options=replace(OPTIONS, lr=1e-3))
    with pytest.raises(InputError, match="ginc"):
        train_ginc(GINC.make(3, entities=2, properties=4, symbols=7), tmp_path, shape=SHAPE, options=OPTIONS)
    (again.checkpoints[-1] / "training.json").write_text("{")
    with pytest.raises(InputError, match=r"training.json"):
        train_ginc(WORLD, tmp_path, shape=SHAPE, options=OPTIONS)
    assert train_ginc(WORLD, tmp_path, shape=SHAPE, options=replace(OPTIONS, steps=3), resume=False).log


def test_sft_takes_to_its_model_and_keeps_each_amount(trained: Any, tmp_path: Path) -> None:
    before = {name: value.clone() for name, value in trained.lm.model.state_dict().items()}
    options = replace(OPTIONS, lr=3e-3, cooldown=0.0)
    tuned = sft(trained.lm, WORLD, options, tmp_path, hmms=(1,), amounts=(0, 16, 160))
    assert tuned.amounts == (0, 16, 160)
    assert tuned.run.log[-1].step == 20
    own, other = ([nats(lm, hmm) for lm in tuned.lms] for hmm in (1, 0))
    assert own[0] > own[1] > own[2]
    assert own[0] - own[2] > other[0] - other[2] + 0.05
    assert all(torch.equal(before[name], value) for name, value in trained.lm.model.state_dict().items())
    # What is read back from the directory is the same, and so is a run without one.
    for again in (
        sft(trained.lm, WORLD, options, tmp_path, hmms=(1,), amounts=(0, 16, 160)),
        sft(trained.lm, WORLD, options, hmms=(1,), amounts=(0, 16, 160)),
    ):
        assert all(same_weights(a, b) for a, b in zip(tuned.lms, again.lms, strict=True))
    with pytest.raises(InputError, match="amounts"):
        sft(trained.lm, WORLD, options, tmp_path, hmms=(1,), amounts=(0, 160))
    # An amount is a place of one run.
    assert same_weights(sft(trained.lm, WORLD, options, hmms=(1,), amounts=(16,)).lms[0], tuned.lms[1])


def test_dpo_prefers_its_model(trained: Any) -> None:
    options = replace(OPTIONS, lr=1e-3, cooldown=0.0, log_every=1)
    tuned = dpo(trained.lm, WORLD, options, hmm=2, amounts=(0, 8, 160))
    assert np.isclose(tuned.run.log[0].loss, np.log(2))  # of a model that is its reference
    assert np.mean([entry.loss for entry in tuned.run.log[-3:]]) < 0.6
    first, last = tuned.lms[0], tuned.lms[-1]
    assert nats(last, 2) - nats(first, 2) < min(nats(last, h) - nats(first, h) for h in (0, 1)) - 0.05


def test_the_dpo_loss_is_its_formula() -> None:
    rng = np.random.default_rng(0)
    chosen, rejected, reference_chosen, reference_rejected = rng.normal(-40, 8, (4, 9))
    margin = 0.3 * ((chosen - reference_chosen) - (rejected - reference_rejected))
    expected = np.log1p(np.exp(-margin)).mean()
    found = dpo_loss(
        torch.from_numpy(chosen),
        torch.from_numpy(rejected),
        torch.from_numpy(reference_chosen),
        torch.from_numpy(reference_rejected),
        beta=0.3,
    )
    np.testing.assert_allclose(float(found), expected)


def test_log_probabilities_are_those_of_one_word_after_the_other(trained: Any) -> None:
    tokens = documents(WORLD, 6, count=3, seed=2).tokens
    with torch.no_grad():
        found = text_logps(trained.lm.model, WORLD, tokens)
        for text, logp in zip(tokens, found, strict=True):
            ids = [WORLD.symbols + 1, *text.tolist()]
            total = 0.0
            for end in range(1, len(ids)):
                logits = trained.lm.model(input_ids=torch.tensor([ids[:end]])).logits[0, -1].double()
                total += float(logits.log_softmax(-1)[ids[end]])
            np.testing.assert_allclose(float(logp), total, rtol=1e-5)


def test_curves_equal_one_prompt_for_each_shot(trained: Any, tmp_path: Path) -> None:
    found = ginc_curves(trained.lm, WORLD, k=3, shots=6, count=5, seed=4, batch_size=2)
    assert found.shots.tolist() == [1, 2, 3, 4, 5, 6]
    for hmm in range(3):
        given = prompts(WORLD, hmm, 3, shots=6, count=5, seed=4)
        for row in range(5):
            for shot in range(6):
                # All before it, and the shot's first two words.
                text = given.tokens[row, : shot * 4 + 2]
                ids = torch.tensor([[WORLD.symbols + 1, *text.tolist()]])
                with torch.no_grad():
                    p = trained.lm.model(input_ids=ids).logits[0, -1].double().softmax(-1).numpy()
                label = given.labels[row, shot]
                np.testing.assert_allclose(found.answers[hmm].p[row, shot], p[label], rtol=1e-4)
                assert found.answers[hmm].right[row, shot] == (p.argmax() == label)
    np.testing.assert_allclose(found.nll, -np.log(found.p))
    path = tmp_path / "curves.csv"
    write_ginc([(0, found), (50, found)], path, layers=2)
    (read,) = read_curves(path)
    assert read.name == "k=3, layers=2"
    assert read.groups == ("0", "50")
    np.testing.assert_allclose(read.nll, np.stack([found.nll, found.nll]))
    write_ginc([(0, found), (50, found)], path, layers=2, amounts="dpo_amount")
    np.testing.assert_allclose(read_curves(path)[0].nll[1], found.nll)
    heads = path.read_text().splitlines()[0]
    assert heads == "shots,k,hmm,prob,nll,nll_avg,acc,dpo_amount,layers"


def test_control_prompts_take_away_what_can_be_learnt() -> None:
    mixed = mixed_prompts(WORLD, 3, shots=5, count=400, seed=1)
    assert mixed.tokens.shape == (400, 20)
    by_model = [prompts(WORLD, hmm, 3, shots=5, count=400, seed=1) for hmm in range(3)]
    # Labels of all models are among those of one prompt, after the same two words.
    follows: dict[tuple[int, int], set[int]] = {}
    for words, label in zip(mixed.tokens.reshape(-1, 4), mixed.labels.ravel(), strict=True):
        follows.setdefault((int(words[0]), int(words[1])), set()).add(int(label))
    alone: dict[tuple[int, int], set[int]] = {}
    for words, label in zip(by_model[0].tokens.reshape(-1, 4), by_model[0].labels.ravel(), strict=True):
        alone.setdefault((int(words[0]), int(words[1])), set()).add(int(label))
    assert np.mean([len(v) for v in follows.values()]) > np.mean([len(v) for v in alone.values()])
    dealt = shuffled_prompts(by_model[0], seed=2)
    assert np.array_equal(dealt.labels, by_model[0].labels)
    before, after = (each.tokens.reshape(400, 5, 4) for each in (by_model[0], dealt))
    assert np.array_equal(np.delete(before, 2, axis=2), np.delete(after, 2, axis=2))
    assert np.array_equal(np.sort(before[:, :, 2]), np.sort(after[:, :, 2]))
    assert not np.array_equal(before, after)


def test_other_models_and_wrong_numbers_are_refused(trained: Any, tmp_path: Path) -> None:
    lm, long = trained.lm, TrainingOptions(1, length=65)
    cases: list[tuple[str, Any]] = [
        ("lm: expected 52 tokens, 50 words", lambda: ginc_curves(lm, GINC.make(3))),
        ("lm: reads 65 tokens, got texts of 80", lambda: ginc_curves(lm, WORLD, shots=20)),
        ("batch_size: expected at least 1", lambda: answered(lm, WORLD, prompts(WORLD, 0, 3), batch_size=0)),
        ("width: expected a multiple of 2", lambda: Shape(width=18, heads=4)),
        ("layers: expected at least 1", lambda: Shape(layers=0)),
        ("steps: expected at least 1", lambda: TrainingOptions(0)),
        ("lr: expected a finite number above 0", lambda: TrainingOptions(5, lr=float("nan"))),
        ("weight_decay: expected", lambda: TrainingOptions(5, weight_decay=-1)),
        ("smoothing: expected a share", lambda: TrainingOptions(5, smoothing=-0.1)),
        ("smoothing: expected a share", lambda: documents(WORLD, 3, count=1, smoothing=1.5)),
        ("cooldown: expected a share", lambda: TrainingOptions(5, cooldown=2)),
        ("grid: expected steps from 1 to 5, got 6", lambda: TrainingOptions(5, grid=(6,))),
        ("amounts: expected multiples of the batch size of 8", lambda: sft(lm, WORLD, OPTIONS, amounts=(4,))),
        ("amounts: expected ascending", lambda: sft(lm, WORLD, OPTIONS, amounts=(16, 8))),
        ("amounts: expected ascending", lambda: sft(lm, WORLD, OPTIONS, amounts=(0,))),
        ("hmms: expected models from 0 to 2", lambda: sft(lm, WORLD, OPTIONS, hmms=(3,), amounts=(8,))),
        ("hmm: expected 0 to 2, got 3", lambda: dpo(lm, WORLD, OPTIONS, hmm=3)),
        ("beta: expected", lambda: dpo(lm, WORLD, OPTIONS, beta=0)),
        ("ginc: expected at least 2 models", lambda: dpo(lm, GINC.make(1), OPTIONS)),
        ("length, count: expected at least 1", lambda: documents(WORLD, 0, count=1)),
        ("k: expected at least 2", lambda: mixed_prompts(WORLD, 1)),
        ("reads 65 tokens, got texts of 65", lambda: train_ginc(WORLD, shape=SHAPE, options=long)),
    ]
    for message, call in cases:
        with pytest.raises(InputError, match=message):
            call()
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=r"directory: .* holds 'thesis.txt'"):
        train_ginc(WORLD, tmp_path, shape=SHAPE, options=OPTIONS)
    broken = small_lm(WORLD, SHAPE)
    with torch.no_grad():
        broken.model.lm_head.weight.fill_(float("nan"))
    with pytest.raises(InputError, match="lr: the loss is nan at step 1"):
        sft(broken, WORLD, OPTIONS, amounts=(8,))


def test_first_weights_are_of_the_seed_and_the_tokenizer_reads_words() -> None:
    state = torch.get_rng_state()
    first, again, other = (small_lm(WORLD, SHAPE, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(state, torch.get_rng_state())
    assert same_weights(first, again)
    assert not same_weights(first, other)
    assert first.tokenizer("3 0 6")["input_ids"] == [3, 0, 6]
    assert first.tokenizer.bos_token_id == WORLD.symbols + 1
