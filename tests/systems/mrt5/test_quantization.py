"""Weights of 8 bits: near the model they are made of, in every way that it runs."""

from typing import Any

import pytest
import torch
from mrt5_cases import example, make
from torch import Tensor

from pyfastlm.errors import InputError, Unavailable
from pyfastlm.mrt5 import MrT5ForConditionalGeneration, evaluate, int8, quantization
from pyfastlm.mrt5.examples import Example, Listed
from pyfastlm.mrt5.layers import Linear
from pyfastlm.mrt5.quantization import Int8Linear

pytestmark = pytest.mark.skipif(
    not quantization.supported(), reason="the processor has neither AVX-512 VNNI nor AMX"
)


def error(got: Tensor, exact: Tensor) -> float:
    return float((got - exact).norm() / exact.norm())


@pytest.mark.parametrize("shape", [(5, 7, 3), (1, 64, 33), (0, 8, 4), (40, 129, 130)])
def test_a_product_is_exact_within_8_bits(shape: tuple[int, int, int]) -> None:
    rows, inside, outside = shape
    random = torch.Generator().manual_seed(0)
    x = torch.randn(rows, inside, generator=random) * 10.0 ** torch.arange(rows)[:, None].clamp(max=6)
    linear = Linear(inside, outside)
    with torch.no_grad():
        linear.weight.mul_(10.0 ** -torch.arange(outside)[:, None].clamp(max=6))
        got, exact = Int8Linear(linear)(x), linear(x)
    assert got.shape == exact.shape
    # Two roundings of half a step in 127: rows and outputs of any size have steps of their own.
    bound = x.abs().amax(1, keepdim=True) * linear.weight.detach().abs().amax(1) * inside / 127
    assert ((got - exact).abs() <= bound).all()


def test_what_is_on_the_grid_comes_out_exactly() -> None:
    random = torch.Generator().manual_seed(0)
    linear = Linear(20, 9)
    x = torch.randint(-127, 128, (6, 20), generator=random).float()
    weight = torch.randint(-127, 128, (9, 20), generator=random).float()
    x[:, 3] = weight[:, 5] = 127.0
    x[2] = weight[4] = 0.0
    with torch.no_grad():
        linear.weight.copy_(weight)
    torch.testing.assert_close(Int8Linear(linear)(x), x @ weight.T, rtol=1e-6, atol=0)


@torch.no_grad()
@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("kind", ["scaled_sigmoid", None, "boundary", "convolution"])
def test_near_the_model(kind: Any, hard: bool) -> None:
    model = make(deletion_type=kind)
    ids, _, labels = example()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    twin = int8(model)
    got, exact = (one(ids, labels=labels, hard_delete=hard) for one in (twin, model))
    # What is deleted or merged is decided by numbers that are rounded, too: some inputs lose other bytes.
    same = torch.ones(len(ids), dtype=torch.bool) if kind is None else (got.keep == exact.keep).all(1)
    assert same.sum() >= 3
    assert 0 < error(got.logits[same], exact.logits[same]) < 0.05
    if kind == "scaled_sigmoid":
        assert error(got.gate_logits, exact.gate_logits) < 0.05
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
    assert twin.shared.weight.data_ptr() == model.shared.weight.data_ptr()
    blocks = [module for stack in (twin.encoder, twin.decoder) for module in stack.block.modules()]
    linears = [module for module in blocks if isinstance(module, Linear | Int8Linear)]
    gates = {"scaled_sigmoid": 1, None: 0, "boundary": 2, "convolution": 0}[kind]
    assert sum(isinstance(module, Linear) for module in linears) == gates
    assert sum(isinstance(module, Int8Linear) for module in linears) == 4 * 7 + 2 * 11
    assert isinstance(twin.lm_head, Linear)


@torch.no_grad()
def test_a_row_does_not_depend_on_its_batch() -> None:
    twin = int8(make())
    ids, mask, _ = example()
    whole = twin.generate(ids, max_new_tokens=6, do_sample=False)
    scores = twin(ids, decoder_input_ids=whole[:, :-1]).logits
    for row, length in enumerate(mask.sum(1).tolist()):
        alone = twin(ids[row : row + 1, :length], decoder_input_ids=whole[row : row + 1, :-1]).logits
        torch.testing.assert_close(alone[0], scores[row], rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_everything_deleted() -> None:
    output = int8(make())(example()[0], labels=example()[2], hard_delete=True, deletion_threshold=-1e-9)
    assert output.n_kept.eq(0).all()
    assert output.logits.isfinite().all()


def test_bits_per_byte_stay() -> None:
    ids, mask, labels = example()
    rows = [
        Example(row[:n].numpy(), targets.numpy())
        for row, n, targets in zip(ids, mask.sum(1), labels.abs(), strict=True)
    ]
    model = make()
    got, exact = (
        evaluate(one, Listed(rows), modes=("hard",)).row("hard").bits_per_byte for one in (int8(model), model)
    )
    assert got == pytest.approx(exact, rel=0.02)


def test_it_can_neither_be_trained_nor_saved(tmp_path: Any) -> None:
    twin = int8(make())
    ids, _, labels = example()
    assert not twin(ids, labels=labels).loss.requires_grad
    with pytest.raises(InputError, match="model: one of 8 bits cannot be saved or changed"):
        twin.save_pretrained(tmp_path)
    with pytest.raises(InputError, match="8 bits"):
        int8(twin)


def test_other_models_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model: MrT5ForConditionalGeneration = make()
    with pytest.raises(InputError, match="model: expected float32 on the CPU, got torch"):
        int8(model.bfloat16())
    monkeypatch.setattr(quantization, "INSTRUCTIONS", ())
    with pytest.raises(Unavailable, match="int8: the processor has no AVX-512 VNNI"):
        int8(make())
