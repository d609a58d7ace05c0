"""Training: the loss that is minimised, who moves what, and that a killed run ends as an undisturbed one."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_mrt5 import open_gate, tiny_data, tiny_mrt5

from pyfastlm.errors import InputError
from pyfastlm.lm.run_directory import newest_checkpoint
from pyfastlm.mrt5 import DeletionController, MrT5ForConditionalGeneration, train
from pyfastlm.mrt5.checkpoints import Run, locked
from pyfastlm.mrt5.examples import collate
from pyfastlm.mrt5.order import Order
from pyfastlm.mrt5.regularizers import regularizer

ROOM = Path(__file__).parents[2]


def weights(model: MrT5ForConditionalGeneration) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def controlled(**changes: Any) -> DeletionController:
    return DeletionController(**({"target": 0.5, "kp": 0.5, "ki": 0.01} | changes))


# What a step does


def test_steps_by_hand() -> None:
    """The same steps, spelled out: order, loss, accumulation, clipping, decay of the rate, controller."""
    steps, batch_size, accumulate, lr = 4, 3, 2, 1e-2
    model, again = (tiny_mrt5(dropout_rate=0.0) for _ in range(2))
    controller, data = controlled(alpha=0.1), tiny_data()
    result = train(
        model, data, steps=steps, batch_size=batch_size, accumulate=accumulate, lr=lr, log_every=1, seed=3,
        controller=controller,
    )  # fmt: skip

    optimizer, order, mine = (
        torch.optim.AdamW(again.parameters(), weight_decay=0),
        Order(data, 3),
        controlled(alpha=0.1),
    )
    again.train()
    for step in range(steps):
        losses, alphas = [], []
        for micro in range(accumulate):
            batch = collate(order.take((step * accumulate + micro) * batch_size, batch_size))
            output = again(**batch)  # soft is what the model does in training
            alphas.append(mine.alpha)
            term = regularizer(output, batch["attention_mask"])
            ((output.loss + mine.alpha * term) / accumulate).backward()
            mine.observe(
                int(batch["attention_mask"].sum() - output.keep.sum()), int(batch["attention_mask"].sum())
            )
            losses.append(output.loss.item())
        torch.nn.utils.clip_grad_norm_(again.parameters(), 1.0)
        optimizer.param_groups[0]["lr"] = lr * (steps - step) / steps
        optimizer.step()
        optimizer.zero_grad()
        mine.step()
        assert result.log[step].loss == pytest.approx(np.mean(losses), rel=1e-6)
        assert result.log[step].alpha == pytest.approx(np.mean(alphas), rel=1e-9)
        assert result.log[step].lr == optimizer.param_groups[0]["lr"]
        assert result.log[step].bits_per_byte == pytest.approx(result.log[step].loss / math.log(2))
    assert same(weights(model), weights(again))
    assert result.controller is not None
    assert result.controller.state_dict() == mine.state_dict()
    assert controller.state_dict() == controlled(alpha=0.1).state_dict()  # the one given is left alone


def test_loss_falls() -> None:
    result = train(tiny_mrt5(), tiny_data(), steps=40, batch_size=4, lr=1e-2, log_every=10)
    first, *_, last = result.log
    assert (first.step, last.step) == (10, 40)
    assert last.loss < 0.8 * first.loss
    assert last.alpha == last.regularizer == 0
    assert result.checkpoint is None


@pytest.mark.parametrize("kind", ["gate_mean", "logits_mean", "clamped_logits_mean"])
def test_a_regulariser_closes_gates(kind: Any) -> None:
    model = tiny_mrt5()
    hold = DeletionController(None, alpha=5.0)
    result = train(
        model, tiny_data(), steps=40, batch_size=4, lr=2e-2, controller=hold, regularizer=kind, log_every=1
    )
    assert result.log[0].deleted < 0.5 < result.log[-1].deleted
    assert result.log[-1].regularizer < result.log[0].regularizer


def test_hard_steps_are_drawn_by_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    model = tiny_mrt5()
    forward = model.forward
    monkeypatch.setattr(
        model, "forward", lambda *a, **k: (seen.append(k["hard_delete"]), forward(*a, **k))[1]
    )
    options: dict[str, Any] = {"steps": 20, "batch_size": 1, "accumulate": 2, "hard_delete_probability": 0.5}
    train(model, tiny_data(), seed=1, **options)
    first, seen[:] = list(seen), []
    train(model, tiny_data(), seed=1, **options)
    assert seen == first
    assert first[0::2] == first[1::2]  # of a whole step
    assert 3 < sum(first[::2]) < 17


def test_seed_decides_and_nothing_outside_is_touched() -> None:
    outcomes = []
    for seed, disturb in ((1, 0), (1, 5), (2, 0)):
        model = tiny_mrt5()
        torch.manual_seed(disturb)
        before = torch.random.get_rng_state()
        model.eval()
        train(model, tiny_data(), steps=3, batch_size=4, seed=seed)
        assert not model.training
        assert torch.equal(torch.random.get_rng_state(), before)
        outcomes.append(weights(model))
    assert same(outcomes[0], outcomes[1])
    assert not same(outcomes[0], outcomes[2])


# Checkpoints


def run(model: MrT5ForConditionalGeneration, out: Path, **changes: Any) -> Any:
    settings: dict[str, Any] = {
        "steps": 12, "batch_size": 2, "accumulate": 2, "lr": 1e-2, "controller": controlled(), "seed": 5,
        "log_every": 5, "save_every": 3, "hard_delete_probability": 0.3, "out": out,
    }  # fmt: skip
    return train(model, tiny_data(), **(settings | changes))


class Stop(BaseException):
    """Ends a run at a chosen checkpoint."""


def interrupt(out: Path, monkeypatch: pytest.MonkeyPatch, after: int, **changes: Any) -> None:
    """Train until the checkpoint of step ``after`` is there."""
    save = Run.save

    def stopping(self: Run, step: int, *rest: Any) -> None:
        save(self, step, *rest)
        if step >= after:
            raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(Run, "save", stopping)
        with pytest.raises(Stop):
            run(tiny_mrt5(), out, **changes)


def test_a_run_on_disk(tmp_path: Path) -> None:
    model = tiny_mrt5()
    result = run(model, tmp_path / "run")
    assert sorted(os.listdir(tmp_path / "run")) == [
        "checkpoint-000000012",
        "lock",
        "log.jsonl",
        "settings.json",
    ]
    assert result.checkpoint == tmp_path / "run" / "checkpoint-000000012"
    loaded = MrT5ForConditionalGeneration.from_pretrained(result.checkpoint)
    assert same(weights(loaded), weights(model))
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [5, 10, 12]
    assert list(lines[0]) == [
        "step",
        "loss",
        "bits_per_byte",
        "regularizer",
        "alpha",
        "deleted",
        "lr",
        "seconds",
    ]
    assert [line["loss"] for line in lines] == [entry.loss for entry in result.log]


@pytest.mark.parametrize("after", [3, 9])
def test_resume_is_bit_identical(after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tiny_mrt5()
    expected = run(whole, tmp_path / "whole")
    interrupt(tmp_path / "run", monkeypatch, after)
    model = tiny_mrt5(seed=77)  # its weights come from the checkpoint
    result = run(model, tmp_path / "run")
    assert result.resumed_step == after
    assert same(weights(model), weights(whole))
    assert result.controller.state_dict() == expected.controller.state_dict()
    for here, there in zip(result.log, expected.log, strict=True):
        assert (here.step, here.loss, here.alpha, here.deleted) == (
            there.step, there.loss, there.alpha, there.deleted,
        )  # fmt: skip
    assert (tmp_path / "run" / "log.jsonl").read_text().count("\n") == 3
    assert result.seconds > 0


def test_a_finished_run_is_only_loaded(tmp_path: Path) -> None:
    first, again = tiny_mrt5(), tiny_mrt5(seed=77)
    expected = run(first, tmp_path / "run")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*.safetensors")}
    result = run(again, tmp_path / "run")
    assert result.resumed_step == result.steps == 12
    assert result.log == expected.log
    assert same(weights(first), weights(again))
    assert {path: path.stat().st_mtime_ns for path in before} == before


CHILD = """
import sys
sys.path.insert(0, {room!r})
import torch
torch.set_num_threads(1)
from pathlib import Path
from tiny_mrt5 import tiny_data, tiny_mrt5
from pyfastlm.mrt5 import DeletionController, train
train(tiny_mrt5(), tiny_data(), steps=60, batch_size=2, lr=1e-2, seed=5, log_every=7, save_every=1,
      controller=DeletionController(0.5, ki=0.01), out={out!r})
