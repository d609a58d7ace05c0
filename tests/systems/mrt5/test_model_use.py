"""Arguments of forward, training mode, gradient checkpointing, compilation, first weights."""

import inspect
import warnings
from typing import Any

import pytest
import torch
from mrt5_cases import example, make, weights_of
from torch import Tensor

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.mrt5 import MrT5Config, MrT5ForConditionalGeneration


def gradients(model: MrT5ForConditionalGeneration, **options: Any) -> dict[str, Tensor]:
    ids, _, labels = example()
    model.zero_grad()
    torch.manual_seed(5)
    model(ids, labels=labels, **options).loss.backward()
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def test_hard_deletion_follows_the_mode() -> None:
    model = make()
    ids, _, labels = example()
    with torch.no_grad():
        for training in (False, True):
            model.train(training)
            default = model(ids, labels=labels).logits
            assert torch.equal(default, model(ids, labels=labels, hard_delete=not training).logits)
            assert not torch.equal(default, model(ids, labels=labels, hard_delete=training).logits)


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("hard", [False, True], ids=["soft", "hard"])
def test_gradient_checkpointing(hard: bool, reentrant: bool) -> None:
    model = make(dropout_rate=0.2).train()
    expected = gradients(model, hard_delete=hard)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # transformers 5.24 has another name for it
        model.gradient_checkpointing_enable({"use_reentrant": reentrant})
    calls = []
    model.encoder.block[1].register_forward_pre_hook(lambda *_: calls.append(1))
    found = gradients(model, hard_delete=hard)
    assert len(calls) == 2  # forward, and again in the backward pass
    assert found.keys() == expected.keys()
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, expected[name], msg=name)


def test_hard_deletion_in_training_leaves_the_gate_alone() -> None:
    model = make().train()
    assert not [name for name in gradients(model, hard_delete=True) if "delete_gate" in name]
    assert len([name for name in gradients(model) if "delete_gate" in name]) == 3
    keeps_bias = gradients(make(keep_gate_bias=True).train(), hard_delete=True)
    assert len([name for name in keeps_bias if "delete_gate" in name]) == 3


def test_dropout() -> None:
    model = make(dropout_rate=0.5)
    ids, _, labels = example()
    with torch.no_grad():
        assert torch.equal(model(ids, labels=labels).logits, model(ids, labels=labels).logits)
        model.train()
        torch.manual_seed(0)
        one, two = model(ids, labels=labels).logits, model(ids, labels=labels).logits
        torch.manual_seed(0)
        assert torch.equal(model(ids, labels=labels).logits, one)
    assert not torch.equal(one, two)
    assert sum(isinstance(module, torch.nn.Dropout) for module in model.modules()) == 4 * 3 + 2 * 4 + 2


def test_gate_noise_in_training_only() -> None:
    model = make(use_gumbel_noise=True)
    ids, mask, _ = example()
    with torch.no_grad():
        plain = model.encoder(ids).gate_logits
        assert torch.equal(plain, model.encoder(ids).gate_logits)
        model.train()
        drawn = []
        for seed in range(120):
            model.deletion_generator = torch.Generator().manual_seed(seed)
            drawn.append((model.encoder(ids).gate_logits - plain)[mask])
        model.deletion_generator.manual_seed(119)
        assert torch.equal((model.encoder(ids).gate_logits - plain)[mask], drawn[-1])
    noise = torch.stack(drawn)
    assert abs(float(noise.mean()) - 0.5772) < 0.04  # Gumbel's mean and variance
    assert abs(float(noise.var()) - 1.6449) < 0.12


@pytest.mark.slow  # torch takes seconds to load its compiler
@pytest.mark.parametrize(("hard", "backend"), [(False, "aot_eager"), (True, "eager")], ids=["soft", "hard"])
def test_compiled(hard: bool, backend: str) -> None:
    """In pieces, with the logits and gradients of the model itself; for a batch of another shape, too."""
    model = make(num_layers=2, num_decoder_layers=1, delete_gate_layer=1).train()
    ids, _, labels = example()
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    compiled = torch.compile(model, backend=backend)
    for rows in (slice(None), slice(1, 3)):
        results = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's own, about its graphs
            for run in (compiled, model):
                output = run(ids[rows], labels=labels[rows], hard_delete=hard)
                output.loss.backward()
                grads = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
                results.append((output.logits, grads))
                model.zero_grad()
        (logits, grads), (expected, truth) = results
        torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(grads, truth, rtol=1e-4, atol=1e-5)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 2
    torch._dynamo.reset()


@torch.no_grad()
def test_decoder_mask() -> None:
    """What is masked is not there: no logits, no loss; the others are as without it."""
    model = make()
    ids, _, labels = example()
    decoder_ids = model.prepare_decoder_input_ids_from_labels(labels)
    mask = torch.ones_like(labels)
    mask[1, 4:] = 0
    output = model(ids, decoder_input_ids=decoder_ids, labels=labels, decoder_attention_mask=mask)
    plain = model(ids, decoder_input_ids=decoder_ids, labels=labels)
    there = mask.bool()
    torch.testing.assert_close(output.logits[there], plain.logits[there], rtol=1e-5, atol=1e-5)
    assert (output.logits[~there] == 0).all()
    ignoring = model(ids, decoder_input_ids=decoder_ids, labels=labels.masked_fill(~there, -100))
    torch.testing.assert_close(output.loss, ignoring.loss)


@torch.no_grad()
def test_tuple() -> None:
    model = make()
    ids, _, labels = example()
    output = model(ids, labels=labels)
    found = model(ids, labels=labels, return_dict=False)
    assert torch.equal(found[0], output.loss)
    assert torch.equal(found[1], output.logits)
    assert model(ids, decoder_input_ids=labels.clamp(min=0)).loss is None


