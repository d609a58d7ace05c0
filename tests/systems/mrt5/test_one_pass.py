"""Hard deletion in one pass over the hidden states, as inference has it, against the steps one by one."""

import pytest
import torch
from mrt5_cases import example, make

import pyfastlm.mrt5.gate as gate_module
from pyfastlm.mrt5 import MrT5ForConditionalGeneration
from pyfastlm.mrt5.gate import DeleteGate
from pyfastlm.mrt5.output import MrT5EncoderOutput

CASES = [
    {},
    {"keep_gate_bias": True},
    {"gate_layer_norm": False},
    {"deletion_type": "log_sigmoid", "sigmoid_mask_scale": -8.0, "deletion_threshold": -0.6},
    {"delete_gate_layer": 0},
    {"use_gumbel_noise": True},
]


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rows of each pass that the gate makes."""
    rows: list[int] = []
    inner = gate_module.gate_compact

    def counting(x: torch.Tensor, *arguments: object, **options: object) -> object:
        rows.append(len(x))
        return inner(x, *arguments, **options)

    monkeypatch.setattr(gate_module, "gate_compact", counting)
    return rows


def encode(model: MrT5ForConditionalGeneration, mask: torch.Tensor | None) -> MrT5EncoderOutput:
    ids, _, _ = example()
    encoded, _ = model.encoder.encode(ids, mask, True, None)
    return encoded


@pytest.mark.parametrize("changes", CASES, ids=str)
@pytest.mark.parametrize("masked", [False, True], ids=["no mask", "pads inside the mask"])
def test_equals_the_steps(changes: dict, masked: bool, passes: list[int]) -> None:
    model = make(**changes)
    ids, there, _ = example()
    mask = torch.ones_like(there) if masked else None
    steps = encode(model, mask)
    assert passes == []
    with torch.no_grad():
        fused = encode(model, mask)
    assert passes == [ids.numel() if masked else int(there.sum())]
    assert 0 < int(steps.n_kept.sum()) < int(there.sum())
    assert torch.equal(fused.keep, steps.keep)
    for name in ("last_hidden_state", "gate_values", "gate_logits", "key_bias"):
        found, expected = getattr(fused, name), getattr(steps, name)
        assert (
            (found is None) == (expected is None) == (name == "key_bias" and "keep_gate_bias" not in changes)
        )
        if found is not None:
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_training_takes_the_steps(passes: list[int]) -> None:
    ids, _, labels = example()
    model = make().train()
    loss = model(ids, labels=labels, hard_delete=True).loss
    loss.backward()
    assert passes == []
    weight = model.encoder.block[0].layer[0].SelfAttention.q.weight
    assert weight.grad is not None
    assert weight.grad.abs().sum() > 0


def test_noise_takes_the_steps(passes: list[int]) -> None:
    with torch.no_grad():
        encode(make(use_gumbel_noise=True).train(), None)
    assert passes == []


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_takes_the_steps_on_a_cpu(dtype: torch.dtype, passes: list[int]) -> None:
    with torch.no_grad():
        encode(make().to(dtype), None)
    assert passes == []


def test_weights_of_another_type_take_the_steps() -> None:
    model = make()
    gate, norm = model.encoder.block[2].delete_gate, model.encoder.block[2].layer[0].layer_norm
    assert isinstance(gate, DeleteGate)
    with torch.no_grad():
        assert gate.fits_one_pass(torch.zeros(2, 48), norm)
        assert not gate.fits_one_pass(torch.zeros(2, 48, dtype=torch.float64), norm)
        with torch.autocast("cpu", torch.bfloat16):
            assert not gate.fits_one_pass(torch.zeros(2, 48), norm)
    assert not gate.fits_one_pass(torch.zeros(2, 48), norm)
