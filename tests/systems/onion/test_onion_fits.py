"""Fits of interventions and probes on a copier that has learned a little task, and how they are scored."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch
from copiers import LONGEST, SYMBOLS, learned, small_model, small_task, some_sequences
from hypothesis import given, settings
from hypothesis import strategies as st

from pyfastlm.errors import InputError
from pyfastlm.onion import Sequences, Share, evaluate, update_gates
from pyfastlm.onion.descent import descend, rest
from pyfastlm.onion.interventions import LinearBigram, LinearUnigram, Onion, fit_intervention
from pyfastlm.onion.probes import GRUProbe, LinearProbe, MLPProbe, PeelingProbe, fit_probe
from pyfastlm.onion.scoring import exact, shares


@pytest.fixture(scope="module")
def pair() -> Any:
    """A task, and a model that has learned it."""
    return learned()


def same_weights(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))


# Fits of interventions


def test_the_onion_is_found_where_its_control_fails(pair: Any) -> None:
    task, model = pair
    before = [p.clone() for p in model.parameters()]
    reports = []
    for scale in (True, False):
        onion = Onion(model.config, scale=scale)
        fitted = fit_intervention(
            onion,
            model,
            task,
            steps=250,
            batch_size=128,
            learning_rate=3e-2,
            cooldown=0.3,
            evaluate_every=100,
        )
        assert fitted.intervention is onion
        assert not onion.training
        assert [point.step for point in fitted.curve] == [100, 200, 250]
        assert (fitted.lengths, fitted.edits) == ("all", "one")
        assert fitted.curve[0].loss > fitted.curve[-1].loss
        assert scale or bool((onion.gamma == 1).all() and (onion.lin == 0).all())
        reports.append(evaluate(model, task, onion))
        assert fitted.curve[-1].accuracy == pytest.approx(reports[-1].scores.taught.share, abs=0.15)
    assert all(torch.equal(a, b) and b.grad is None for a, b in zip(before, model.parameters(), strict=True))
    (onion, control), identity = (r.scores.taught.share for r in reports), reports[0].identity.taught.share
    assert onion > control + 0.1
    assert control > identity


@pytest.mark.parametrize("kind", [LinearUnigram, LinearBigram, Onion])
def test_every_intervention_runs_under_every_condition(pair: Any, kind: Any) -> None:
    task, model = pair
    for lengths in ("all", "max"):
        for edits in ("one", "half"):
            settings_: Any = {"lengths": lengths, "edits": edits}
            fitted = fit_intervention(kind(model.config), model, task, steps=2, batch_size=8, **settings_)
            assert (fitted.lengths, fitted.edits) == (lengths, edits)
            report = evaluate(model, task, fitted.intervention, n=20, **settings_)
            assert (report.lengths, report.edits, report.n) == (lengths, edits, 20)
            assert math.isnan(fitted.fall)
            assert not fitted.converged


def test_own_conditions_are_those_of_the_paper(pair: Any) -> None:
    task, model = pair
    own = {LinearUnigram: ("max", "half"), LinearBigram: ("max", "one"), Onion: ("all", "one")}
    for kind, condition in own.items():
        report = evaluate(model, task, kind(model.config), n=8)
        assert (report.lengths, report.edits) == condition


@pytest.mark.parametrize("kind", [LinearUnigram, LinearBigram])
def test_a_linear_fit_improves_and_keeps_its_rotation_orthogonal(pair: Any, kind: Any) -> None:
    task, model = pair
    found = kind(model.config)
    fitted = fit_intervention(found, model, task, steps=150, learning_rate=1e-2, evaluate_every=50)
    assert fitted.curve[-1].loss < fitted.curve[0].loss
    q = found.rotation().detach()
    assert float((q @ q.T - torch.eye(len(q))).abs().max()) < 1e-5


def test_the_seed_decides_a_fit_and_torch_s_stream_goes_on(pair: Any) -> None:
    task, model = pair
    torch.manual_seed(2)
    expected = torch.rand(1)
    torch.manual_seed(2)
    fits = [
        fit_intervention(LinearUnigram(model.config), model, task, steps=3, batch_size=16, seed=seed)
        for seed in (0, 0, 1)
    ]
    assert torch.equal(torch.rand(1), expected)
    assert same_weights(fits[0].intervention, fits[1].intervention)
    assert not same_weights(fits[0].intervention, fits[2].intervention)


def test_a_fit_refuses_what_does_not_fit(pair: Any) -> None:
    task, model = pair
    config = model.config
    for changes, words in (
        ({"size": 3}, "intervention: expected size, n_symbols and max_len"),
        ({"max_len": 3}, "intervention: expected size, n_symbols and max_len"),
    ):
        with pytest.raises(InputError, match=words):
            fit_intervention(Onion(dataclasses.replace(config, **changes)), model, task, steps=1)
    with pytest.raises(InputError, match="task: expected n_symbols and max_len of the model"):
        fit_intervention(Onion(config), model, small_task(max_len=3, n_train=100, n_valid=20), steps=1)
    for wrong in (
        {"steps": 0},
        {"evaluate_every": 0},
        {"learning_rate": 0.0},
        {"learning_rate": math.inf},
        {"weight_decay": -1.0},
        {"cooldown": 1.5},
        {"mask_rate": 0.0},
        {"batch_size": 0},
        {"lengths": "most"},
        {"edits": "none"},
    ):
        with pytest.raises(InputError, match=f"{next(iter(wrong))}: expected"):
            fit_intervention(Onion(config), model, task, **({"steps": 1} | wrong))
    with pytest.raises(InputError, match="batch: expected an even number"):
        fit_intervention(LinearUnigram(config), model, task, steps=1, batch_size=7)
    with pytest.raises(InputError, match="learning_rate: the loss is nan at step"):
        fit_intervention(Onion(config), model, task, steps=9, learning_rate=1e30)


# Convergence


def test_a_curve_rests_when_its_last_fifth_is_no_lower_than_the_one_before() -> None:
    assert rest([5.0] * 50) == (0.0, True)
    falling = [100.0 - step for step in range(50)]
    fall, converged = rest(falling)
    assert fall == pytest.approx(10 / np.mean(falling[30:40]))
    assert not converged
    assert rest([3.0] * 30 + [1.0] * 10 + [0.981] * 10)[1]
    assert not rest([3.0] * 30 + [1.0] * 10 + [0.979] * 10)[1]
    assert rest([0.002] * 40 + [0.0011] * 10)[1]  # less than 0.001 nats
    assert rest([0.0] * 10) == (0.0, True)
    assert rest([1.0] * 9)[1] is False


def test_the_rate_falls_over_the_last_steps_and_those_do_not_count_as_rest() -> None:
    """AdamW moves a parameter with a steady slope by the rate at each step."""
    place = torch.nn.Parameter(torch.zeros(1))
    held = torch.nn.Parameter(torch.ones(1), requires_grad=False)
    slow = torch.nn.Parameter(torch.zeros(1))
    path: list[float] = []

    def loss() -> tuple[torch.Tensor, torch.Tensor]:
        path.append(place.item())
        return 100 + place.sum(), slow.sum()

    descent = descend(
        [(place, 1.0), (held, 1.0), (slow, 0.25)], loss, lambda: 0.5, steps=50, learning_rate=1.0,
        weight_decay=0.0, cooldown=0.4, evaluate_every=20, progress=False,
    )  # fmt: skip
    moves = -np.diff([*path, place.item()])
    np.testing.assert_allclose(moves, [1.0] * 30 + [1 - step / 20 for step in range(20)], atol=1e-4)
    assert [point.step for point in descent.curve] == [20, 40, 50]
    assert descent.curve[1].loss == pytest.approx(100 + np.mean(path[20:40]))
    assert descent.fall == pytest.approx(6 / (100 + np.mean(path[18:24])))
    assert not descent.converged
    assert held.item() == 1
    assert slow.item() == pytest.approx(0.25 * place.item(), abs=1e-3)


def test_only_the_logits_of_a_mask_have_a_rate_of_their_own(pair: Any) -> None:
    _, model = pair
    for kind in (LinearUnigram, Onion):
        found = kind(model.config)
        rates = dict(found.rated(7.0))
        assert {id(p) for p in rates} == {id(p) for p in found.parameters()}
        own = [p for p, rate in rates.items() if rate != 1.0]
        assert len(own) == (kind is LinearUnigram)
        assert kind is Onion or own[0] is found.mask.logits


# Scores


def test_whole_sequences_are_right_only_if_every_real_token_is() -> None:
    truth = Sequences(torch.tensor([[1, 2, 0], [1, 2, 3], [4, 0, 0]]), torch.tensor([2, 3, 1]))
    said = torch.tensor([[1, 2, 4], [1, 2, 0], [3, 0, 0]])
    assert exact(said, truth).tolist() == [True, False, False]
    assert shares(torch.tensor([True, False, True]), torch.tensor([2, 2, 0]), 4) == (
        Share(1, 1), Share(0, 0), Share(1, 2), Share(0, 0),
    )  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 5000), part=st.floats(0, 1))
def test_the_interval_is_wilson_s(n: int, part: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    hits = round(part * n)
    wanted = stats.binomtest(hits, n).proportion_ci(method="wilson")
    assert Share(hits, n).interval == pytest.approx((wanted.low, wanted.high), abs=1e-9)
    assert math.isnan(Share(0, 0).share)
    assert math.isnan(Share(0, 0).interval[0])


@pytest.mark.parametrize("no_input", [False, True])
def test_scores_of_a_model_are_those_counted_by_hand(no_input: bool) -> None:
    model = small_model(no_input=no_input, seed=1)
    data = Sequences(*some_sequences(60, seed=2))
    report = evaluate(model, data)
    taught = free = tokens = free_tokens = 0
    by_place = [0] * LONGEST
    for row, length in zip(data.tokens, data.lengths.tolist(), strict=True):
        real = row[None, :length]
        state = model.encode(real, torch.tensor([length]))
        said = model.decode(state, real, torch.tensor([length])).argmax(-1)
        alone = model.generate(state, torch.tensor([length]))
        taught += bool((said == real).all())
        free += bool((alone == real).all())
        tokens += int((said == real).sum())
        free_tokens += int((alone == real).sum())
        for place in range(length):
            by_place[place] += bool(said[0, place] == real[0, place])
    scores = report.scores
    assert taught == free > 0  # a run of right tokens reads the true ones
    assert scores.taught == scores.free == Share(taught, 60)
    total = int(data.lengths.sum())
    assert (scores.tokens, scores.free_tokens) == (Share(tokens, total), Share(free_tokens, total))
    assert [share.hits for share in scores.by_place] == by_place
    assert [share.n for share in scores.by_length] == [0, 15, 15, 15, 15]
    assert sum(share.hits for share in scores.by_length) == taught
    assert report.identity is None
    assert (report.edits, report.changed, scores.by_edit) == ("none", Share(0, 60), ())


def test_doing_nothing_is_right_where_nothing_changed(pair: Any) -> None:
    """On a model that makes no mistake, one in V by one new token; hardly ever by swaps of half."""
    task, model = pair
    whole = evaluate(model, task)
    right = task.valid.rows(torch.arange(len(task.valid)))
    report = evaluate(model, right, edits="one", seed=1)
    assert report.identity == report.scores
    assert report.n == len(right)
    unchanged = report.n - report.changed.hits
    assert report.scores.taught.hits <= unchanged + 2
    assert report.scores.taught.hits >= unchanged - (whole.scores.taught.n - whole.scores.taught.hits)
    assert sum(share.n for share in report.scores.by_edit) == report.n
    half = evaluate(model, right, edits="half", lengths="max")
    assert half.scores.taught.share < 0.2


def test_sequences_longer_than_in_training_can_be_scored(pair: Any) -> None:
    task, model = pair
    report = evaluate(model, task.longer(1, n=30))
    assert report.scores.by_length[-1].n == 30
    assert evaluate(model, task.longer(1, n=30), Onion(model.config)).n == 30


def test_all_interventions_meet_the_same_corruptions(pair: Any) -> None:
    task, model = pair
    data = Sequences(task.train.tokens.repeat(5, 1), task.train.lengths.repeat(5))  # more than one batch
    for edits in ("one", "half"):
        found: Any = [
            evaluate(model, data, kind(model.config), lengths="all", edits=edits)
            for kind in (LinearUnigram, LinearBigram, Onion)
        ]
        assert found[0].identity == found[1].identity == found[2].identity
        assert found[0].n == len(data)
        assert found[2].whole.hits == 0


def test_donors_that_are_the_whole_original_are_counted(pair: Any) -> None:
    task, model = pair
    bigram = LinearBigram(model.config)
    for length in (1, 2, 3, 4):
        data = task.train.of_length(length)
        whole = evaluate(model, data, bigram, lengths="all").whole
        if length < 3:
            assert whole.share == 1.0
        elif length == 3:
            assert 1 / 3 < whole.share < 0.7  # the middle one of three, and others by chance
        else:
            assert 0 < whole.share < 0.4


def test_an_odd_sequence_is_left_out_of_swaps(pair: Any) -> None:
    task, model = pair
    assert evaluate(model, task, edits="half", n=9).n == 8
    assert evaluate(model, task, edits="one", n=9).n == 9


def test_evaluation_refuses_what_does_not_fit(pair: Any) -> None:
    task, model = pair
    onion = Onion(model.config)
    with pytest.raises(InputError, match="edits: expected 'own', 'one' or 'half' for an intervention"):
        evaluate(model, task, onion, edits="none")
    with pytest.raises(InputError, match="lengths: expected 'own', 'all', 'max', got 'short'"):
        evaluate(model, task, lengths="short")
    with pytest.raises(InputError, match="n: expected at least 1"):
        evaluate(model, task, n=0)
    with pytest.raises(InputError, match="n: expected at least 2"):
        evaluate(model, task, edits="half", n=1)
    with pytest.raises(InputError, match="intervention: expected size"):
        evaluate(small_model(size=3), task, onion)
    wrong = Sequences(torch.tensor([[SYMBOLS]]), torch.tensor([1]))
    with pytest.raises(InputError, match="data: expected symbols below 5"):
        evaluate(model, wrong)


# Probes

PROBES: list[Any] = [
    LinearProbe,
    MLPProbe,
    PeelingProbe,
    GRUProbe,
    lambda config: GRUProbe(config, no_input=True),
]


@pytest.mark.parametrize("make", PROBES)
def test_probes_read_only_the_tokens_before(make: Any) -> None:
    probe = make(small_model().config).double()
    tokens, lengths = some_sequences(8)
    torch.manual_seed(0)
    states = torch.randn(8, 7).double()
    logits = probe.decode(states, tokens, lengths)
    assert logits.shape == (8, LONGEST, SYMBOLS)
    changed = tokens.clone()
    changed[:, 1] = (changed[:, 1] + 1) % SYMBOLS
    again = probe.decode(states, changed, lengths)
    assert torch.equal(logits[:, :2], again[:, :2])
    taught = logits.argmax(-1)
    free = probe.generate(states, lengths)
    real = torch.arange(LONGEST) < lengths[:, None]
    assert (free[~real] == 0).all()
    assert torch.equal(free[:, 0], taught[:, 0])
    said = probe.decode(states, free, lengths).argmax(-1)  # taught by its own words it says the same
    assert torch.equal(said[real], free[real])


def test_peeling_is_the_loop_of_the_paper() -> None:
    probe = PeelingProbe(small_model().config).double()
    with torch.no_grad():
        for parameter in (probe.gamma, probe.lin, probe.g, probe.b):
            parameter.add_(torch.rand_like(parameter))
    tokens, lengths = some_sequences(6)
    h = torch.rand(6, 7).double()
    logits = probe.decode(h, tokens, lengths)
    for place in range(LONGEST):
        torch.testing.assert_close(logits[:, place], probe.read(h))
        size = probe.g * probe.gamma**place + place * probe.lin + probe.b
        h = h - probe.embedding.weight[tokens[:, place]] * size


@pytest.mark.parametrize("make", PROBES)
def test_probes_learn(pair: Any, make: Any) -> None:
    task, model = pair
    fitted = fit_probe(
        make(model.config), model, task, steps=60, batch_size=128, learning_rate=1e-2, evaluate_every=20
    )
    assert [point.step for point in fitted.curve] == [20, 40, 60]
    assert fitted.curve[-1].loss < fitted.curve[0].loss
    assert fitted.scores.tokens.share > 2 / SYMBOLS
    assert fitted.scores.taught == fitted.scores.free
    assert fitted.scores.by_place[0].n == len(task.valid)
    assert all(p.grad is None for p in model.parameters())
    assert not fitted.probe.training


def test_a_probe_of_another_shape_is_refused(pair: Any) -> None:
    task, model = pair
    with pytest.raises(InputError, match="probe: expected size, n_symbols and max_len"):
        fit_probe(LinearProbe(small_model(size=3).config), model, task, steps=1)
    with pytest.raises(InputError, match="hidden: expected at least 1"):
        MLPProbe(model.config, hidden=0)


# Gates


@pytest.mark.parametrize("no_input", [False, True])
def test_update_gates_are_those_of_the_formula(no_input: bool) -> None:
    model = small_model(no_input=no_input)
    data = Sequences(*some_sequences(12))
    found = update_gates(model, data, 3)
    rnn = model.rnn
    total = torch.zeros(6, 7).double()
    rows = data.of_length(3)
    for row in rows.tokens[:, :3]:
        heard = torch.cat([torch.tensor([SYMBOLS]), row[:-1]])
        h = torch.zeros(7).double()
        for step, token in enumerate([*row, *(torch.full((3,), SYMBOLS + 1) if no_input else heard)]):
            x = model.embedding.weight[token]
            gates = rnn.weight_ih_l0 @ x + rnn.bias_ih_l0 + rnn.weight_hh_l0 @ h + rnn.bias_hh_l0
            total[step] += (1 - torch.sigmoid(gates[7:14])).detach()
            h = rnn(x[None], h[None])[1][0].detach()
    np.testing.assert_allclose(found.update, (total / 3).numpy())
    reading = found.update[:3].mean(axis=0)
    assert (np.diff(reading[found.order]) <= 0).all()
    assert found.n == 3
    assert update_gates(model, data, 3, n=2).n == 2
    with pytest.raises(InputError, match="length: expected that of some sequence"):
        update_gates(model, data, 9)
