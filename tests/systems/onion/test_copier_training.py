"""Copiers learn, go on where they were, and refuse what is not theirs."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from copiers import small_task

from pyfastlm.errors import InputError
from pyfastlm.lm.run_directory import newest_checkpoint
from pyfastlm.onion import RepeatTask, TrainingOptions, evaluate, load_model, train
from pyfastlm.onion.training import MODEL, MOMENTS, PROGRESS

OPTIONS = TrainingOptions(120, 32, lr=1e-2, warmup=5, log_every=40, checkpoint_every=7)


@pytest.fixture(scope="module")
def task() -> RepeatTask:
    return small_task()


@pytest.fixture(scope="module")
def undisturbed(task: RepeatTask) -> Any:
    torch.set_num_threads(1)
    return train(task, 12, options=OPTIONS)


def same_weights(a: Any, b: Any) -> bool:
    pairs = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    return all(torch.equal(x, y) for x, y in pairs)


def test_it_learns(task: RepeatTask, undisturbed: Any) -> None:
    log = undisturbed.log
    assert [entry.step for entry in log] == [40, 80, 120]
    assert log[-1].loss < 0.8 * log[0].loss
    assert log[-1].accuracy == evaluate(undisturbed.model, task).scores.taught.share > log[0].accuracy
    assert log[-1].lr < 1e-2 * 1e-3 < log[0].lr
    assert undisturbed.model.config.steps == 120
    assert not undisturbed.model.training


def test_killed_it_goes_on(task: RepeatTask, undisturbed: Any, tmp_path: Path) -> None:
    """kill -9 after the first checkpoint, while more are written."""
    run = tmp_path / "run"
    program = (
        "import torch; from copiers import small_task; from pyfastlm.onion import train, TrainingOptions\n"
        "torch.set_num_threads(1)\n"
        "o = TrainingOptions(120, 32, lr=1e-2, warmup=5, log_every=40, checkpoint_every=7)\n"
        f"train(small_task(), 12, {str(run)!r}, options=o)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], cwd=Path(__file__).parents[2])
    while process.poll() is None and not (run.exists() and newest_checkpoint(run)):
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    again = train(task, 12, run, options=OPTIONS)
    assert same_weights(again.model, undisturbed.model)
    assert again.log == undisturbed.log
    loaded = train(task, 12, run, options=OPTIONS)
    assert loaded.resumed_step == 120
    assert loaded.seconds == again.seconds
    assert same_weights(loaded.model, load_model(newest_checkpoint(run) / MODEL))


def test_a_stop_in_the_middle_of_a_log_entry(
    task: RepeatTask, undisturbed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyfastlm.onion import training

    step = training._Run.step

    def until_50(run: Any, number: int, batch: Any) -> None:
        if number == 50:
            raise KeyboardInterrupt
        step(run, number, batch)

    with monkeypatch.context() as patch:
        patch.setattr(training._Run, "step", until_50)
        with pytest.raises(KeyboardInterrupt):
            train(task, 12, tmp_path, options=OPTIONS)
    again = train(task, 12, tmp_path, options=OPTIONS)
    assert again.resumed_step == 49
    assert again.log == undisturbed.log
    assert same_weights(again.model, undisturbed.model)


def test_what_is_logged_does_not_change_what_is_learned(task: RepeatTask, undisturbed: Any) -> None:
    often = train(task, 12, options=replace(OPTIONS, log_every=9))
    assert same_weights(often.model, undisturbed.model)
    other = train(task, 12, options=OPTIONS, seed=1)
    assert not same_weights(other.model, undisturbed.model)


@pytest.mark.parametrize("name", [MODEL, MOMENTS, PROGRESS])
def test_a_damaged_checkpoint_is_refused(task: RepeatTask, tmp_path: Path, name: str) -> None:
    options = replace(OPTIONS, steps=10)
    train(task, 5, tmp_path, options=options)
    damaged = newest_checkpoint(tmp_path) / name
    damaged.write_bytes(damaged.read_bytes()[:-20] if name == PROGRESS else b"PK\3\4 nothing")
    with pytest.raises(InputError, match=name.replace(".", "\\.")):
        train(task, 5, tmp_path, options=options)
    assert train(task, 5, tmp_path, options=options, resume=False).resumed_step == 0


def test_moments_of_another_model_are_refused(task: RepeatTask, tmp_path: Path) -> None:
    options = replace(OPTIONS, steps=10)
    for size in (5, 6):
        train(task, size, tmp_path / str(size), options=options)
    mine, other = (newest_checkpoint(tmp_path / size) / MOMENTS for size in ("5", "6"))
    content = torch.load(mine, weights_only=True)
    mine.write_bytes(other.read_bytes())
    with pytest.raises(InputError, match="expected"):
        train(task, 5, tmp_path / "5", options=options)
    content["exp_avg_sq.fc.bias"] -= 1
    torch.save(content, mine)
    with pytest.raises(InputError, match="negative"):
        train(task, 5, tmp_path / "5", options=options)


def test_another_run_in_the_directory_is_refused(task: RepeatTask, tmp_path: Path) -> None:
    options = replace(OPTIONS, steps=10)
    train(task, 5, tmp_path, options=options)
    for changed, what in (
        ({"size": 6}, "another N"),
        ({"size": 5, "no_input": True}, "no_input"),
        ({"size": 5, "seed": 1}, "seed"),
        ({"size": 5, "options": replace(options, lr=1e-3)}, "another lr"),
    ):
        size = changed.pop("size")
        with pytest.raises(InputError, match=what):
            train(task, size, tmp_path, **({"options": options} | changed))
    with pytest.raises(InputError, match="n_train"):
        train(small_task(n_train=300), 5, tmp_path, options=options)
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(InputError, match=r"thesis\.tex"):
        train(task, 5, tmp_path, options=options)


def test_a_loss_that_is_not_finite_is_an_error(task: RepeatTask) -> None:
    with pytest.raises(InputError, match="lr: the loss is"):
        train(task, 5, options=replace(OPTIONS, lr=1e30, warmup=0))


@pytest.mark.parametrize(
    "changed",
    [{"steps": 0}, {"batch_size": 0}, {"lr": 0.0}, {"lr": float("nan")}, {"weight_decay": -1.0},
     {"schedule": "step"}, {"warmup": -1}, {"log_every": 0}, {"checkpoint_every": 0}],
)  # fmt: skip
def test_options_are_checked(changed: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(changed))):
        replace(OPTIONS, **changed)


def test_the_rate_rises_and_falls() -> None:
    options = TrainingOptions(100, lr=1.0, warmup=9)
    assert options.rate(0) == pytest.approx(0.1, rel=1e-3)
    rates = [options.rate(step) for step in range(100)]
    assert max(rates) == rates[9]
    assert rates[-1] < 1e-3
    assert {replace(options, schedule="constant", warmup=0).rate(s) for s in (0, 50, 99)} == {1.0}


def test_the_log_is_one_of_json_lines(task: RepeatTask, tmp_path: Path) -> None:
    run = train(task, 5, tmp_path, options=replace(OPTIONS, steps=80))
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [40, 80]
    assert lines[-1]["accuracy"] == run.log[-1].accuracy
