"""Corruptions and the three interventions, each against the formula of the paper written out row by row."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from copiers import LONGEST, SYMBOLS, small_model, small_task, some_sequences
from hypothesis import given, settings
from hypothesis import strategies as st

from pyfastlm.errors import InputError
from pyfastlm.onion import CopierConfig, Sequences
from pyfastlm.onion.interventions import (
    Corrupted,
    Intervention,
    LinearBigram,
    LinearUnigram,
    Onion,
    corrupt,
    load_intervention,
    replace_one,
    save_intervention,
    swap,
)
from pyfastlm.onion.interventions.corruption import chosen_lengths
from pyfastlm.onion.interventions.masks import HardMask
from pyfastlm.onion.interventions.rotation import Rotation

ROUNDED: Any = {"atol": 2e-6, "rtol": 0}  # rotations begin in single precision
CONFIG = small_model().config
KINDS: dict[str, Callable[..., Intervention]] = {
    "unigram": LinearUnigram,
    "bigram": LinearBigram,
    "onion": Onion,
}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(rows: int, seed: int = 0) -> Sequences:
    return Sequences(*some_sequences(rows, seed))


def crisp(kind: str, seed: int = 3) -> Any:
    """An intervention in double precision whose mask has every variable, and which is not at its start."""
    found = KINDS[kind](CONFIG, seed=seed).double().eval()
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(seed)
        for parameter in found.parameters():
            parameter.add_(torch.randn_like(parameter))
    return found


# Corruptions


@settings(max_examples=25, deadline=None)
@given(rows=st.integers(1, 9), seed=st.integers(0, 99))
def test_one_place_within_the_length_is_drawn_anew(rows: int, seed: int) -> None:
    data = batch(rows, seed)
    found = replace_one(data, SYMBOLS, generator(seed))
    assert (found.edited.sum(dim=1) == 1).all()
    assert (found.edited <= data.real).all()
    assert torch.equal(found.tokens[~found.edited], data.tokens[~found.edited])
    assert found.partner is None


def test_places_and_symbols_are_uniform() -> None:
    n = 20_000
    data = Sequences(torch.zeros(n, LONGEST, dtype=torch.int64), torch.full((n,), LONGEST))
    found = replace_one(data, SYMBOLS, generator())
    for counts in (found.edited.sum(dim=0), torch.bincount(found.tokens[found.edited])):
        expected = n / len(counts)
        assert ((counts - expected).abs() < 5 * expected**0.5).all()  # same by chance in one of V


@settings(max_examples=25, deadline=None)
@given(pairs=st.integers(1, 6), seed=st.integers(0, 99), p=st.sampled_from([0.0, 0.5, 1.0]))
def test_swaps_are_between_pairs_and_never_of_pads(pairs: int, seed: int, p: float) -> None:
    data = batch(2 * pairs, seed)
    found = swap(data, generator(seed), p=p)
    partner = found.partner
    assert partner is not None
    rows = torch.arange(2 * pairs)
    assert torch.equal(partner[partner], rows)
    assert (partner != rows).all()
    assert torch.equal(found.edited, found.edited[partner])
    for row in range(2 * pairs):
        other = int(partner[row])
        common = min(int(data.lengths[row]), int(data.lengths[other]))
        assert not found.edited[row, common:].any()
        assert p != 1.0 or found.edited[row, :common].all()
        assert p != 0.0 or not found.edited[row].any()
        for place in range(LONGEST):
            source = other if found.edited[row, place] else row
            assert found.tokens[row, place] == data.tokens[source, place]


def test_half_of_the_places_are_swapped() -> None:
    n = 20_000
    data = Sequences(torch.zeros(n, LONGEST, dtype=torch.int64), torch.full((n,), LONGEST))
    assert abs(float(swap(data, generator()).edited.double().mean()) - 0.5) < 5 * (0.25 / (n * 2)) ** 0.5


def test_wrong_conditions_are_refused() -> None:
    with pytest.raises(InputError, match="batch: expected an even number of rows"):
        corrupt(batch(3), "half", SYMBOLS)
    with pytest.raises(InputError, match="edits: expected 'one' or 'half', got 'two'"):
        corrupt(batch(2), "two", SYMBOLS)
    with pytest.raises(InputError, match="lengths: expected 'all' or 'max', got 'min'"):
        chosen_lengths(batch(2), "min", LONGEST)
    with pytest.raises(InputError, match="there is no sequence of 4 symbols"):
        chosen_lengths(batch(2), "max", LONGEST)
    assert set(chosen_lengths(batch(9), "max", LONGEST).lengths.tolist()) == {LONGEST}


# Their parts


@pytest.mark.parametrize("training", [True, False])
def test_a_mask_is_one_hot(training: bool) -> None:
    torch.manual_seed(0)
    mask = HardMask(6, 3).train(training)
    found = mask()
    assert found.shape == (6, 4)
    assert set(found.unique().tolist()) == {0.0, 1.0}
    assert (found.sum(dim=1) == 1).all()
    assert torch.equal(mask(), found) != training  # another sample, or always the likeliest
    if training:
        (found * torch.arange(4.0)).sum().backward()
        assert (mask.logits.grad != 0).all()  # straight through
    else:
        assert torch.equal(found.argmax(dim=1), mask.logits.argmax(dim=1))


def test_samples_of_a_mask_come_as_often_as_the_softmax_says() -> None:
    torch.manual_seed(0)
    mask = HardMask(20_000, 2)
    with torch.no_grad():
        mask.logits[:] = torch.tensor([0.2, 0.5, 0.3]).log()
    share = mask().detach().mean(dim=0)
    torch.testing.assert_close(share, torch.tensor([0.2, 0.5, 0.3]), atol=0.02, rtol=0)


def test_the_penalty_prefers_none() -> None:
    mask = HardMask(5, 3)
    logits = mask.logits.detach()
    assert mask.penalty().item() == pytest.approx(float(logits[:, :3].mean() - logits[:, 3].mean()), abs=1e-7)
    linear = LinearUnigram(CONFIG)
    assert linear.penalty().item() == pytest.approx(1e-3 * linear.mask.penalty().item(), abs=1e-9)
    assert Onion(CONFIG).penalty().item() == 0.0


def test_a_rotation_stays_orthogonal_over_many_steps() -> None:
    size = 48
    torch.manual_seed(0)
    rotation = Rotation(size)
    first = rotation().detach()
    optimizer = torch.optim.AdamW(rotation.parameters(), lr=1e-2, weight_decay=0.1)
    for _ in range(1500):
        loss = (rotation() * torch.randn(size, size)).sum()  # another direction each time
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    last = rotation().detach()
    assert float((last @ last.T - torch.eye(size)).abs().max()) < 1e-5
    assert float((last - first).abs().max()) > 0.1


def test_a_rotation_begins_anywhere_orthogonal() -> None:
    rotation = Rotation(3)
    wanted = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
    rotation.begin_at(wanted)
    torch.testing.assert_close(rotation(), wanted)
    with pytest.raises(InputError, match="proj: expected an orthogonal matrix"):
        rotation.begin_at(2 * wanted)


# Edits


@pytest.mark.parametrize("edits", ["one", "half"])
@pytest.mark.parametrize("kind", ["unigram", "bigram"])
def test_linear_edits_are_the_interchange_written_out(kind: str, edits: Any) -> None:
    copier, found = small_model().frozen(), crisp(kind)
    corrupted = corrupt(batch(12), edits, SYMBOLS, generator())
    plan = found.plan(corrupted, generator(1))
    states = plan.encode(copier)
    q, choice = found.rotation(), found.mask.logits.argmax(dim=1)
    assert set(choice.tolist()) >= {0, 1}
    everything = torch.cat([corrupted.tokens, plan.extra.tokens])
    expected = []
    for row in range(12):
        z = q @ states[row]
        for donor, source in enumerate(plan.source.tolist()):
            if int(plan.row[donor]) != row:
                continue
            given_ = q @ states[source]
            for variable in plan.variables[donor].nonzero().flatten().tolist():
                z = torch.where(choice == variable, given_, z)
                for place in (variable,) if kind == "unigram" else (variable, variable + 1):
                    if place < corrupted.original.lengths[row]:  # the donor has it right
                        assert everything[source, place] == corrupted.original.tokens[row, place]
        expected.append(q.T @ z)
    torch.testing.assert_close(found.edit(states, plan), torch.stack(expected), **ROUNDED)


@pytest.mark.parametrize("edits", ["one", "half"])
def test_who_gives_what(edits: Any) -> None:
    data = batch(40)
    corrupted = corrupt(data, edits, SYMBOLS, generator())
    unigram, bigram = (crisp(kind).plan(corrupted, generator(1)) for kind in ("unigram", "bigram"))

    given_ = torch.zeros(40, LONGEST, dtype=torch.int64).index_add(0, unigram.row, unigram.variables.long())
    assert torch.equal(given_, corrupted.edited.long())
    assert (len(unigram.extra) == 0) == (edits == "half")
    if edits == "one":
        assert torch.equal(unigram.extra.lengths, data.lengths)
        others = ~corrupted.edited & data.real
        same = (unigram.extra.tokens == data.tokens)[others].double().mean()
        assert abs(float(same) - 1 / SYMBOLS) < 0.2  # random elsewhere

    given_ = torch.zeros(40, LONGEST - 1).long().index_add(0, bigram.row, bigram.variables.long())
    edited = corrupted.edited
    assert torch.equal(given_, (edited[:, :-1] | edited[:, 1:]).long())  # each once, and no other
    assert len(bigram.extra) == int(edited.sum())
    assert torch.equal(bigram.extra.lengths, data.lengths[bigram.row])


@pytest.mark.parametrize("kind", ["unigram", "bigram"])
def test_a_partner_that_is_the_row_itself_changes_nothing(kind: str) -> None:
    copier, found = small_model().frozen(), crisp(kind)
    corrupted = corrupt(batch(8), "half", SYMBOLS, generator())
    plan = found.plan(corrupted)
    states = plan.encode(copier)
    states[len(corrupted.tokens) :] = states[plan.row] if kind == "bigram" else 0
    plan.source.copy_(plan.row if kind == "unigram" else plan.source)
    assert torch.equal(found.edit(states, plan), states[:8])


def test_all_channels_of_all_variables_bring_back_the_other_state() -> None:
    """If every place is swapped and no channel is "none", the partner's state is the original's."""
    copier, found = small_model().frozen(), crisp("unigram")
    with torch.no_grad():
        found.mask.logits[:, -1] = -100
    data = Sequences(some_sequences(8)[0], torch.full((8,), LONGEST))
    corrupted = swap(data, generator(), p=1.0)
    repaired = found.repair(copier, corrupted)
    torch.testing.assert_close(repaired, copier.encode(data.tokens, data.lengths), **ROUNDED)


@pytest.mark.parametrize("edits", ["one", "half"])
@pytest.mark.parametrize("options", [{}, {"scale": False}, {"lin": False}])
def test_onion_edits_are_the_sum_written_out(options: dict[str, bool], edits: Any) -> None:
    copier, found = small_model().frozen(), Onion(CONFIG, **options).double()
    with torch.no_grad():
        for parameter in found.parameters():
            parameter.add_(torch.randn_like(parameter) * parameter.requires_grad)
    if options.get("scale") is False:
        assert (found.gamma == 1).all()
    if options:
        assert (found.lin == 0).all()
    corrupted = corrupt(batch(10), edits, SYMBOLS, generator())
    states = copier.encode(corrupted.tokens, corrupted.original.lengths)
    expected = states.clone()
    embedding = found.embedding.weight.detach()
    for row in range(10):
        for place in range(LONGEST):
            if corrupted.edited[row, place]:
                y, x = corrupted.original.tokens[row, place], corrupted.tokens[row, place]
                size = found.g * found.gamma**place + place * found.lin + found.b
                expected[row] += ((embedding[y].tanh() - embedding[x].tanh()) * size).detach()
    torch.testing.assert_close(found.repair(copier, corrupted), expected)


def test_an_onion_edit_of_a_token_for_itself_is_exactly_nothing() -> None:
    copier, found, data = small_model().frozen(), crisp("onion"), batch(8)
    corrupted = Corrupted(data, data.tokens, data.real, None)
    assert torch.equal(found.repair(copier, corrupted), copier.encode(data.tokens, data.lengths))


def test_what_is_held_has_no_gradient_and_the_rest_has() -> None:
    copier, corrupted = small_model().frozen(), corrupt(batch(8), "one", SYMBOLS, generator())
    for options, still in (({}, set()), ({"scale": False}, {"gamma", "lin"}), ({"lin": False}, {"lin"})):
        found = Onion(CONFIG, **options).double()
        found.repair(copier, corrupted).square().sum().backward()
        assert {name for name, p in found.named_parameters() if p.grad is None} == still


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_decides_and_torch_s_stream_goes_on(kind: str) -> None:
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    a, b, c = (KINDS[kind](CONFIG, seed=seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert any(not torch.equal(a[name], c[name]) for name in a)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="max_len: expected at least 2 for a pair"):
        LinearBigram(CopierConfig(4, 5, 1, 1))
    with pytest.raises(InputError, match="seed: expected at least 0"):
        Onion(CONFIG, seed=-1)
    longer = small_task().longer(1, n=4)
    for kind in ("unigram", "bigram"):
        with pytest.raises(InputError, match="corrupted: expected sequences of at most 4 tokens, got 5"):
            crisp(kind).plan(corrupt(longer, "one", SYMBOLS))
    with pytest.raises(InputError, match="model: expected states of 7 numbers, got 6"):
        crisp("onion").repair(small_model(size=6).frozen(), corrupt(batch(4), "one", SYMBOLS))


# Files


@pytest.mark.parametrize(
    ("kind", "options"),
    [("unigram", {}), ("bigram", {}), ("onion", {}), ("onion", {"scale": False}), ("onion", {"lin": False})],
)
def test_a_saved_intervention_edits_as_before(kind: str, options: dict[str, bool], tmp_path: Path) -> None:
    found, path = KINDS[kind](CONFIG, seed=2, **options).double().eval(), tmp_path / "edit.pt"
    save_intervention(found, path)
    back = load_intervention(path, kind, CONFIG)
    copier, corrupted = small_model().frozen(), corrupt(batch(8), "half", SYMBOLS, generator())
    pair = [each.repair(copier, corrupted, generator(1)) for each in (found, back)]
    torch.testing.assert_close(*pair, **ROUNDED)
    assert not back.training
    learned = [[p.requires_grad for p in each.parameters()] for each in (found, back)]
    assert learned[0] == learned[1]
    content = torch.load(path, weights_only=True)
    names = {"embedding", "gamma", "g", "lin", "b"} if kind == "onion" else {"proj", "mask"}
    assert set(content) == names
    if kind != "onion":
        q = content["proj"]
        torch.testing.assert_close(q @ q.T, torch.eye(7).double(), **ROUNDED)
        assert content["mask"].shape == (7, LONGEST + (kind == "unigram"))


def test_files_of_something_else_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "edit.pt"
    with pytest.raises(InputError, match="cannot read"):
        load_intervention(path, "onion", CONFIG)
    save_intervention(LinearUnigram(CONFIG), path)
    with pytest.raises(InputError, match="kind: expected one of unigram, bigram, onion, got 'onions'"):
        load_intervention(path, "onions", CONFIG)
    with pytest.raises(InputError, match="missing or unknown: 'b'"):
        load_intervention(path, "onion", CONFIG)
    with pytest.raises(InputError, match=re.escape("mask in") + r".*expected \[7, 4\], got \[7, 5\]"):
        load_intervention(path, "bigram", CONFIG)
    content = torch.load(path, weights_only=True)
    torch.save(content | {"proj": content["proj"] * 1.01}, path)
    with pytest.raises(InputError, match="is not orthogonal"):
        load_intervention(path, "unigram", CONFIG)
    with pytest.raises(InputError, match="intervention: expected one of unigram, bigram, onion, got Mine"):
        save_intervention(type("Mine", (Intervention,), {})(CONFIG), path)
