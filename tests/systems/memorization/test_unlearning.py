"""Unlearning: each method against its definition, what it leaves alone, and when it stops."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from overfitted import OTHER, TEXTS, overfitted_lm, tokens_of
from tiny import EXTRA_ROWS, SENTENCES, tiny_tokenizer

from pyfastlm.errors import InputError
from pyfastlm.lm import LM
from pyfastlm.lm.next_token import NextToken
from pyfastlm.memorization import stress_again, stress_test, unlearn, verbatim_lengths
from pyfastlm.memorization.unlearning.batches import Batches
from pyfastlm.memorization.unlearning.pruning import Pruning
from pyfastlm.memorization.unlearning.result import METHODS

PREFIX = 24


@pytest.fixture(scope="module")
def lm() -> LM:
    found: LM = overfitted_lm()
    return found


@pytest.fixture(scope="module")
def forget() -> list[list[int]]:
    return [tokens_of(TEXTS[0]), tokens_of(TEXTS[1])[:70]]


@pytest.fixture(scope="module")
def retain(lm: LM) -> list[list[int]]:
    rows: list[list[int]] = lm.tokenizer([OTHER[:60], *SENTENCES[:3]])["input_ids"]
    return rows


def nats(model: Any, sequences: list[list[int]]) -> torch.Tensor:
    """Mean over all targets, by transformers' own logits, one sequence at a time."""
    found = []
    for ids in sequences:
        tokens = torch.tensor([ids])
        logp = model(input_ids=tokens).logits[0, :-1].log_softmax(-1)
        found.append(-logp.gather(1, tokens[0, 1:, None])[:, 0])
    return torch.cat(found).mean()


def cost(model: Any, sequences: list[list[int]]) -> float:
    """The same as a number."""
    with torch.no_grad():
        return float(nats(model, sequences))


def one_step(lm: LM, loss: Any, lr: float) -> Any:
    """A copy of the model after a step of AdamW down ``loss``."""
    model = copy.deepcopy(lm.model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, betas=(0.9, 0.95), weight_decay=0.0)
    loss(model).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return model


def change(before: Any, after: Any) -> torch.Tensor:
    """What was added to all weights, in one row."""
    pairs = zip(before.parameters(), after.parameters(), strict=True)
    return torch.cat([(new - old).detach().flatten() for old, new in pairs])


def test_gradient_ascent_is_a_step_up_the_loss(lm: LM, forget: list[list[int]]) -> None:
    found = unlearn(lm, forget, steps=1, lr=1e-3)
    expected = one_step(lm, lambda model: -nats(model, forget), 1e-3)
    assert found.log[1].forget == pytest.approx(cost(lm.model, forget), rel=1e-5)
    # Adam's first step is lr times the sign of the gradient; gradients near 0 may have another sign.
    moved, wanted = change(lm.model, found.lm.model), change(lm.model, expected)
    assert ((moved - wanted).abs() < 2e-5).float().mean() > 0.98
    assert cost(found.lm.model, forget) > found.log[1].forget + 0.01


def test_gradient_difference_has_both_terms(lm: LM, forget: list[list[int]], retain: list[list[int]]) -> None:
    found = unlearn(
        lm, forget, method="gradient_difference", retain=retain, steps=1, lr=1e-3, retain_weight=0.3
    )
    expected = one_step(lm, lambda model: 0.3 * nats(model, retain) - nats(model, forget), 1e-3)
    assert found.log[1].retain == pytest.approx(cost(lm.model, retain), rel=1e-5)
    moved, wanted = change(lm.model, found.lm.model), change(lm.model, expected)
    assert ((moved - wanted).abs() < 2e-5).float().mean() > 0.98


def test_sparse_changes_only_the_weights_with_the_largest_gradients(
    lm: LM, forget: list[list[int]], retain: list[list[int]]
) -> None:
    found = unlearn(lm, forget, method="sparse", retain=retain, share=0.01, steps=4, batch_size=2)
    model = copy.deepcopy(lm.model)
    nats(model, forget).backward()
    gradient = torch.cat([p.grad.flatten().abs() for p in model.parameters()])
    count = round(0.01 * len(gradient))
    largest = torch.zeros(len(gradient), dtype=torch.bool)
    largest[gradient.topk(count).indices] = True
    changed = change(lm.model, found.lm.model) != 0
    assert found.changed == int(changed.sum())
    assert found.weights == len(gradient)
    assert 0.95 * count < found.changed <= count
    assert (changed & ~largest).sum() <= 2  # rounding at the edge


