"""Numbers against the oracle: encoder, gate, logits, loss and gradients; soft and hard; ragged batches."""

from typing import Any

import oracle
import pytest
import torch
from mrt5_cases import BATCH, example, make, weights_of
from torch import Tensor

from pyfastlm.mrt5 import MrT5ForConditionalGeneration

TOLERANCE = {"rtol": 1e-5, "atol": 2e-5}
SOFTMAX1 = pytest.mark.parametrize("softmax1", [False, True])
GATES = pytest.mark.parametrize("gate_layer", [0, 1, 2, 3])


def close(ours: Tensor, theirs: Tensor, **tolerance: Any) -> None:
    torch.testing.assert_close(ours, theirs, **(TOLERANCE | tolerance))


def compare(model: MrT5ForConditionalGeneration, result: oracle.Result, output: Any, mask: Tensor) -> None:
    """All that the oracle says, where there is a token."""
    close(output.logits, result.logits)
    close(output.loss, result.loss)
    if result.gate is not None:
        close(output.gate_values[mask], result.gate[mask])
        close(output.gate_logits[mask], result.z[mask])
        scale = model.config.sigmoid_mask_scale
        assert (output.gate_values[~mask] == scale).all()
        assert (output.gate_logits[~mask] == 0).all()
    assert torch.equal(output.keep, result.keep)
    assert torch.equal(output.n_kept, result.keep.sum(1))


@SOFTMAX1
@GATES
@torch.no_grad()
def test_soft(gate_layer: int, softmax1: bool) -> None:
    model = make(delete_gate_layer=gate_layer, use_softmax1=softmax1)
    ids, mask, labels = example()
    result = oracle.run(weights_of(model), model.config.to_dict(), ids, labels)
    output = model(ids, labels=labels, hard_delete=False)
    compare(model, result, output, mask)
    close(output.encoder_last_hidden_state[mask], result.memory[mask])
    assert (output.encoder_last_hidden_state[~mask] == 0).all()
    assert torch.equal(output.encoder_attention_mask, mask)
    assert 0 < output.n_kept.sum() < mask.sum()


@pytest.mark.parametrize("how", ["gather", "mask"])
@SOFTMAX1
@GATES
@torch.no_grad()
def test_hard(gate_layer: int, softmax1: bool, how: str) -> None:
    model = make(delete_gate_layer=gate_layer, use_softmax1=softmax1)
    ids, mask, labels = example()
    result = oracle.run(weights_of(model), model.config.to_dict(), ids, labels, hard=how)
    output = model(ids, labels=labels, hard_delete=True)
    assert output.n_kept.min() < output.n_kept.max() < BATCH[0]
    compare(model, result, output, mask)
    longest = int(output.n_kept.max())
    assert output.encoder_last_hidden_state.shape == (len(ids), longest, model.config.d_model)
    there = torch.arange(longest) < output.n_kept[:, None]
    assert torch.equal(output.encoder_attention_mask, there)
    close(output.encoder_last_hidden_state[there], result.memory[result.memory_mask])
    assert (output.encoder_last_hidden_state[~there] == 0).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"deletion_type": None, "use_softmax1": False},
        {"deletion_type": None},
        {"deletion_type": "log_sigmoid", "deletion_threshold": -0.7},
        {"gate_layer_norm": False},
        {"sigmoid_mask_scale": -10.0, "deletion_threshold": -5.0},
        {"keep_gate_bias": True},
        {"num_heads": 1, "d_kv": 40},
    ],
    ids=lambda changes: ", ".join(changes),
)
@pytest.mark.parametrize("hard", [False, True], ids=["soft", "hard"])
@torch.no_grad()
def test_configurations(changes: dict[str, Any], hard: bool) -> None:
    model = make(**changes)
    ids, mask, labels = example()
    config = model.config.to_dict()
    result = oracle.run(weights_of(model), config, ids, labels, hard="gather" if hard else "")
    compare(model, result, model(ids, labels=labels, hard_delete=hard), mask)


