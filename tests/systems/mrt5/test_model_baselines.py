"""The gates without weights: right in each row, whatever else is in the batch; pads never count."""

import math

import pytest
import torch
from mrt5_cases import BATCH, example, make

from pyfastlm.mrt5.gate import SEPARATORS


def fixed_by_hand(ids: list[int], amount: float) -> list[bool]:
    """Segment by segment: which survive."""
    kept: list[bool] = []
    start = 0
    for end in range(1, len(ids) + 1):
        if end == len(ids) or ids[end] in SEPARATORS:
            size = end - start
            survivors = math.ceil((1 - amount) * size)
            kept += [i < survivors for i in range(size)]
            start = end
    return kept


def test_separators() -> None:
    wanted = {1, 12, 13, *range(35, 51), *range(61, 68), *range(94, 100), *range(126, 130)}
    assert set(SEPARATORS) == wanted
    assert {ord(c) + 3 for c in " !/:@[`{~\t\n"} <= wanted  # white space and punctuation


@pytest.mark.parametrize("amount", [0.0, 0.3, 0.5, 0.7, 0.9, 1.0])
@torch.no_grad()
def test_fixed(amount: float) -> None:
    model = make(deletion_type="fixed", fixed_deletion_amount=amount)
    ids, mask, labels = example()
    ids[0, 3:5] = 35  # two segments of one space each, and a row that starts with one
    ids[1, 0] = 35
    ids[4, 25] = 1
    output = model(ids, labels=labels)
    for b, length in enumerate(BATCH):
        assert output.keep[b, :length].tolist() == fixed_by_hand(ids[b, :length].tolist(), amount)
    scale = model.config.sigmoid_mask_scale
    assert torch.equal(output.gate_values, torch.where(output.keep, 0.0, scale))
    assert not output.keep[~mask].any()
    assert output.gate_logits is None
    soft = model(ids, labels=labels, hard_delete=False)
    assert torch.equal(soft.keep, output.keep)
    assert not torch.equal(soft.logits, output.logits) or amount in (0, 1)


@torch.no_grad()
def test_random() -> None:
    model = make(
        deletion_type="random",
        random_deletion_probability=0.4,
        num_layers=1,
        num_decoder_layers=1,
        delete_gate_layer=0,
    )
    lengths = torch.tensor([400, 100, 30, 1])
    mask = torch.arange(400) < lengths[:, None]
    ids = torch.randint(3, 259, mask.shape).masked_fill(~mask, 0)
    fractions, places = [], torch.zeros(400)
    for seed in range(100):
        model.deletion_generator = torch.Generator().manual_seed(seed)
        keep = model.encoder(ids).keep
        assert not keep[~mask].any()
        fractions.append(1 - keep.sum(1) / lengths)
        places += ~keep[0]
    found = torch.stack(fractions)
    assert abs(float(found[:, 0].mean()) - 0.4) < 0.025
    assert abs(float(found[:, 0].std()) - 0.05) < 0.015
    assert abs(float(found[:, 1].mean()) - 0.4) < 0.025
    assert (found[:, 3] == 0).all()  # int(0.4 * 1)
    assert float(torch.corrcoef(found[:, :2].T)[0, 1]) < 0.3  # each row draws its own
    half = places.view(2, 200).mean(1)
    assert abs(float(half[0] - half[1])) < 5  # no place is preferred: about 40 each


@torch.no_grad()
def test_random_is_reproducible() -> None:
    model = make(deletion_type="random", random_deletion_probability=0.5)
    ids, _, labels = example()

    def keep(seed: int) -> torch.Tensor:
        model.deletion_generator = torch.Generator().manual_seed(seed)
        return model(ids, labels=labels).keep

    assert torch.equal(keep(1), keep(1))
    assert not torch.equal(keep(1), keep(2))
    model.deletion_generator = None
    torch.manual_seed(1)
    one = model(ids, labels=labels).keep
    torch.manual_seed(1)
    assert torch.equal(model(ids, labels=labels).keep, one)


@pytest.mark.parametrize("probability", [0.0, 1.0])
@torch.no_grad()
def test_random_at_the_ends(probability: float) -> None:
    model = make(deletion_type="random", random_deletion_probability=probability)
    ids, mask, labels = example()
    model.deletion_generator = torch.Generator().manual_seed(0)
    output = model(ids, labels=labels)
    fraction = 1 - float(output.n_kept.sum() / mask.sum())
    assert abs(fraction - probability) < 0.1
    assert output.loss.isfinite()
