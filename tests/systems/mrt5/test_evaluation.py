"""Evaluation: its sums by hand, equal deletion for the baselines, and nothing that it changes."""

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch
from tiny_mrt5 import open_gate, tiny_data, tiny_mrt5

from pyfastlm.errors import InputError
from pyfastlm.mrt5 import DeletionController, MrT5ForConditionalGeneration, evaluate, train
from pyfastlm.mrt5.examples import Example, Listed, collate
from pyfastlm.mrt5.report import COLUMNS
from pyfastlm.mrt5.variants import Segments, variant
from pyfastlm.mrt5.vocabulary import encode

ALL: Any = ("full", "soft", "hard", "hard+bias", "random", "fixed")


def gated(**changes: Any) -> MrT5ForConditionalGeneration:
    return open_gate(tiny_mrt5(**changes))


def by_hand(
    model: MrT5ForConditionalGeneration, examples: list[Example], hard: bool
) -> tuple[float, int, int]:
    """Nats, targets and kept ids, one example at a time in float64."""
    wide, nats, targets, kept = copy.deepcopy(model).double().eval(), 0.0, 0, 0
    for example in examples:
        batch = collate([example])
        with torch.no_grad():
            output = wide(**batch, hard_delete=hard)
        logp = output.logits.log_softmax(-1)[0]
        nats -= sum(float(logp[t, label]) for t, label in enumerate(example.labels))
        targets += len(example.labels)
        kept += int(output.keep.sum())
    return nats, targets, kept


@pytest.mark.parametrize("hard", [False, True])
def test_sums_by_hand(hard: bool) -> None:
    model, data = gated(), tiny_data()
    report = evaluate(model, data, modes=["hard" if hard else "soft"], batch_size=3)
    examples = data.examples(0, range(len(data)))
    for language in (None, "en", "zh"):
        chosen = [e for e in examples if language is None or e.language == language]
        nats, targets, kept = by_hand(model, chosen, hard)
        row = report.row("hard" if hard else "soft", language)
        assert row.nats == pytest.approx(nats, rel=1e-5)
        assert row.targets == targets
        assert row.bits_per_byte == pytest.approx(nats / targets / math.log(2), rel=1e-5)
        total = sum(len(e.input_ids) for e in chosen)
        assert row.deleted == pytest.approx(1 - kept / total)
        assert row.length == pytest.approx(kept / len(chosen))
        assert row.examples == len(chosen)
        assert row.seconds_per_example > 0
    assert len(report.rows) == 3


def test_every_mode_is_what_it_says() -> None:
    model, data = gated(), tiny_data()
    report = evaluate(model, data, modes=ALL, control=tiny_mrt5(seed=4, deletion_type=None))
    assert list(dict.fromkeys(row.mode for row in report.rows)) == [*ALL, "control"]
    bits = {mode: report.row(mode).bits_per_byte for mode in (*ALL, "control")}
    assert len(set(bits.values())) == len(bits)
    for mode in ("full", "control"):
        assert report.row(mode).deleted == 0
    hard = report.row("hard")
    assert report.row("soft").deleted == report.row("hard+bias").deleted == hard.deleted
    assert 0.1 < hard.deleted < 0.9
    assert all(len(cells) == len(COLUMNS) for cells in report.cells())
    kept_bias = evaluate(variant(model, keep_gate_bias=True), data, modes=["hard"])
    assert kept_bias.row("hard").nats == hard.nats  # "hard" is the same whatever the model is set to
    plain = variant(model, deletion_type=None)
    assert evaluate(plain, data, modes=["full"]).row("full").nats == report.row("full").nats


def test_baselines_delete_as_much() -> None:
    model = gated()
    texts = [
        "One word after the other, and a few commas; then nothing." * 3,
        "Un mot, puis un autre, et la fin.",
    ]
    rows = [Example(encode(text), encode("x"), "") for text in texts * 40]
    report = evaluate(model, Listed(rows), modes=["hard", "random", "fixed"], batch_size=16)
    deleted = report.row("hard").deleted
    assert report.row("random").deleted == pytest.approx(deleted, abs=0.03)
    assert report.row("fixed").deleted == pytest.approx(deleted, abs=0.06)