@SOFTMAX1
@torch.no_grad()
def test_a_gate_value_at_the_threshold_is_deleted(softmax1: bool) -> None:
    model = make(use_softmax1=softmax1)
    ids, _, labels = example()
    values = model(ids, labels=labels).gate_values
    threshold = float(values[0, 3])
    output = model(ids, labels=labels, deletion_threshold=threshold)
    assert not output.keep[0, 3]
    assert torch.equal(output.keep, (values > threshold) & (ids != 0))


@SOFTMAX1
@torch.no_grad()
def test_one_row_fully_deleted(softmax1: bool) -> None:
    model = make(use_softmax1=softmax1)
    ids, mask, labels = example()
    values = model(ids, labels=labels).gate_values
    best = values.masked_fill(~mask, -torch.inf).amax(1)
    threshold = float(best.min()) + 1e-3  # one row loses all
    output = model(ids, labels=labels, deletion_threshold=threshold)
    assert output.n_kept.min() == 0 < output.n_kept.max()
    result = oracle.run(
        weights_of(model), model.config.to_dict(), ids, labels, hard="mask", threshold=threshold
    )
    compare(model, result, output, mask)


@SOFTMAX1
@torch.no_grad()
def test_everything_deleted(softmax1: bool) -> None:
    model = make(use_softmax1=softmax1)
    ids, _, labels = example()
    output = model(ids, labels=labels, deletion_threshold=0.0)
    assert output.n_kept.tolist() == [0] * len(ids)
    assert output.encoder_last_hidden_state.shape == (len(ids), 0, model.config.d_model)
    result = oracle.run(weights_of(model), model.config.to_dict(), ids, labels, hard="mask", threshold=0.0)
    close(output.logits, result.logits)


@torch.no_grad()
def test_all_kept_is_not_soft() -> None:
    """Hard deletion sets the gates of survivors to 0; with keep_gate_bias nothing but removal is left."""
    ids, mask, labels = example()
    for keep_bias in (False, True):
        model = make(keep_gate_bias=keep_bias)
        soft = model(ids, labels=labels, hard_delete=False)
        hard = model(ids, labels=labels, hard_delete=True, deletion_threshold=-29.999)
        assert torch.equal(hard.keep, mask)
        assert torch.allclose(soft.logits, hard.logits, atol=1e-5) == keep_bias
        result = oracle.run(
            weights_of(model), model.config.to_dict(), ids, labels, hard="gather", threshold=-29.999
        )
        compare(model, result, hard, mask)


@SOFTMAX1
@torch.no_grad()
def test_one_token(softmax1: bool) -> None:
    model = make(use_softmax1=softmax1)
    for ids in (torch.tensor([[7]]), torch.tensor([[7, 0], [0, 9]])):
        labels = torch.full((len(ids), 1), 5)
        result = oracle.run(weights_of(model), model.config.to_dict(), ids, labels)
        compare(model, result, model(ids, labels=labels, hard_delete=False), ids != 0)


@pytest.mark.parametrize("hard", [False, True], ids=["soft", "hard"])
@torch.no_grad()
def test_pads_anywhere(hard: bool) -> None:
    """Left, right and in the middle; a mask that says less than the ids, and one that says more."""
    model = make()
    ids, _, labels = example(pads=False)
    mask = torch.ones_like(ids)
    mask[0, :5] = 0
    mask[1, -7:] = 0
    mask[2, 8:12] = 0
    ids[3, 4:6] = 0  # inside the mask: seen up to the gate, then gone
    result = oracle.run(
        weights_of(model), model.config.to_dict(), ids, labels, mask=mask, hard="gather" if hard else ""
    )
    output = model(ids, mask, labels=labels, hard_delete=hard)
    assert (output.gate_values[3, 4:6] == model.config.sigmoid_mask_scale).all()
    assert not output.keep[3, 4:6].any()
    compare(model, result, output, mask.bool())
    as_bool = model(ids, mask.bool(), labels=labels, hard_delete=hard)
    assert torch.equal(as_bool.logits, output.logits)


