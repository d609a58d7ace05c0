"""Losses beside those of TRL's trainers, and beside mathematics."""

import warnings

import numpy as np
import pytest
import torch

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.lm import dpo
from pyfastlm.preference.losses import apo_loss, apo_unpaired_loss, dpo_loss, ipo_loss, kto_loss, slopes

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("trl")
import trl_losses

PAIRED = {
    "apo_zero": lambda *x, beta: apo_loss(*x, kind="zero", beta=beta),
    "apo_down": lambda *x, beta: apo_loss(*x, kind="down", beta=beta),
    "sigmoid": dpo_loss,
}


def gradients(loss, given):
    return torch.autograd.grad(loss, given.policy)[0]


@pytest.mark.parametrize("beta", [0.1, 0.7])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", PAIRED)
def test_paired_losses_and_gradients_are_those_of_trl(name, seed, beta) -> None:
    given = trl_losses.answers(5, seed=seed)
    given.policy.requires_grad_()
    expected, _ = trl_losses.paired(name, given, beta)
    found = PAIRED[name](*given.sums(), beta=beta)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(gradients(found, given), gradients(expected, given), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", [*PAIRED, "ipo"])
def test_in_float32_they_agree_to_a_millionth(name) -> None:
    given = trl_losses.answers(6, seed=7, dtype=torch.float32)
    expected, _ = trl_losses.paired(name, given, 0.1)
    if name == "ipo":
        chosen, rejected = given.mask.sum(1).chunk(2)
        found = ipo_loss(*given.sums(), chosen_tokens=chosen, rejected_tokens=rejected)
    else:
        found = PAIRED[name](*given.sums(), beta=0.1)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("weights", [(1.0, 1.0), (1.3, 0.4), (0.0, 2.0)])
def test_unpaired_losses_and_gradients_are_those_of_trl(weights) -> None:
    given = trl_losses.answers(5, seed=1)
    given.policy.requires_grad_()
    liked, disliked = weights
    options = {"beta": 0.2, "desirable_weight": liked, "undesirable_weight": disliked}
    for name, found in {
        "apo_zero_unpaired": apo_unpaired_loss(*given.sums(), **options),
        "kto": kto_loss(*given.sums(), kl=0.0, **options),
    }.items():
        expected = trl_losses.unpaired(name, given, 0.2, liked, disliked)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
        torch.testing.assert_close(gradients(found, given), gradients(expected, given), rtol=0, atol=1e-12)


def test_unpaired_takes_sides_of_different_sizes_and_empty_ones() -> None:
    liked, disliked = torch.tensor([-3.0, -4.0, -5.0]), torch.empty(0)
    found = apo_unpaired_loss(liked, disliked, torch.tensor([-3.0, -3.0, -9.0]), disliked)
    expected = torch.sigmoid(-0.1 * torch.tensor([0.0, -1.0, 4.0])).mean()
    torch.testing.assert_close(found, expected)
    assert torch.isfinite(apo_unpaired_loss(disliked, liked, disliked, liked))


def test_the_divergence_of_kto_moves_its_zero() -> None:
    policy = torch.tensor([-2.0])
    found = kto_loss(policy, policy, policy - 1.5, policy - 1.5, kl=1.5)
    assert float(found) == pytest.approx(0.5)


@pytest.mark.parametrize("name", ["apo_zero", "apo_down", "dpo"])
def test_slopes_are_the_gradients_in_double_precision(name) -> None:
    losses = PAIRED | {"dpo": dpo_loss}
    chosen, rejected = (
        torch.randn(2, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(3)) * 30
    )
    chosen.requires_grad_()
    rejected.requires_grad_()
    none = torch.zeros_like(chosen)

    def loss(policy_chosen, policy_rejected):
        return losses[name](policy_chosen, policy_rejected, none, none, beta=0.1)

    assert torch.autograd.gradcheck(loss, (chosen, rejected), atol=1e-8)
    expected = torch.autograd.grad(loss(chosen, rejected) * len(chosen), (chosen, rejected))
    for found, wanted in zip(slopes(name, chosen.detach(), rejected.detach(), 0.1), expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-15)


def test_signs_of_the_gradients() -> None:
    ratios = torch.randn(2, 50, dtype=torch.float64) * 20
    zero, down, both = (slopes(name, *ratios, 0.1) for name in ("apo_zero", "apo_down", "dpo"))
    assert bool((zero.chosen < 0).all() and (zero.rejected > 0).all())  # a step goes against them
    assert bool((down.rejected > 0).all())
    assert bool((both.chosen < 0).all() and (both.rejected > 0).all())
    start = slopes("apo_down", torch.zeros(1), torch.zeros(1), 0.1)
    assert float(start.chosen) == 0.0
    assert float(start.rejected) == pytest.approx(0.025)


@pytest.mark.parametrize("kind", ["zero", "down"])
def test_where_nothing_is_learnt_the_loss_is_one(kind) -> None:
    given = torch.tensor([-12.0, -700.0])
    assert float(apo_loss(given, given - 3, given, given - 3, kind=kind)) == 1.0


@pytest.mark.parametrize("far", [1e4, -1e4])
@pytest.mark.parametrize("name", PAIRED)
def test_far_ratios_stay_finite(name, far) -> None:
    chosen = torch.full((3,), far, requires_grad=True)
    rejected = torch.full((3,), -far, requires_grad=True)
    none = torch.zeros(3)
    loss = PAIRED[name](chosen, rejected, none, none, beta=0.1)
    assert bool(torch.isfinite(loss))
    if name != "sigmoid":
        assert 0 <= float(loss.detach()) <= 2
    assert all(bool(torch.isfinite(g).all()) for g in torch.autograd.grad(loss, (chosen, rejected)))


def test_half_precision_keeps_its_difference() -> None:
    policy, reference = torch.tensor([-300.0]).bfloat16(), torch.tensor([-302.0]).bfloat16()
    loss = apo_loss(policy, policy, reference, policy)
    assert loss.dtype == torch.float32
    assert float(loss) == pytest.approx(0.5 + 1 / (1 + np.exp(0.2)))


def test_numpy_in_numpy_out() -> None:
    drawn = np.random.default_rng(0).normal(size=(4, 6))
    tensors = [torch.from_numpy(x) for x in drawn]
    for loss in (apo_loss, dpo_loss, apo_unpaired_loss):
        found = loss(*drawn)
        assert isinstance(found, np.floating)
        assert float(found) == float(loss(*tensors))


def test_there_is_one_dpo() -> None:
    policy = torch.randn(4, 6, dtype=torch.float64)
    assert float(dpo_loss(*policy, beta=0.3)) == pytest.approx(float(dpo.dpo_loss(*policy, beta=0.3)))


ONE = torch.zeros(1)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: apo_loss(ONE, ONE, ONE, ONE, kind="up"), "kind: expected one of zero, down"),
        (lambda: apo_loss(ONE, ONE, ONE, ONE, beta=0.0), "beta: expected"),
        (lambda: apo_loss(ONE, ONE, torch.zeros(2), ONE), r"ref_chosen: expected \[1\]"),
        (
            lambda: apo_loss(ONE, torch.zeros(2), ONE, torch.zeros(2)),
            "policy_rejected: expected one for each",
        ),
        (lambda: apo_loss(ONE[None], ONE, ONE, ONE), r"policy_chosen: expected \[N\]"),
        (lambda: apo_loss(ONE.long(), ONE, ONE, ONE), "policy_chosen: expected floating"),
        (lambda: apo_loss([0.0], ONE, ONE, ONE), "policy_chosen: expected a tensor"),
        (lambda: apo_loss(*(torch.empty(0),) * 4), "at least one answer"),
        (lambda: apo_unpaired_loss(ONE, ONE, ONE, ONE, desirable_weight=-1.0), "desirable_weight"),
        (lambda: ipo_loss(ONE, ONE, ONE, ONE, chosen_tokens=ONE, rejected_tokens=ONE + 1), "chosen_tokens"),
        (lambda: slopes("ipo", ONE, ONE, 0.1), "objective: expected"),
    ],
)
def test_wrong_arguments(call, said) -> None:
    with pytest.raises(InputError, match=said):
        call()


def test_wrong_types_are_type_errors_too() -> None:
    with pytest.raises(InputTypeError):
        apo_loss([0.0], ONE, ONE, ONE)
