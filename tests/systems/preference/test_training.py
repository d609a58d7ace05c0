"""Training on pairs: what a step does, portions, checkpointing, adapters, going on, drift."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trl_losses
from preferences import PAIRS, plain_logps, small_lm

from pyfastlm.errors import InputError
from pyfastlm.lm.adamw import adamw
from pyfastlm.lm.order import Order
from pyfastlm.preference import TrainingOptions, Watch, precompute, train
from pyfastlm.preference.encoding import encode
from pyfastlm.preference.objectives import OBJECTIVES, metrics
from pyfastlm.preference.policy import PairLogps
from pyfastlm.preference.references import trl_rows
from pyfastlm.preference.steps import Run

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
OPTIONS = TrainingOptions(6, batch_size=4, pairs_at_once=4, rank=None, lr=1e-3, weight_decay=0.1, warmup=2)
TEXTS = ("図書館は朝の九時に開き、夕方の六時に閉まります。", "Der Zug fährt heute zwanzig Minuten später.")


def weights(lm) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in lm.model.parameters()])


@pytest.fixture(scope="module")
def lm():
    torch.set_num_threads(1)
    return small_lm()


@pytest.mark.parametrize("objective", ["apo_zero", "apo_down", "dpo"])
def test_weights_are_those_of_a_plain_loop(lm, objective) -> None:
    """Of all logits, one sequence after the other, and the trainer's formulas written out."""
    found = train(lm, PAIRS, replace(OPTIONS, steps=3, objective=objective))
    plain = small_lm()
    tokens = encode(plain.tokenizer, PAIRS)
    reference = plain_logps(plain.model, tokens).detach().view(2, -1)
    optimizer = adamw(plain.model, OPTIONS.lr, OPTIONS.weight_decay)
    order = Order(len(tokens), OPTIONS.seed)
    options = replace(OPTIONS, steps=3)
    for step in range(3):
        numbers = order.take(step * 4, 4)
        logps = plain_logps(plain.model, [tokens[n] for n in numbers]).view(2, -1)
        chosen, rejected = logps - reference[:, numbers]
        s = torch.sigmoid
        loss = {
            "apo_zero": (1 - s(0.1 * chosen)) + s(0.1 * rejected),
            "apo_down": s(0.1 * chosen) + (1 - s(0.1 * (chosen - rejected))),
            "dpo": -torch.nn.functional.logsigmoid(0.1 * (chosen - rejected)),
        }[objective].mean()
        for group in optimizer.param_groups:
            group["lr"] = options.rate(step)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(plain.model.parameters(), OPTIONS.grad_clip)
        optimizer.step()
        assert found.log[step].loss == pytest.approx(float(loss.detach()), abs=1e-5)
    assert (
        weights(found.lm) - weights(plain)
    ).abs().max() < 2e-4  # Adam divides small gradients by themselves
    assert torch.equal(weights(lm), weights(small_lm()))


def test_portions_do_not_change_what_is_learnt(lm) -> None:
    exact = small_lm(dtype=torch.float64)
    whole = train(exact, PAIRS, replace(OPTIONS, steps=2))
    portions = train(exact, PAIRS, replace(OPTIONS, steps=2, pairs_at_once=3))
    assert (weights(whole.lm) - weights(portions.lm)).abs().max() < 1e-5
    assert whole.log[1].loss == pytest.approx(portions.log[1].loss, abs=1e-6)


@pytest.mark.parametrize("rank", [None, 4])
def test_checkpointing_changes_nothing(lm, rank) -> None:
    options = replace(OPTIONS, steps=2, rank=rank)
    usual = train(lm, PAIRS, options)
    lean = train(lm, PAIRS, replace(options, checkpointing=True))
    torch.testing.assert_close(weights(lean.lm), weights(usual.lm), rtol=1e-5, atol=1e-6)
    assert not any(module.training for module in lean.lm.model.modules())


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_learns_with_adapters(lm, objective) -> None:
    options = TrainingOptions(12, objective, batch_size=5, pairs_at_once=5, rank=4, lr=1e-2)
    watch = Watch(PAIRS, TEXTS, every=12)
    found = train(lm, PAIRS, options, watch=watch)
    assert found.log[-1].loss < found.log[0].loss
    before, after = found.drift
    assert (before.chosen, before.rejected, before.change) == (0.0, 0.0, 0.0)
    assert after.margin > 0
    assert after.rejected < 0 or objective in ("dpo", "ipo")
    if objective == "apo_zero":
        assert after.chosen > 0
    if objective == "apo_down":
        assert after.chosen < 0
    assert np.isfinite(after.bits_per_byte)
    assert after.change != 0
    fresh = train(lm, PAIRS, replace(options, steps=1), watch=Watch(PAIRS, TEXTS))
    assert fresh.drift[0].bits_per_byte == before.bits_per_byte


def test_the_first_step_of_apo_down_leaves_the_chosen_alone() -> None:
    """At the start only the difference pulls: chosen up and rejected down by the same."""
    lm = small_lm(dtype=torch.float64)
    first = train(lm, PAIRS, replace(OPTIONS, steps=1, objective="apo_down"))
    assert first.log[0].loss == pytest.approx(1.0)
    assert first.log[0].rewards_margins == pytest.approx(0.0, abs=1e-6)


CHILD = """
import sys
sys.path[:0] = [{tests!r}]
import torch
torch.set_num_threads(1)
from preferences import PAIRS, small_lm
from test_training import OPTIONS, TEXTS
from dataclasses import replace
from pyfastlm.preference import Watch, train
from pyfastlm.preference.steps import Run
import os, signal
usual = Run.keep
def keep(self, run, done):
    usual(self, run, done)
    if done == 3:
        os.kill(os.getpid(), signal.SIGKILL)
Run.keep = keep
options = replace(OPTIONS, checkpoint_every=2, rank={rank})
train(small_lm(), PAIRS, options, {directory!r}, watch=Watch(PAIRS, TEXTS, every=1))
"""