@pytest.mark.parametrize("with_retain", [False, True])
def test_pruning_follows_the_derivative(
    lm: LM, forget: list[list[int]], retain: list[list[int]], with_retain: bool
) -> None:
    """The change to first order is minus the derivative by a factor on the unit; here by differences."""
    model = copy.deepcopy(lm.model)

    def batches(sequences: list[list[int]]) -> Batches:
        return Batches([np.array(ids) for ids in sequences], 8, 0, model.device)

    pruning = Pruning(
        model,
        NextToken(model, 100),
        batches(forget),
        batches(retain) if with_retain else None,
        weight=0.5,
        share=0.02,
    )
    losses = pruning.losses(0)
    assert float(losses[0].detach()) == pytest.approx(cost(model, forget), rel=1e-6)

    def both() -> float:
        return cost(model, forget) - (0.5 * cost(model, retain) if with_retain else 0.0)

    for layer, scores in enumerate(pruning._scores):
        weight = model.model.layers[layer].mlp.down_proj.weight
        for unit in scores.abs().topk(3).indices.tolist():
            kept = weight.detach().clone()
            ends = []
            for factor in (0.98, 1.02):
                weight.data = kept.clone()
                weight.data[:, unit] *= factor
                ends.append(both())
            weight.data = kept
            assert float(scores[unit]) == pytest.approx(-(ends[1] - ends[0]) / 0.04, rel=0.01)
    scores = torch.cat(pruning._scores)
    pruning.apply(*losses)
    zero = torch.cat([(block.mlp.down_proj.weight == 0).all(0) for block in model.model.layers])
    assert int(zero.sum()) == round(0.02 * len(scores)) == 5
    assert set(zero.nonzero()[:, 0].tolist()) == set(scores.topk(5).indices.tolist())