def test_random_goes_by_the_seed() -> None:
    model, data = gated(), tiny_data()
    torch.manual_seed(0)
    first = evaluate(model, data, modes=["hard", "random"], seed=1)
    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    again = evaluate(model, data, modes=["hard", "random"], seed=1)
    assert torch.equal(torch.random.get_rng_state(), state)
    other = evaluate(model, data, modes=["hard", "random"], seed=2)
    assert first.row("random").nats == again.row("random").nats != other.row("random").nats
    assert first.row("hard").nats == other.row("hard").nats


def test_batches_do_not_change_the_numbers() -> None:
    model = gated()
    rng = np.random.default_rng(0)
    rows = [
        Example(encode(bytes(rng.integers(32, 127, n))), encode(bytes(rng.integers(32, 127, 1 + n % 5))), "x")
        for n in (1, 30, 4, 17, 60, 2, 9)
    ]
    one = evaluate(model, Listed(rows), batch_size=1)
    many = evaluate(model, Listed(rows), batch_size=7)
    for a, b in zip(one.rows, many.rows, strict=True):
        assert (a.mode, a.deleted, a.length) == (b.mode, b.deleted, b.length)
        assert a.nats == pytest.approx(b.nats, rel=1e-5)


def test_nothing_is_changed() -> None:
    model, data = gated(), tiny_data()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for training in (True, False):
        model.train(training)
        evaluate(model, data, modes=ALL)
        assert model.training == training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_evaluation_cannot_move_the_controller() -> None:
    """Training with evaluations in between ends where training alone does."""
    pi = DeletionController(0.5, ki=0.1, alpha=0.1)
    outcomes = []
    for between in (False, True):
        model = gated()
        first = train(model, tiny_data(), steps=4, batch_size=2, controller=pi)
        if between:
            evaluate(model, tiny_data(), modes=ALL)
        second = train(model, tiny_data(), steps=4, batch_size=2, controller=first.controller)
        assert second.controller is not None
        outcomes.append((second.controller.state_dict(), [entry.loss for entry in second.log]))
    assert outcomes[0] == outcomes[1]


# Variants


def test_a_variant_shares_the_weights() -> None:
    model = gated()
    twin = variant(model, deletion_type="fixed", fixed_deletion_amount=0.5)
    assert twin.config.deletion_type == "fixed"
    assert model.config.deletion_type == "scaled_sigmoid"
    assert not twin.training
    assert twin.lm_head.weight.data_ptr() == model.lm_head.weight.data_ptr()
    assert not [name for name, tensor in twin.state_dict().items() if tensor.is_meta]
    assert not [name for name, _ in twin.named_buffers() if _.is_meta]
    with pytest.raises(InputError, match="fixed_deletion_amount"):
        variant(model, deletion_type="fixed", fixed_deletion_amount=2.0)


def test_segments_know_what_fixed_deletes() -> None:
    rows = [encode("ab cdefg, h"), encode("  xyz\n12345678 ")]
    segments = Segments()
    segments.add(rows)
    for amount in (0.0, 0.25, 0.5, 0.9):
        model = tiny_mrt5(deletion_type="fixed", fixed_deletion_amount=amount).eval()
        batch = collate([Example(ids, ids[-1:]) for ids in rows])
        with torch.no_grad():
            keep = model(**batch, hard_delete=True).keep
        deleted = 1 - float(keep.sum()) / sum(map(len, rows))
        found = segments.amount(deleted)
        again = tiny_mrt5(deletion_type="fixed", fixed_deletion_amount=found).eval()
        with torch.no_grad():
            assert torch.equal(again(**batch, hard_delete=True).keep, keep)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"modes": ["soft", "half"]}, "modes: expected some of full, soft, .*, got 'half'"),
        ({"modes": ["control"]}, "modes: expected some of"),
        ({"modes": []}, "modes: expected at least one"),
        ({"modes": ["random"]}, "modes: 'random' deletes as much as 'hard' did; add 'hard'"),
        ({"batch_size": 0}, "batch_size: expected at least 1"),
        ({"seed": -1}, "seed: expected at least 0"),
    ],
)
def test_mistakes(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        evaluate(gated(), tiny_data(), **changes)


def test_a_model_without_a_gate_has_only_full() -> None:
    model = tiny_mrt5(deletion_type=None)
    with pytest.raises(
        InputError, match="modes: 'soft' needs a gate that learned, and deletion_type is None"
    ):
        evaluate(model, tiny_data())
    report = evaluate(model, tiny_data(), modes=["full"])
    assert report.row("full").deleted == 0
    with pytest.raises(KeyError):
        report.row("soft")