IDS = torch.tensor([[5, 6, 7]])
LABELS = torch.tensor([[8, 9]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "input_ids: expected a tensor, or encoder_outputs in its place"),
        ({"input_ids": IDS}, "decoder_input_ids: expected a tensor, or labels in its place"),
        ({"input_ids": IDS.tolist(), "labels": LABELS}, "input_ids: expected a tensor of integers, got list"),
        (
            {"input_ids": IDS.float(), "labels": LABELS},
            "input_ids: expected a tensor of integers, got torch.float32",
        ),
        (
            {"input_ids": IDS[0], "labels": LABELS},
            "input_ids: expected [B, L] with at least one id, got shape [3]",
        ),
        (
            {"input_ids": IDS[:0], "labels": LABELS},
            "input_ids: expected [B, L] with at least one id, got shape [0, 3]",
        ),
        ({"input_ids": IDS + 400, "labels": LABELS}, "input_ids: expected ids from 0 to 383, got 407"),
        ({"input_ids": IDS - 6, "labels": LABELS}, "input_ids: expected ids from 0 to 383, got -1"),
        (
            {"input_ids": IDS, "attention_mask": IDS[:, 1:], "labels": LABELS},
            "attention_mask: expected [1, 3], got shape [1, 2]",
        ),
        (
            {"input_ids": IDS, "attention_mask": [1, 1, 1], "labels": LABELS},
            "attention_mask: expected a tensor, got list",
        ),
        (
            {"input_ids": IDS, "labels": LABELS + 400},
            "decoder_input_ids: expected ids from 0 to 383, got 408",
        ),
        (
            {"input_ids": IDS, "decoder_input_ids": LABELS.repeat(2, 1)},
            "decoder_input_ids: expected 1 sequences as encoded, got 2",
        ),
        (
            {"input_ids": IDS, "decoder_input_ids": IDS, "labels": LABELS},
            "labels: expected [1, 3], got shape [1, 2]",
        ),
        (
            {"input_ids": IDS, "decoder_input_ids": LABELS, "decoder_attention_mask": IDS},
            "decoder_attention_mask: expected [1, 2], got shape [1, 3]",
        ),
        (
            {"input_ids": IDS, "labels": LABELS, "deletion_threshold": float("inf")},
            "deletion_threshold: expected a finite number, got inf",
        ),
        (
            {"input_ids": IDS, "labels": LABELS, "output_attentions": True},
            "output_attentions: MrT5 has no such",
        ),
        (
            {"inputs_embeds": torch.ones(1, 3, 48), "labels": LABELS},
            "inputs_embeds: MrT5 has no such argument",
        ),
    ],
)
def test_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        make()(**arguments)
    assert str(caught.value).startswith(message)
    assert isinstance(caught.value, InputTypeError) == ("tensor" in message and "in its place" not in message)


def test_arguments_that_say_nothing_pass() -> None:
    make()(input_ids=IDS, labels=LABELS, output_attentions=False, inputs_embeds=None)


def test_first_weights() -> None:
    """T5's deviations; the gate keeps on average (b = 1)."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = MrT5Config(
            d_model=96,
            d_kv=16,
            d_ff=160,
            num_layers=3,
            num_heads=4,
            delete_gate_layer=1,
            initializer_factor=0.5,
        )
        weights = weights_of(MrT5ForConditionalGeneration(config))
    for name, deviation in {
        "shared.weight": 0.5,
        "lm_head.weight": 0.5 * 96**-0.5,
        "encoder.block.2.layer.0.SelfAttention.q.weight": 0.5 * (96 * 16) ** -0.5,
        "decoder.block.1.layer.1.EncDecAttention.k.weight": 0.5 * 96**-0.5,
        "decoder.block.1.layer.0.SelfAttention.v.weight": 0.5 * 96**-0.5,
        "encoder.block.0.layer.0.SelfAttention.o.weight": 0.5 * 64**-0.5,
        "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight": 0.5 * 96**-0.5,
        "encoder.block.0.layer.1.DenseReluDense.wi_1.weight": 0.5 * 96**-0.5,
        "decoder.block.0.layer.2.DenseReluDense.wo.weight": 0.5 * 160**-0.5,
        "encoder.block.1.delete_gate.feed_forward.weight": (2 / 97) ** 0.5,
    }.items():
        found = float(weights[name].std())
        assert abs(found / deviation - 1) < 3 / weights[name].numel() ** 0.5, name
    assert (weights["encoder.final_layer_norm.weight"] == 0.5).all()
    assert (weights["encoder.block.1.delete_gate.feed_forward.bias"] == 1).all()


def test_no_tensor_is_quadratic_in_the_length() -> None:
    """At 64 times the length of a head's width the largest tensor is still linear."""
    model = make()
    length = 2048
    ids = torch.randint(3, 259, (1, length))
    largest = 0

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            nonlocal largest
            out = func(*args, **(kwargs or {}))
            for one in out if isinstance(out, tuple | list) else [out]:
                largest = max(largest, one.numel() if isinstance(one, Tensor) else 0)
            return out

    with torch.no_grad(), Watch():
        model(ids, labels=LABELS, hard_delete=False)
    assert 0 < largest <= length * model.config.d_model


def test_signatures_of_the_contract() -> None:
    names = list(inspect.signature(MrT5ForConditionalGeneration.forward).parameters)
    assert names[:5] == ["self", "input_ids", "attention_mask", "decoder_input_ids", "labels"]
    assert {"hard_delete", "deletion_threshold", "past_key_values", "encoder_outputs"} <= set(names)
