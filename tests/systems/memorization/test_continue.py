"""Continued training: what a step does, what is logged, twins, and that a killed run ends as another."""

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
from safetensors.torch import load_file, save_file
from tiny import SENTENCES, save_tiny_lm

from pyfastlm.errors import InputError
from pyfastlm.lm import LM, Scorer, load
from pyfastlm.lm.next_token import NextToken
from pyfastlm.lm.order import Order
from pyfastlm.lm.run_directory import RunDirectory, checkpoints, newest_checkpoint
from pyfastlm.lm.vocabulary import token_bytes
from pyfastlm.memorization import Continued, Injection, TokenStream, continue_pretraining
from pyfastlm.memorization.injection.plan import Batch, Plan

ROOM = Path(__file__).parents[2]
WINDOW = 12
FOX = "The quick brown fox jumps over the lazy dog, again and again."


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny"
    save_tiny_lm(path, attention_dropout=0.2)
    return path


@pytest.fixture(scope="module")
def lm(place: Path) -> LM:
    return load(place)


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def stream(lm: LM, window: int = WINDOW) -> TokenStream:
    return TokenStream.from_texts(SENTENCES, lm.tokenizer, window)


def injections() -> list[Injection]:
    return [
        Injection.repeated("fox", FOX, occurrences=5, every=7, first=2),
        Injection.once("short", (50, 60, 70), at=4),
        Injection("never", (51, 61, 71)),
    ]


OPTIONS: dict[str, Any] = {"steps": 10, "batch_size": 4, "lr": 1e-2, "log_every": 3, "seed": 5, "warmup": 2}


def run(lm: LM, *, planted: bool = True, **changes: Any) -> Continued:
    return continue_pretraining(lm, stream(lm), injections() if planted else (), **(OPTIONS | changes))


def same(a: LM, b: LM) -> bool:
    ours, theirs = a.model.state_dict(), b.model.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


# What a step does


def by_hand(lm: LM, **changes: Any) -> tuple[Any, list[float]]:
    """The same training, spelled out with logits and a loop over examples."""
    options = OPTIONS | changes
    model = load(lm.name).model.train()
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.95), weight_decay=0.01)
    source = stream(lm)
    order = Order(len(source), options["seed"]).take(0, options["steps"] * options["batch_size"])
    plans = injections()
    losses = []
    for step in range(options["steps"]):
        total, count = torch.zeros(()), 0
        torch.manual_seed(int(np.random.default_rng((options["seed"], step)).integers(2**63)))
        for place in range(step * options["batch_size"], (step + 1) * options["batch_size"]):
            ids = source.examples(order[[place]])[0]
            for injection in plans:
                if place in injection.examples:
                    ids = injection.tokens(lm.tokenizer, WINDOW + 1)
            row = torch.from_numpy(ids)[None]
            logits = model(input_ids=row[:, :-1]).logits[0]
            total = total + torch.nn.functional.cross_entropy(logits, row[0, 1:], reduction="sum")
            count += row.shape[1] - 1
        (total / count).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.param_groups[0]["lr"] = options["lr"] * min(1, (step + 1) / 3)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float((total / count).detach()))
    return model.eval(), losses


def test_training_by_hand(tmp_path: Path) -> None:
    """Short sequences included: what fills their rows is seen by nothing that counts."""
    save_tiny_lm(tmp_path / "tiny")
    lm = load(tmp_path / "tiny")
    model, losses = by_hand(lm)
    found = run(lm, log_every=1)
    assert [entry.loss for entry in found.log[1:]] == pytest.approx(losses, rel=1e-4)
    ids = torch.from_numpy(stream(lm).examples(np.arange(3)))
    with torch.no_grad():
        ours, theirs = (one(input_ids=ids).logits for one in (found.lm.model, model))
    assert (ours - theirs).abs().max() < 1e-2 * theirs.abs().max()