@torch.no_grad()
def test_a_pad_is_deleted_below_any_threshold() -> None:
    model = make()
    ids, _, labels = example(pads=False)
    ids[0, 4] = 0
    output = model(ids, torch.ones_like(ids), labels=labels, deletion_threshold=-1000.0)
    assert torch.equal(output.keep, ids != 0)


@pytest.mark.parametrize("hard", [False, True], ids=["soft", "hard"])
@torch.no_grad()
def test_a_row_does_not_depend_on_its_batch(hard: bool) -> None:
    model = make()
    ids, mask, labels = example()
    together = model(ids, labels=labels, hard_delete=hard)
    for b in range(len(ids)):
        alone = model(ids[b : b + 1, mask[b]], labels=labels[b : b + 1], hard_delete=hard)
        close(alone.logits[0], together.logits[b], atol=2e-6)
        assert torch.equal(alone.n_kept[0], together.n_kept[b])


@pytest.mark.parametrize(("dtype", "error"), [(torch.float32, 1e-4), (torch.float64, 1e-11)], ids=str)
@SOFTMAX1
@GATES
def test_gradients_soft(gate_layer: int, softmax1: bool, dtype: torch.dtype, error: float) -> None:
    model = make(delete_gate_layer=gate_layer, use_softmax1=softmax1).to(dtype)
    ids, mask, labels = example()
    output = model(ids, labels=labels, hard_delete=False)
    (output.loss + 0.01 * output.gate_values[mask].mean()).backward()
    weights = {name: w.detach().clone().requires_grad_() for name, w in weights_of(model).items()}
    result = oracle.run(weights, model.config.to_dict(), ids, labels)
    assert result.gate is not None
    (result.loss + 0.01 * result.gate[mask].mean()).backward()
    names = dict(model.named_parameters())
    assert any("delete_gate" in name for name in names)
    for name, parameter in names.items():
        theirs = weights[name].grad
        assert parameter.grad is not None, name
        assert theirs is not None, name
        assert theirs.abs().max() > 0, name
        # That of the gate's bias is a sum that all but cancels.
        close(parameter.grad, theirs, rtol=0, atol=error * max(float(theirs.abs().max()), 2e-3))


@SOFTMAX1
def test_gradients_hard(softmax1: bool) -> None:
    """All parameters as by the exact oracle; the gate gets none."""
    model = make(use_softmax1=softmax1).train()
    ids, _, labels = example()
    model(ids, labels=labels, hard_delete=True).loss.backward()
    weights = {name: w.detach().clone().requires_grad_() for name, w in weights_of(model).items()}
    oracle.run(weights, model.config.to_dict(), ids, labels, hard="mask").loss.backward()
    for name, parameter in model.named_parameters():
        if "delete_gate" in name:
            assert parameter.grad is None
        else:
            theirs = weights[name].grad
            assert parameter.grad is not None, name
            assert theirs is not None, name
            close(parameter.grad, theirs, rtol=0, atol=1e-4 * float(theirs.abs().max()))


def test_float64_is_exact() -> None:
    """In double precision nothing but rounding is left of the difference."""
    model = make().double()
    ids, _, labels = example()
    for hard, how in ((False, ""), (True, "mask")):
        result = oracle.run(weights_of(model), model.config.to_dict(), ids, labels, hard=how)
        output = model(ids, labels=labels, hard_delete=hard)
        close(output.logits, result.logits, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@torch.no_grad()
def test_half_precision(dtype: torch.dtype) -> None:
    model = make()
    ids, _, labels = example()
    exact = model(ids, labels=labels, hard_delete=False)
    rounded = model.to(dtype)(ids, labels=labels, hard_delete=False)
    assert rounded.logits.dtype == dtype
    assert rounded.gate_values.dtype == rounded.loss.dtype == torch.float32
    close(rounded.loss, exact.loss, rtol=0.02, atol=0.02)
    hard = model(ids, labels=labels, hard_delete=True)
    assert hard.loss.isfinite()
