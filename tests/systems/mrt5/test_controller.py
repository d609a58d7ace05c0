"""The PI controller: its numbers by hand, and who may move it."""

import json
from typing import Any

import pytest

from pyfastlm.errors import InputError
from pyfastlm.mrt5.controller import DeletionController


def test_numbers_by_hand() -> None:
    """err = d - deleted; p <- 0.9 p + 0.1 kp err; i <- i + ki err; alpha <- max(0, p + i)."""
    controller = DeletionController(0.5, kp=0.5, ki=0.1)
    assert controller.alpha == 0
    controller.observe(0, 10)  # err 0.5: p = 0.025, i = 0.05
    assert controller.alpha == pytest.approx(0.075)
    controller.step()
    controller.observe(4, 10)  # err 0.1: p = 0.0225 + 0.005, i = 0.06
    assert controller.alpha == pytest.approx(0.0875)
    controller.step()
    controller.observe(10, 10)  # err -0.5: p = 0.02475 - 0.025, i = 0.01
    assert controller.alpha == pytest.approx(0.00975)
    controller.step()
    controller.observe(10, 10)  # err -0.5: p = -0.025225, i = -0.04: never below 0
    assert controller.alpha == 0
    assert controller.state_dict()["integral"] == pytest.approx(-0.04)
    assert controller.steps == 3


def test_defaults_are_those_of_the_original() -> None:
    controller = DeletionController(0.3)
    assert (controller.kp, controller.ki, controller.per_step, controller.anti_windup) == (
        0.5,
        1e-5,
        False,
        False,
    )


def test_without_target_alpha_stays() -> None:
    controller = DeletionController(alpha=0.01)
    controller.observe(1, 2)
    controller.step()
    assert controller.alpha == 0.01


def test_alpha_is_where_the_integral_starts() -> None:
    controller = DeletionController(0.5, alpha=0.2, kp=0, ki=0.1)
    assert controller.alpha == 0.2
    controller.observe(0, 2)
    assert controller.alpha == pytest.approx(0.25)


def test_delay_has_no_regulariser_and_no_control() -> None:
    controller = DeletionController(0.5, alpha=0.1, kp=0, ki=1, regularizer_delay=2)
    for _ in range(2):
        assert controller.alpha == 0
        assert not controller.active
        controller.observe(0, 10)
        controller.step()
    assert controller.alpha == 0.1  # as if nothing had been observed
    controller.observe(0, 10)
    assert controller.alpha == pytest.approx(0.6)


def test_one_update_a_micro_batch_or_a_step() -> None:
    micro = DeletionController(0.5, kp=0, ki=0.1)
    whole = DeletionController(0.5, kp=0, ki=0.1, per_step=True)
    for controller in (micro, whole):
        controller.observe(0, 30)
        controller.observe(10, 10)
    assert micro.alpha == pytest.approx(0.0)  # 0.05 - 0.05
    assert whole.alpha == 0  # nothing before the step
    for controller in (micro, whole):
        controller.step()
    assert micro.alpha == pytest.approx(0.0)
    assert whole.alpha == pytest.approx(0.1 * (0.5 - 10 / 40))  # tokens count, not micro-batches


def test_anti_windup_comes_back_at_once() -> None:
    held = DeletionController(0.5, kp=0, ki=0.1, anti_windup=True)
    wound = DeletionController(0.5, kp=0, ki=0.1)
    for controller in (held, wound):
        for _ in range(50):
            controller.observe(10, 10)
        assert controller.alpha == 0
        controller.observe(0, 10)
    assert held.alpha == pytest.approx(0.05)
    assert wound.alpha == 0
    for _ in range(49):
        wound.observe(0, 10)
    assert wound.alpha == pytest.approx(0.0, abs=1e-12)  # as long to come back as it was above


def test_anti_windup_leaves_the_way_up_alone() -> None:
    held = DeletionController(0.5, kp=0.5, ki=0.1, anti_windup=True)
    plain = DeletionController(0.5, kp=0.5, ki=0.1)
    for deleted in (0, 2, 4, 7, 5, 6, 3):
        held.observe(deleted, 10)
        plain.observe(deleted, 10)
        assert held.alpha == plain.alpha > 0


def test_it_reaches_its_target_on_a_gate_that_answers() -> None:
    """A gate that deletes more the more it is pressed, with inertia."""
    controller = DeletionController(0.6, kp=0.5, ki=0.01, anti_windup=True)
    deleted = 0.0
    for _ in range(2000):
        deleted += 0.05 * (min(1.0, 2 * controller.alpha) - deleted)
        controller.observe(round(deleted * 10_000), 10_000)
        controller.step()
    assert deleted == pytest.approx(0.6, abs=0.01)


@pytest.mark.parametrize("per_step", [False, True])
def test_state_goes_through_json_and_on(per_step: bool) -> None:
    options: dict[str, Any] = {"kp": 0.3, "ki": 0.07, "per_step": per_step, "regularizer_delay": 1}
    whole, part = DeletionController(0.4, **options), DeletionController(0.4, **options)
    seen = [(1, 7), (3, 7), (0, 5), (6, 7), (2, 3)]
    for deleted, total in seen[:3]:
        for controller in (whole, part):
            controller.observe(deleted, total)
            if total == 7:
                controller.step()
    again = DeletionController(0.4, **options)
    again.load_state_dict(json.loads(json.dumps(part.state_dict())))
    for deleted, total in seen[3:]:
        for controller in (whole, again):
            controller.observe(deleted, total)
            controller.step()
    assert again.state_dict() == whole.state_dict()
    assert again.alpha == whole.alpha
    assert again.settings == whole.settings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": 1.1}, "target: expected a fraction from 0 to 1, got 1.1"),
        ({"target": float("nan")}, "target"),
        ({"alpha": -1}, "alpha: expected a finite number of at least 0, got -1"),
        ({"kp": float("inf")}, "kp"),
        ({"ki": float("nan")}, "ki"),
        ({"regularizer_delay": -1}, "regularizer_delay"),
    ],
)
def test_mistakes(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        DeletionController(**changes)


@pytest.mark.parametrize(("deleted", "total"), [(-1, 2), (3, 2), (0, 0)])
def test_impossible_counts(deleted: int, total: int) -> None:
    with pytest.raises(InputError, match="deleted: expected from 0 to total"):
        DeletionController(0.5).observe(deleted, total)


def test_a_state_of_something_else_is_refused() -> None:
    with pytest.raises(InputError, match="state: expected"):
        DeletionController(0.5).load_state_dict({"alpha": 1.0})
