"""The regularisers by hand; pads never count, and gradients point to deletion."""

import math
from types import SimpleNamespace
from typing import get_args

import pytest
import torch
from torch import Tensor

from pyfastlm.errors import InputError
from pyfastlm.mrt5.regularizers import Gates, Kind, entropy_regularizer, regularizer

MASK = torch.tensor([[1, 1, 1, 0], [1, 0, 0, 0]])
VALUES = [[-1.0, -2.0, -6.0, -30.0], [-3.0, -30.0, -30.0, -30.0]]
LOGITS = [[2.0, 1.0, -40.0, 9.0], [0.0, 9.0, 9.0, 9.0]]


def gates(values: list[list[float]] = VALUES, logits: list[list[float]] = LOGITS) -> Gates:
    def leaf(rows: list[list[float]]) -> Tensor:
        return torch.tensor(rows, dtype=torch.float64, requires_grad=True)

    return SimpleNamespace(gate_values=leaf(values), gate_logits=leaf(logits))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("gate_mean", -3.0),
        ("logits_mean", -9.25),
        ("clamped_logits_mean", (2 + 1 - 30 + 0) / 4),
        ("gate_var", -(4 + 1 + 9 + 0) / 3),
    ],
)
def test_by_hand(kind: Kind, expected: float) -> None:
    assert regularizer(gates(), MASK, kind).item() == pytest.approx(expected)
    assert regularizer(gates(), MASK.bool(), kind).item() == pytest.approx(expected)


def test_threshold_moves_the_clamp() -> None:
    found = regularizer(gates(), MASK, "clamped_logits_mean", threshold=-5.0)
    assert found.item() == pytest.approx((2 + 1 - 10 + 0) / 4)


@pytest.mark.parametrize("kind", get_args(Kind))
def test_pads_do_not_count(kind: Kind) -> None:
    made = gates()
    before = regularizer(made, MASK, kind)
    before.backward()
    for tensor in (made.gate_values, made.gate_logits):
        if tensor.grad is not None:
            assert (tensor.grad[MASK == 0] == 0).all()
    with torch.no_grad():
        made.gate_values[MASK == 0] = 77.0
        made.gate_logits[MASK == 0] = 77.0
    assert regularizer(made, MASK, kind).item() == before.item()


@pytest.mark.parametrize("kind", ["gate_mean", "logits_mean", "clamped_logits_mean"])
def test_descent_closes_gates(kind: Kind) -> None:
    """z, through G = -30 sigmoid(-z): a step against the gradient lowers every z that is not clamped."""
    logits = torch.tensor([[0.5, -0.5, 3.0, 1.0]], requires_grad=True)
    made = SimpleNamespace(gate_logits=logits, gate_values=-30 * torch.sigmoid(-logits))
    regularizer(made, torch.ones(1, 4), kind).backward()
    assert logits.grad is not None
    assert (logits.grad > 0).all()


def test_unknown_kind() -> None:
    with pytest.raises(InputError, match=r"regularizer: expected one of gate_mean, .*, got 'none'"):
        regularizer(gates(), MASK, "none")  # type: ignore[arg-type]


# Entropy


def coin(p: float) -> float:
    return 0.0 if p in (0, 1) else -(p * math.log(p) + (1 - p) * math.log(1 - p))


def test_entropies_by_hand() -> None:
    keep = [[0.5, 0.9, 0.1], [0.25, 0.5, 0.5]]
    mask = torch.tensor([[1, 1, 1], [1, 0, 0]])
    made = gates([[math.log(p) for p in row] for row in keep])
    h1 = ((coin(0.5) + coin(0.9) + coin(0.1)) / 3 + coin(0.25)) / 2
    h2 = (coin(1.5 / 3) + coin(0.25)) / 2
    assert entropy_regularizer(made, mask, 1.0, 0.0).item() == pytest.approx(h1)
    assert entropy_regularizer(made, mask, 0.0, 1.0).item() == pytest.approx(-h2)
    assert entropy_regularizer(made, mask, 0.3, 0.7).item() == pytest.approx(0.3 * h1 - 0.7 * h2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_entropy_is_finite_at_the_ends_and_for_a_row_of_pads(dtype: torch.dtype) -> None:
    values = torch.tensor([[0.0, -200.0], [-1.0, -1.0], [-1e-9, -1e-9]], dtype=dtype, requires_grad=True)
    mask = torch.tensor([[1, 1], [0, 0], [1, 1]])
    made = SimpleNamespace(gate_values=values, gate_logits=values)
    found = entropy_regularizer(made, mask, 1.0, 1.0)
    found.backward()
    assert torch.isfinite(found)
    assert values.grad is not None
    assert torch.isfinite(values.grad).all()
    assert (values.grad[1] == 0).all()


def test_entropy_gradient() -> None:
    values = torch.tensor([[-0.3, -1.0, -2.5], [-0.9, -0.1, -4.0]], dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[1, 1, 1], [1, 1, 0]])

    def loss(given: Tensor) -> Tensor:
        return entropy_regularizer(SimpleNamespace(gate_values=given, gate_logits=given), mask, 0.4, 0.6)

    assert torch.autograd.gradcheck(loss, values)