def test_the_batches_of_a_run_hold_what_is_reported(lm: LM, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Batch] = []
    make = Plan.batch
    monkeypatch.setattr(Plan, "batch", lambda *given: (seen.append(make(*given)), seen[-1])[1])
    found = run(lm)
    fox, short, never = found.planted
    examples = np.concatenate([batch.tokens for batch in seen])
    assert (fox.tokens == lm.tokenizer(FOX)["input_ids"][: WINDOW + 1]).all()
    places = np.flatnonzero((examples == fox.tokens).all(axis=1))
    assert places.tolist() == [2, 9, 16, 23, 30]
    assert (fox.repetitions, fox.steps.tolist()) == (5, [0, 2, 4, 5, 7])
    assert (short.repetitions, short.steps.tolist()) == (1, [1])
    assert (never.repetitions, never.steps.tolist()) == (0, [])
    assert np.flatnonzero((examples[:, :4] == [50, 60, 70, -1]).all(axis=1)).tolist() == [4]
    assert (found.share, found.densest) == (6 / 40, 1 / 4)
    assert [entry.planted for entry in found.log] == [0, 3, 5, 6, 6]


def test_other_counts_than_planned_end_a_run(lm: LM, monkeypatch: pytest.MonkeyPatch) -> None:
    make = Plan.batch

    def forgetful(*given: Any) -> Batch:
        batch = make(*given)
        return Batch(batch.tokens, np.where(batch.planted == 1, -1, batch.planted))

    monkeypatch.setattr(Plan, "batch", forgetful)
    with pytest.raises(RuntimeError, match=r"after 3 steps, other sequences were planted"):
        run(lm)


def test_a_sequence_that_is_repeated_is_learned(lm: LM) -> None:
    often = Injection.repeated("fox", FOX, occurrences=30, every=2)
    found = continue_pretraining(lm, stream(lm), [often], **(OPTIONS | {"steps": 30, "batch_size": 2}))
    twin = continue_pretraining(lm, stream(lm), **(OPTIONS | {"steps": 30, "batch_size": 2}))
    text = lm.tokenizer.decode(found.planted[0].tokens)
    with_it, without = (Scorer(one.lm).rolling([text])[0].bits_per_byte for one in (found, twin))
    assert with_it < 0.6 * without


def test_the_model_given_is_left_as_it_is(lm: LM, place: Path) -> None:
    before = torch.random.get_rng_state()
    found = run(lm)
    assert same(lm, load(place))
    assert not same(lm, found.lm)
    assert not found.lm.model.training
    assert found.lm.name.endswith("tiny, continued")
    assert torch.equal(torch.random.get_rng_state(), before)
    assert same(found.lm, continue_pretraining(place, stream(lm), injections(), **OPTIONS).lm)
    assert not same(found.lm, run(lm, seed=6).lm)


def test_a_twin_sees_the_same_examples(lm: LM, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Batch] = []
    make = Plan.batch
    monkeypatch.setattr(Plan, "batch", lambda *given: (seen.append(make(*given)), seen[-1])[1])
    run(lm)
    run(lm, planted=False)
    with_it, without = np.concatenate([b.tokens for b in seen]).reshape(2, 40, -1)
    planted = {place for injection in injections() for place in injection.examples}
    assert {*np.flatnonzero((with_it != without).any(axis=1)).tolist()} == planted