"""


@pytest.mark.parametrize("kills", [1, pytest.param(5, marks=pytest.mark.slow)])
def test_killed_at_any_moment(kills: int, tmp_path: Path) -> None:
    """SIGKILL in the middle of steps and of writing checkpoints; the weights are the same."""
    undisturbed = tiny_mrt5()
    options: dict[str, Any] = {"steps": 60, "batch_size": 2, "lr": 1e-2, "seed": 5, "log_every": 7}
    pi = DeletionController(0.5, ki=0.01)
    train(undisturbed, tiny_data(), controller=pi, **options)
    out, reached = tmp_path / "run", 0
    for _ in range(kills):
        script = CHILD.format(room=str(ROOM), out=str(out))
        with subprocess.Popen(
            [sys.executable, "-c", script], env=os.environ | {"OMP_NUM_THREADS": "1"}
        ) as child:
            while (newest := newest_checkpoint(out) if out.exists() else None) is None or (
                int(newest.name[-9:]) < reached + 8
            ):
                assert child.poll() is None
                time.sleep(0.003)
            time.sleep(0.001 * (reached % 7))
            child.send_signal(signal.SIGKILL)
        newest = newest_checkpoint(out)
        assert newest is not None
        reached = int(newest.name[-9:])
        assert reached < 60
    model = tiny_mrt5(seed=9)
    result = train(model, tiny_data(), controller=pi, save_every=1, out=out, **options)
    assert result.resumed_step == reached
    assert same(weights(model), weights(undisturbed))
    assert [entry.step for entry in result.log] == [7, 14, 21, 28, 35, 42, 49, 56, 60]
    assert sorted(os.listdir(out)) == ["checkpoint-000000060", "lock", "log.jsonl", "settings.json"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lr": 2e-2}, r"another lr \(then 0.01, now 0.02\)"),
        ({"steps": 13}, r"another steps \(then 12, now 13\)"),
        ({"seed": 6}, r"another seed \(then 5, now 6\)"),
        ({"regularizer": "gate_var"}, r"another regularizer \(then 'gate_mean', now 'gate_var'\)"),
        ({"controller": controlled(ki=0.5)}, r"another controller\.ki \(then 0.01, now 0.5\)"),
        ({"controller": controlled(alpha=0.5)}, r"another controller\.alpha \(then 0.0, now 0.5\)"),
        ({"controller": None}, r"another controller \(then True, now False\)"),
    ],
)
def test_other_settings_are_refused(
    changes: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(tmp_path / "run", monkeypatch, 3)
    with pytest.raises(InputError, match=rf"^resume: .* holds a run with {message}; .*\(--no-resume\)$"):
        run(tiny_mrt5(), tmp_path / "run", **changes)


def test_another_model_or_other_data_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt(tmp_path / "run", monkeypatch, 3)
    with pytest.raises(InputError, match=r"another model\.d_ff \(then 48, now 64\)"):
        run(tiny_mrt5(d_ff=64), tmp_path / "run")
    other = {"steps": 12, "batch_size": 2, "accumulate": 2, "lr": 1e-2, "controller": controlled(), "seed": 5}
    with pytest.raises(InputError, match="another data"):
        train(
            tiny_mrt5(), tiny_data(seed=1), hard_delete_probability=0.3, out=tmp_path / "run", **other  # type: ignore[arg-type]
        )  # fmt: skip


def test_afresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt(tmp_path / "run", monkeypatch, 6)
    model, expected = tiny_mrt5(), tiny_mrt5()
    result = run(model, tmp_path / "run", resume=False, lr=3e-3)
    assert result.resumed_step == 0
    run(expected, tmp_path / "other", lr=3e-3)
    assert same(weights(model), weights(expected))


def test_a_directory_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(InputError, match=r"out: .* holds 'thesis\.tex', which is no part"):
        run(tiny_mrt5(), tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"out: cannot write to .*file"):
        run(tiny_mrt5(), tmp_path / "file")
    with locked(tmp_path / "busy"), pytest.raises(InputError, match="another process trains in"):
        run(tiny_mrt5(), tmp_path / "busy")


def test_a_full_disk_keeps_the_checkpoint_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    interrupt(tmp_path / "run", monkeypatch, 3)
    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", full)
        with pytest.raises(OSError, match="No space left"):
            run(tiny_mrt5(), tmp_path / "run")
    newest = newest_checkpoint(tmp_path / "run")
    assert newest is not None
    assert newest.name == "checkpoint-000000003"
    assert run(tiny_mrt5(), tmp_path / "run").resumed_step == 3


# Mistakes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps: expected at least 1, got 0"),
        ({"batch_size": 0}, "batch_size: expected at least 1"),
        ({"accumulate": 0}, "accumulate: expected at least 1"),
        ({"log_every": 0}, "log_every: expected at least 1"),
        ({"save_every": 0}, "save_every: expected at least 1"),
        ({"lr": 0}, "lr: expected a finite number above 0"),
        ({"lr": math.nan}, "lr: expected a finite number above 0"),
        ({"hard_delete_probability": 1.5}, "hard_delete_probability: expected from 0 to 1, got 1.5"),
        ({"regularizer": "none"}, "regularizer: expected one of gate_mean"),
        ({"seed": -1}, "seed: expected at least 0"),
    ],
)
def test_mistakes(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        train(tiny_mrt5(), tiny_data(), **({"steps": 1, "batch_size": 1} | changes))


def test_a_controller_needs_a_gate_that_learns() -> None:
    for changes in ({"deletion_type": None}, {"deletion_type": "random", "random_deletion_probability": 0.5}):
        with pytest.raises(InputError, match="controller: the model's deletion_type is"):
            train(tiny_mrt5(**changes), tiny_data(), steps=1, batch_size=1, controller=controlled())
    result = train(tiny_mrt5(deletion_type=None), tiny_data(), steps=2, batch_size=2)
    assert result.log[-1].deleted == 0


def test_a_loss_that_is_not_finite_is_said(tmp_path: Path) -> None:
    model = tiny_mrt5()
    with torch.no_grad():
        next(model.parameters()).fill_(math.nan)
    with pytest.raises(InputError, match="lr: the loss is nan at step 1"):
        run(model, tmp_path / "run")


# The Hugging Face Trainer


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
def test_the_trainer_of_transformers(tmp_path: Path) -> None:
    pytest.importorskip("accelerate", reason="the Trainer needs accelerate")
    from transformers import Trainer, TrainingArguments

    model, data = open_gate(tiny_mrt5()), tiny_data()
    before = weights(model)
    arguments = TrainingArguments(
        output_dir=str(tmp_path), max_steps=3, per_device_train_batch_size=2, report_to=[], use_cpu=True,
        disable_tqdm=True, save_strategy="no", logging_steps=1,
    )  # fmt: skip
    examples = data.examples(0, range(len(data)))
    trainer = Trainer(model=model, args=arguments, train_dataset=examples, data_collator=collate)
    outcome = trainer.train()
    assert outcome.global_step == 3
    assert math.isfinite(outcome.training_loss)
    assert not same(before, weights(model))