@pytest.mark.parametrize("rank", [None, pytest.param(4, marks=pytest.mark.slow)])
def test_killed_and_called_again_it_ends_with_the_same_weights(lm, rank, tmp_path) -> None:
    options = replace(OPTIONS, checkpoint_every=2, rank=rank)
    watch = Watch(PAIRS, TEXTS, every=1)
    whole = train(lm, PAIRS, options, watch=watch)
    script = CHILD.format(tests=str(Path(__file__).parents[2]), rank=rank, directory=str(tmp_path / "run"))
    script = script.replace(
        "import torch\n", f"sys.path.insert(0, {str(Path(__file__).parent)!r})\nimport torch\n", 1
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == -signal.SIGKILL
    resumed = train(lm, PAIRS, options, tmp_path / "run", watch=watch)
    assert resumed.resumed_step == 2
    assert torch.equal(weights(resumed.lm), weights(whole.lm))
    assert resumed.log == whole.log
    assert resumed.drift == whole.drift
    lines = (tmp_path / "run/log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    finished = train(lm, PAIRS, options, tmp_path / "run", watch=watch)
    assert finished.resumed_step == 6
    assert torch.equal(weights(finished.lm), weights(whole.lm))


@pytest.mark.parametrize("rank", [None, 4])
def test_stopped_by_a_key_it_goes_on_to_the_same_weights(lm, rank, tmp_path, monkeypatch) -> None:
    options = replace(OPTIONS, checkpoint_every=2, rank=rank)
    whole = train(lm, PAIRS, options)
    usual = Run.keep

    def keep(run, directory, done) -> None:
        usual(run, directory, done)
        if done == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Run, "keep", keep)
        with pytest.raises(KeyboardInterrupt):
            train(lm, PAIRS, options, tmp_path / "run")
    resumed = train(lm, PAIRS, options, tmp_path / "run")
    assert resumed.resumed_step == 2
    assert torch.equal(weights(resumed.lm), weights(whole.lm))
    assert resumed.log == whole.log


def test_a_run_of_other_arguments_is_refused(lm, tmp_path) -> None:
    options = replace(OPTIONS, steps=1)
    train(lm, PAIRS, options, tmp_path / "run")
    with pytest.raises(InputError, match="holds a run"):
        train(lm, PAIRS[:4], options, tmp_path / "run")
    with pytest.raises(InputError, match="objective"):
        train(lm, PAIRS, replace(options, objective="dpo"), tmp_path / "run")
    (weights_file,) = tmp_path.glob("run/checkpoint-*/learned.safetensors")
    weights_file.write_bytes(b"no tensors")
    with pytest.raises(InputError, match="resume"):
        train(lm, PAIRS, options, tmp_path / "run")
    assert train(lm, PAIRS, options, tmp_path / "run", resume=False).resumed_step == 0


def test_metrics_are_those_of_trl() -> None:
    given = trl_losses.answers(6, seed=3)
    _, expected = trl_losses.paired("apo_zero", given, 0.3)
    policy, reference = (PairLogps(*logps.sum(1).chunk(2)) for logps in (given.policy, given.reference))
    found = metrics(policy, reference, 0.3).named()
    assert len(found) == 6
    for name, value in found.items():
        assert value == pytest.approx(expected[name], abs=1e-6), name


def test_references_are_kept_and_only_read_again(lm, tmp_path) -> None:
    path = tmp_path / "reference.parquet"
    found = precompute(lm, PAIRS, path)
    tokens = encode(lm.tokenizer, PAIRS)
    np.testing.assert_allclose(np.concatenate(found), plain_logps(lm.model, tokens).detach(), rtol=1e-5)
    made = path.stat().st_mtime_ns
    again = precompute(lm, PAIRS, path)
    assert path.stat().st_mtime_ns == made
    assert all(np.array_equal(a, b) for a, b in zip(found, again, strict=True))
    rows = [*trl_rows(PAIRS, found)]
    assert rows[2]["ref_rejected_logps"] == found.ref_rejected_logps[2]
    trained = train(lm, PAIRS, replace(OPTIONS, steps=1), references=path)
    assert trained.log[0].loss == pytest.approx(1.0)
    with pytest.raises(InputError, match=r"path: .* is of another model or of other pairs"):
        precompute(lm, PAIRS[:3], path)
    with pytest.raises(InputError, match=r"path: .* is of another model or of other pairs"):
        precompute(small_lm(seed=1), PAIRS, path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match="path: cannot read"):
        precompute(lm, PAIRS, path)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"objective": "kto"}, "objective: expected one of"),
        ({"steps": 0}, "steps: expected at least 1"),
        ({"pairs_at_once": 0}, "pairs_at_once: expected at least 1"),
        ({"rank": 0}, "rank: expected at least 1, or None"),
        ({"beta": 0.0}, "beta: expected"),
        ({"lr": float("nan")}, "lr: expected"),
        ({"weight_decay": -1.0}, "weight_decay: expected"),
    ],
)
def test_wrong_options(options, said) -> None:
    with pytest.raises(InputError, match=said):
        TrainingOptions(**({"steps": 1} | options))


def test_wrong_watch_and_a_rate_that_is_too_high(lm) -> None:
    with pytest.raises(InputError, match="every: expected at least 1"):
        Watch(PAIRS, every=0)
    with pytest.raises(InputError, match="lr: the loss is"):
        train(lm, PAIRS, replace(OPTIONS, lr=1e30, objective="ipo", warmup=0))