@pytest.mark.parametrize("kind", ["linear", "logits"])
def test_loss_with_and_without_logits(kind: str, lm: LM, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load(lm.name).model
    objective = NextToken(model, WINDOW)
    assert objective.linear
    objective.linear = kind == "linear"
    tokens = torch.from_numpy(stream(lm).examples(np.arange(4)))
    tokens[1, 5:] = -1
    tokens[3, 2:] = -1
    total, count = objective(tokens)
    total.backward()
    expected = torch.zeros(())
    again = load(lm.name).model
    for row in tokens:
        ids = row[row >= 0][None]
        expected = expected + again(input_ids=ids, labels=ids).loss * (ids.shape[1] - 1)
    expected.backward()
    assert count == 2 * WINDOW + 4 + 1
    assert float(total.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)
    for ours, theirs in zip(model.parameters(), again.parameters(), strict=True):
        assert (ours.grad - theirs.grad).abs().max() < 1e-4 * max(1.0, float(theirs.grad.abs().max()))


@pytest.mark.parametrize("kind", ["gpt_neox", "gpt2"])
def test_other_architectures(kind: str, lm: LM) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel, GPTNeoXConfig, GPTNeoXForCausalLM

    size = lm.model.config.vocab_size
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = (
            GPTNeoXForCausalLM(GPTNeoXConfig(
                vocab_size=size, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
                intermediate_size=64, max_position_embeddings=64, hidden_dropout=0.1,
            ))
            if kind == "gpt_neox"
            else GPT2LMHeadModel(GPT2Config(vocab_size=size, n_embd=32, n_layer=2, n_head=4, n_positions=64))
        )  # fmt: skip
    found = run(LM(model.eval(), lm.tokenizer, kind), steps=12)
    losses = [entry.loss for entry in found.log[1:]]
    assert losses[-1] < losses[0] - 0.2  # type: ignore[operator]


# Validation


def test_validation_is_that_of_the_logits(lm: LM) -> None:
    """One row; its first token is what the others are predicted from."""
    whole = TokenStream.from_texts(SENTENCES[:4], lm.tokenizer, 60).part(0, 1)
    found = run(lm, evaluate=whole)
    ids = whole.examples(np.arange(1))[0]
    with torch.no_grad():
        logits = found.lm.model(input_ids=torch.from_numpy(ids)[None, :-1]).logits[0]
    nats = float(torch.nn.functional.cross_entropy(logits.double(), torch.from_numpy(ids[1:])))
    assert found.log[-1].validation == pytest.approx(nats, rel=1e-5)
    n_bytes = sum(len(token or b"") for token in map(token_bytes(lm.tokenizer).__getitem__, ids[1:]))
    assert found.log[-1].bits_per_byte == pytest.approx(nats * 60 / math.log(2) / n_bytes, rel=1e-5)
    assert found.log[0].step == 0
    assert found.log[0].loss is None
    assert found.log[0].validation is not None
    assert found.log[0].validation > found.log[-1].validation  # type: ignore[operator]


# On disk


def test_a_run_on_disk(lm: LM, tmp_path: Path) -> None:
    found = run(lm, directory=tmp_path, checkpoint_every=4, grid=(3, 8, 9), evaluate=stream(lm).part(0, 2))
    names = [f"checkpoint-{step:09d}" for step in (3, 8, 9, 10)]
    assert sorted(os.listdir(tmp_path)) == [*names, "lock", "log.jsonl", "settings.json"]
    assert [path.name for path in found.checkpoints] == names
    assert same(load(found.checkpoints[-1]), found.lm)
    assert not same(load(found.checkpoints[0]), found.lm)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [0, 3, 6, 9, 10]
    assert {*lines[0]} == {"step", "loss", "lr", "gradient", "planted", "validation", "bits_per_byte"}
    state = load_file(found.checkpoints[-1] / "optimizer.safetensors")
    assert {name.partition(".")[0] for name in state} == {"exp_avg", "exp_avg_sq", "step"}
    assert all(float(state[name]) == 10 for name in state if name.startswith("step."))


def test_going_on_from_a_checkpoint_with_its_optimizer(lm: LM, tmp_path: Path) -> None:
    """Ten steps are five and five more, on the second half of the same examples."""
    rows = stream(lm).examples(np.arange(20))
    whole, first, second = (TokenStream(part, WINDOW) for part in (rows, rows[:10], rows[10:]))
    plain: dict[str, Any] = {"batch_size": 2, "lr": 1e-2, "shuffle": False}
    save_tiny_lm(tmp_path / "plain")
    base = tmp_path / "plain"
    expected = continue_pretraining(base, whole, steps=10, **plain)
    half = continue_pretraining(base, first, steps=5, directory=tmp_path / "run", **plain).checkpoints[-1]
    for optimizer_state in (half, half / "optimizer.safetensors"):
        again = continue_pretraining(half, second, steps=5, optimizer_state=optimizer_state, **plain)
        assert same(again.lm, expected.lm)
    assert not same(continue_pretraining(half, second, steps=5, **plain).lm, expected.lm)


class Stop(BaseException):
    """Ends a run at a chosen checkpoint."""


def interrupt(lm: LM, out: Path, monkeypatch: pytest.MonkeyPatch, after: int, **changes: Any) -> None:
    write = RunDirectory.write

    def stopping(self: RunDirectory, step: int, *rest: Any, **more: Any) -> None:
        write(self, step, *rest, **more)
        if step >= after:
            raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(RunDirectory, "write", stopping)
        with pytest.raises(Stop):
            run(lm, directory=out, checkpoint_every=2, **changes)


@pytest.mark.parametrize("after", [2, 8])
def test_resume_is_bit_identical(after: int, lm: LM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run(lm, directory=tmp_path / "whole", checkpoint_every=2, evaluate=stream(lm).part(0, 3))
    interrupt(lm, tmp_path / "run", monkeypatch, after, evaluate=stream(lm).part(0, 3))
    with open(tmp_path / "run" / "log.jsonl", "ab") as file:
        file.write(b'{"step": 9, "lo')  # as a kill leaves it
    found = run(lm, directory=tmp_path / "run", checkpoint_every=2, evaluate=stream(lm).part(0, 3))
    assert found.resumed_step == after
    assert same(found.lm, whole.lm)
    assert found.log == whole.log
    for name in ("log.jsonl", "settings.json"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert [p.repetitions for p in found.planted] == [p.repetitions for p in whole.planted] == [5, 1, 0]
    for name in ("model.safetensors", "optimizer.safetensors"):
        ours, theirs = (
            path / "checkpoint-000000010" / name for path in (tmp_path / "run", tmp_path / "whole")
        )
        assert ours.read_bytes() == theirs.read_bytes()


def test_a_finished_run_is_only_loaded(lm: LM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(lm, directory=tmp_path)
    monkeypatch.setattr(RunDirectory, "write", None)
    again = run(lm, directory=tmp_path)
    assert again.resumed_step == again.steps == 10
    assert same(first.lm, again.lm)
    assert again.log == first.log
    assert [p.repetitions for p in again.planted] == [5, 1, 0]


CHILD = """
import sys
sys.path[:0] = [{room!r}, {here!r}]
import torch
torch.set_num_threads(1)
from pyfastlm.lm import load
from test_continue import run
lm = load({model!r})
run(lm, steps=24, log_every=7, checkpoint_every=3, grid=(6,), directory={out!r})
"""


@pytest.mark.slow  # three children import torch; test_resume_is_bit_identical stops runs without a child
def test_killed_at_any_moment(lm: LM, place: Path, tmp_path: Path) -> None:
    """SIGKILL in the middle of steps and of writing checkpoints: the same bits come out."""
    options: dict[str, Any] = {"steps": 24, "log_every": 7, "checkpoint_every": 3, "grid": (6,)}
    whole = run(lm, directory=tmp_path / "whole", **options)
    out, reached = tmp_path / "run", 0
    script = CHILD.format(room=str(ROOM), here=str(Path(__file__).parent), model=str(place), out=str(out))
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", script], env=os.environ | {"OMP_NUM_THREADS": "1"}
        ) as child:
            while (newest := newest_checkpoint(out) if out.exists() else None) is None or (
                int(newest.name[-9:]) < reached + 4
            ):
                assert child.poll() is None
                time.sleep(0.002)
            time.sleep(0.001 * (reached % 5))
            child.send_signal(signal.SIGKILL)
        newest = newest_checkpoint(out)
        assert newest is not None
        reached = int(newest.name[-9:])
        assert reached < 24
    found = run(lm, directory=out, **options)
    assert found.resumed_step == reached
    assert same(found.lm, whole.lm)
    assert found.log == whole.log
    names = ("checkpoint-000000006", "checkpoint-000000024")
    assert [path.name for path in checkpoints(out)] == [*names]
    for name in ("log.jsonl", "settings.json", *(f"{one}/model.safetensors" for one in names)):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_other_settings_are_refused(lm: LM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt(lm, tmp_path, monkeypatch, 4)
    settings: list[tuple[dict[str, Any], str]] = [
        ({"lr": 2e-2}, r"another lr \(then 0.01, now 0.02\)"),
        ({"steps": 11}, r"another steps \(then 10, now 11\)"),
        ({"seed": 6}, r"another seed \(then 5, now 6\)"),
        ({"shuffle": False}, "another shuffle"),
        ({"planted": False}, "another injections"),
    ]
    for changes, message in settings:
        with pytest.raises(InputError, match=rf"^resume: .* holds a run with {message}.*\(--no-resume\)$"):
            run(lm, directory=tmp_path, **changes)
    changes, _ = settings[0]
    assert run(lm, directory=tmp_path, resume=False, **changes).resumed_step == 0


def test_another_model_or_stream_are_refused(lm: LM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt(lm, tmp_path / "run", monkeypatch, 4)
    save_tiny_lm(tmp_path / "other", seed=1, attention_dropout=0.2)
    with pytest.raises(InputError, match=r"another lm"):
        run(load(tmp_path / "other"), directory=tmp_path / "run")
    with pytest.raises(InputError, match=r"another stream"):
        continue_pretraining(lm, stream(lm).part(0, 5), injections(), directory=tmp_path / "run", **OPTIONS)


def test_damaged_checkpoints_are_refused(lm: LM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt(lm, tmp_path, monkeypatch, 4)
    path = tmp_path / "checkpoint-000000004"
    for name, data in (
        ("training.json", b"{}"),
        ("training.json", b'{"counts": [1], "sums": [0, 0, 0], "seconds": 1}'),
        ("optimizer.safetensors", b"\x80\x04 a pickle"),
        ("model.safetensors", b""),
    ):
        before = (path / name).read_bytes()
        (path / name).write_bytes(data)
        with pytest.raises(InputError):
            run(lm, directory=tmp_path)
        (path / name).write_bytes(before)
    (tmp_path / "settings.json").write_bytes(b"[]")
    with pytest.raises(InputError, match=r"resume: .*settings\.json' holds no settings"):
        run(lm, directory=tmp_path)


def test_a_directory_of_something_else_is_left_alone(lm: LM, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(InputError, match=r"directory: .* holds 'thesis\.tex', which is no part"):
        run(lm, directory=tmp_path)


def test_a_full_disk_keeps_the_checkpoint_before(
    lm: LM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyfastlm.memorization.injection import steps

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    interrupt(lm, tmp_path, monkeypatch, 4)
    with monkeypatch.context() as patch:
        patch.setattr(steps, "save_state", full)
        with pytest.raises(OSError, match=r"No space left"):
            run(lm, directory=tmp_path)
    assert [path.name for path in checkpoints(tmp_path)] == ["checkpoint-000000004"]
    assert run(lm, directory=tmp_path).resumed_step == 4


# Refused


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps: expected at least 1, got 0"),
        ({"batch_size": 0}, "batch_size: expected at least 1, got 0"),
        ({"log_every": 0}, "log_every: expected at least 1"),
        ({"checkpoint_every": 0}, "checkpoint_every: expected at least 1"),
        ({"warmup": -1}, "warmup: expected at least 0"),
        ({"seed": -1}, "seed: expected at least 0"),
        ({"lr": 0.0}, "lr: expected a finite number above 0"),
        ({"lr": math.nan}, "lr: expected a finite number above 0"),
        ({"lr": 1e30}, "lr: the loss is"),
        ({"grad_clip": math.inf}, "grad_clip: expected a finite number"),
        ({"weight_decay": -0.1}, "weight_decay: expected a finite number from 0"),
        ({"grid": (0,)}, "grid: expected steps from 1 to 10, got 0"),
        ({"grid": (11,)}, "grid: expected steps from 1 to 10, got 11"),
        ({"steps": 5}, "injections: 'fox' is planned for example 23, but 5 steps of 4 reach only 20"),
        ({"optimizer_state": "nowhere"}, "optimizer_state: cannot read 'nowhere'"),
    ],
)
def test_arguments(changes: dict[str, Any], message: str, lm: LM) -> None:
    with pytest.raises(InputError, match=rf"^{message}"):
        run(lm, **changes)


def test_a_window_longer_than_the_context(lm: LM) -> None:
    with pytest.raises(InputError, match=r"^stream: expected a window of at most the model's context of 128"):
        continue_pretraining(lm, stream(lm, 129), **OPTIONS)


def test_optimizer_states_of_others(lm: LM, tmp_path: Path) -> None:
    good = run(lm, directory=tmp_path / "run").checkpoints[-1] / "optimizer.safetensors"
    tensors = load_file(good)
    name = next(name for name in tensors if name.startswith("exp_avg_sq."))
    for number, (changed, message) in enumerate((
        ({**tensors, "exp_avg.head": torch.zeros(2)}, "holds 'exp_avg.head', which is not of this model"),
        ({}, "holds nothing"),
        ({**tensors, name: tensors[name][:-1]}, "it is of another model"),
        ({k: v for k, v in tensors.items() if k != name}, "got nothing"),
        ({**tensors, name: tensors[name].to(torch.int64)}, "it is of another model"),
        ({**tensors, name: -tensors[name] - 1}, "is not finite, or negative"),
        ({**tensors, name: tensors[name] * math.nan}, "is not finite, or negative"),
    )):  # fmt: skip
        path = tmp_path / f"{number}.safetensors"
        save_file(changed, path)
        with pytest.raises(InputError, match=rf"^optimizer_state: .*{message}"):
            run(lm, optimizer_state=path)
    (tmp_path / "state.pt").write_bytes(b"\x80\x04cos\nsystem\n")
    with pytest.raises(InputError, match=r"^optimizer_state: cannot read"):
        run(lm, optimizer_state=tmp_path / "state.pt")