@pytest.mark.parametrize(
    ("name", "changes", "last"),
    [
        ("GPT2", {"n_embd": 32, "n_head": 4, "n_layer": 2}, "transformer.h.{}.mlp.c_proj"),
        ("GPTNeoX", {"hidden_size": 32, "intermediate_size": 48}, "gpt_neox.layers.{}.mlp.dense_4h_to_h"),
        ("OPT", {"hidden_size": 32, "ffn_dim": 48, "word_embed_proj_dim": 32}, "model.decoder.layers.{}.fc2"),
        (
            "GPTNeo",
            {
                "hidden_size": 32,
                "num_layers": 2,
                "num_heads": 4,
                "attention_types": [[["global", "local"], 1]],
            },
            "transformer.h.{}.mlp.c_proj",
        ),
    ],
)
def test_pruning_other_architectures(name: str, changes: dict[str, Any], last: str) -> None:
    import transformers

    tokenizer = tiny_tokenizer()
    common = {"num_hidden_layers": 2, "num_attention_heads": 4, "bos_token_id": 1, "eos_token_id": 2}
    if name in ("GPT2", "GPTNeo"):
        common = {"bos_token_id": 1, "eos_token_id": 2}
    config = getattr(transformers, f"{name}Config")(
        vocab_size=len(tokenizer) + EXTRA_ROWS, pad_token_id=0, **(common | changes)
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = transformers.AutoModelForCausalLM.from_config(config).eval()
    before = copy.deepcopy(model)
    found = unlearn(
        LM(model, tokenizer, name), [[*range(5, 40)]], method="pruning", share=0.05, steps=3, batch_size=1
    )
    zero = 0
    for layer in range(2):
        weight = found.lm.model.get_submodule(last.format(layer)).weight
        weight = weight.T if name == "GPT2" else weight
        assert weight.shape[0] == 32
        zero += int((weight == 0).all(0).sum())
    units = 2 * weight.shape[1]
    assert zero == 3 * round(0.05 * units)
    assert found.changed <= zero * 32
    assert found.changed > 0
    assert all(torch.equal(a, b) for a, b in zip(before.parameters(), model.parameters(), strict=True))


SETTINGS: dict[str, dict[str, Any]] = {
    "gradient_ascent": {"lr": 1e-3},
    "gradient_difference": {"lr": 1e-3},
    "sparse": {"share": 0.02, "lr": 3e-3},
    "pruning": {"share": 0.03},
}


@pytest.mark.parametrize("method", METHODS)
def test_forgets_and_stops(lm: LM, forget: list[list[int]], retain: list[list[int]], method: Any) -> None:
    before = [parameter.clone() for parameter in lm.model.parameters()]
    options = SETTINGS[method] | {"retain": retain, "until": 6, "prefix_length": PREFIX, "horizon": 30}
    found = unlearn(lm, forget, method=method, steps=60, **options)
    assert found.ended == "forgotten"
    assert found.method == method
    assert [entry.step for entry in found.log] == [*range(found.steps + 1)]
    assert found.log[0].longest == 30
    assert all(entry.longest >= 6 for entry in found.log[:-1])
    lengths = verbatim_lengths(found.lm, forget, (PREFIX,), 30, starts=[0])
    assert max(one.longest for one in lengths) == found.log[-1].longest < 6
    assert all(entry.forget > 0 for entry in found.log[1:])
    assert all((entry.retain is None) == (method == "gradient_ascent") for entry in found.log[1:])
    assert all(torch.equal(a, b) for a, b in zip(before, lm.model.parameters(), strict=True))
    assert 0 < found.changed <= found.weights
    assert found.lm.model is not lm.model


def test_stress_tests_go_with_it(lm: LM, forget: list[list[int]]) -> None:
    before = stress_test(lm, forget[0], PREFIX, 30, shifts=6)
    found = unlearn(lm, forget, lr=3e-4, until=6, prefix_length=PREFIX, steps=60)
    after = stress_again(found.lm, before)
    assert after.original < 6 <= before.original
    assert after.longest >= after.original


def test_the_order_is_drawn_by_the_seed(lm: LM, forget: list[list[int]]) -> None:
    one, same, other = (unlearn(lm, forget, steps=6, batch_size=1, seed=seed) for seed in (0, 0, 2))
    assert one.log == same.log
    assert not change(one.lm.model, same.lm.model).any()
    assert one.log != other.log
    assert one.ended == "steps"
    assert one.log[0].longest is None


def test_what_is_forgotten_already_needs_no_step(lm: LM) -> None:
    found = unlearn(lm, tokens_of(OTHER), until=10, prefix_length=PREFIX)
    assert (found.steps, found.ended, found.changed) == (0, "forgotten", 0)


def test_divergence_is_told(lm: LM, forget: list[list[int]]) -> None:
    found = unlearn(lm, forget, lr=1e30, steps=5)
    assert found.ended == "diverged"
    assert 0 < found.steps < 5
    assert len(found.log) == found.steps + 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"forget": []}, "forget: expected at least one sequence"),
        ({"forget": "text"}, "forget: expected token ids, got str"),
        ({"forget": [[5, 6], [7]]}, r"forget\[1\]: expected at least 2 tokens"),
        ({"forget": [[5, 6], [7, 10**6]]}, r"forget\[1\]: expected ids in"),
        ({"forget": [5] * 30, "until": 4}, "forget: expected at least 33 tokens"),
        ({"forget": [5] * 129}, "expected at most the model's context of 128 tokens, got 129"),
        ({"retain": [[5] * 129]}, "expected at most the model's context"),
        ({"retain": [[5]]}, r"retain\[0\]: expected at least 2"),
        ({"method": "wishing"}, "method: expected one of gradient_ascent"),
        ({"method": "gradient_difference"}, "retain: expected sequences"),
        ({"method": "pruning", "lr": 0.1}, "lr: expected none"),
        ({"share": 0.1}, "share: expected none"),
        ({"method": "sparse", "share": 0.0}, "share: expected a share"),
        ({"method": "sparse", "share": 1.5}, "share: expected a share"),
        ({"lr": 0.0}, "lr: expected a finite number above 0"),
        ({"lr": float("nan")}, "lr: expected a finite number above 0"),
        ({"retain_weight": -1.0}, "retain_weight: expected a finite number"),
        ({"steps": 0}, "steps: expected a whole number"),
        ({"batch_size": 0}, "batch_size: expected a whole number"),
        ({"until": 0}, "until: expected a whole number"),
        ({"prefix_length": 0}, "prefix_length: expected a whole number"),
        ({"horizon": 0}, "horizon: expected a whole number"),
        ({"seed": -1}, "seed: expected at least 0"),
    ],
)
def test_bad_input(lm: LM, changes: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"forget": tokens_of(TEXTS[0])} | changes
    with pytest.raises(InputError, match=message):
        unlearn(lm, **arguments)


def test_pruning_a_model_with_other_layers(lm: LM) -> None:
    strange = copy.deepcopy(lm.model)
    for block in strange.model.layers:
        block.mlp = torch.nn.Identity()
    with pytest.raises(InputError, match="method: 'pruning' knows feed-forward layers that end in"):
        unlearn(LM(strange, lm.tokenizer, "strange"), tokens_of(TEXTS[0]), method="pruning")
