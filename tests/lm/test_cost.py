"""What scoring costs: work counted right, rates that add up, fleets that lose workers."""

import json

import pytest
import torch
from architectures import build
from jobs import write
from tiny import SENTENCES, save_tiny_lm

from pyfastlm.cli.app import run
from pyfastlm.errors import InputError
from pyfastlm.lm import Scorer
from pyfastlm.lm.cost import (
    Fleet,
    TextWork,
    bound,
    measure_rates,
    model_work,
    predict,
    simulate,
    text_work,
)
from pyfastlm.lm.cost.block import Block


def macs_of_a_forward(model, tokens: int) -> int:
    """Multiplications that torch counts in all matrix products but those of attention."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, tokens, dtype=torch.int64), use_cache=False)
    counts = counter.get_flop_counts()["Global"]
    return sum(count for op, count in counts.items() if str(op) in ("aten.mm", "aten.addmm")) // 2


@pytest.mark.parametrize("name", ["Llama", "GPT2", "GPTNeoX", "Qwen2"])
def test_products_are_those_that_torch_counts(name):
    model = build(name, {}).model
    work = model_work(model)
    assert (work.trunk_macs + work.head_macs) * 7 == macs_of_a_forward(model, 7)
    assert work.parameters == sum(each.numel() for each in model.parameters())
    assert work.weight_bytes == 4 * work.parameters
    assert model_work(model.config) == work  # without weights


def test_texts_are_counted_as_they_are_read():
    lm = build("Llama", {})
    texts = [*SENTENCES, SENTENCES[0] * 40, ""]
    for longest in (16, 128):
        found = text_work(lm, texts, max_length=longest)
        scorer = Scorer(lm, max_length=longest)
        scores = scorer.rolling(texts)
        assert found.tokens == sum(score.n_tokens for score in scores)
        assert found.bytes == sum(score.n_bytes for score in scores)
        read = [min(s.n_tokens, longest) for s in scores for _ in range(s.n_windows)]
        assert found.read == sum(read)
        assert found.pairs == sum(n * (n + 1) / 2 for n in read)
    many = found.of(10 * len(texts))
    assert many == TextWork(*(10 * each for each in vars(found).values()))
    with pytest.raises(InputError, match="texts: expected at least one that is not empty"):
        text_work(lm, [""])


def test_a_block_reads_what_its_products_do():
    config = build("Llama", {}).model.config
    one, two = (Block(config, layers).reads() for layers in (1, 2))
    assert two - one == {32: 3, 48: 1}  # queries, keys and values share; so do gate and up


@pytest.mark.parametrize("precision", ["model", "int8"])
@pytest.mark.parametrize("name", ["Llama", "GPT2"])
def test_rates_are_measured_for_every_part(name, precision):
    config = build(name, {}).model.config
    work = model_work(config)
    rates = measure_rates(config, work, precision=precision, seconds=0.01)
    assert dict(rates.products).keys() == dict(work.products).keys()
    assert all(each > 0 for _, each in rates.products)
    assert rates.head > 0
    assert (rates.rows > 0) == (precision == "int8")
    texts = TextWork(documents=2, bytes=500, tokens=100, read=110, pairs=3000)
    found = predict(work, rates, texts)
    parts = (found.products, found.rows, found.attention, found.rest, found.head)
    assert found.seconds == pytest.approx(sum(parts))
    assert found.tokens_per_second == pytest.approx(100 / found.seconds)
    twice = predict(work, rates, texts.of(4))
    assert twice.seconds == pytest.approx(2 * found.seconds)


def test_a_precision_that_is_none():
    config = build("Llama", {}).model.config
    with pytest.raises(InputError, match="precision: expected one of model, int8, got 'int4'"):
        measure_rates(config, model_work(config), precision="int4")


def test_the_bound_of_a_device():
    work = model_work(build("Llama", {}).model)
    texts = TextWork(1, 100, 50, 50, 1275)
    macs = 50 * (work.trunk_macs + work.head_macs) + 1275 * work.pair_macs
    assert bound(work, texts, flops=1e9, bandwidth=1e30) == pytest.approx(2 * macs / 1e9)
    slow = bound(work, texts, flops=1e30, bandwidth=1e6, tokens_per_batch=25)
    assert slow == pytest.approx(2 * work.weight_bytes / 1e6)


def test_a_fleet_without_failures_shares_the_work():
    fleet = Fleet(workers=4, start=10.0, failures=0.0, link=1e12)
    found = simulate(fleet, 40, 6.0, part_bytes=1e3, weight_bytes=0, spread=0.0, seed=0)
    assert found.seconds == pytest.approx(10 + 10 * 6.0)
    assert found.busy == pytest.approx(240 / (4 * 70))
    assert (found.lost, found.failures, found.read, found.bound) == (0, 0, 40e3, "workers")
    few = simulate(fleet, 2, 6.0, part_bytes=1e3, weight_bytes=0, spread=0.0, seed=0)
    assert few.seconds == pytest.approx(16.0)


def test_failures_cost_what_they_should():
    """A part of time t that is begun anew until it lasts takes (exp(rate t) - 1) / rate, and waits."""
    rate, part = 2 / 3600, 600.0
    fleet = Fleet(workers=1, start=0.0, failures=2.0, link=1e12)
    found = simulate(fleet, 20_000, part, part_bytes=1.0, weight_bytes=1.0, spread=0.0, seed=1)
    expected = 20_000 * (torch.tensor(rate * part).exp().item() - 1) / rate
    assert found.seconds == pytest.approx(expected, rel=0.02)
    assert found.lost + found.busy == pytest.approx(1.0)
    assert found.read == 20_000 + found.failures * 2 + 1
    assert found == simulate(fleet, 20_000, part, part_bytes=1.0, weight_bytes=1.0, spread=0.0, seed=1)


def test_a_store_that_cannot_give_more():
    fleet = Fleet(workers=100, start=0.0, failures=0.0, link=10.0)
    found = simulate(fleet, 100, 1.0, part_bytes=50.0, weight_bytes=0.0, spread=0.5, seed=0)
    assert found.bound == "link"
    assert found.seconds == pytest.approx(500.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 0}, "workers: expected at least 1"),
        ({"workers": 1, "start": -1.0}, "start: expected a number >= 0"),
        ({"workers": 1, "failures": float("nan")}, "failures: expected a number >= 0"),
        ({"workers": 1, "link": 0.0}, "link: expected a number > 0"),
    ],
)
def test_no_such_fleet(options, message):
    with pytest.raises(InputError, match=message):
        Fleet(**options)


def test_the_command(tmp_path, capsys):
    save_tiny_lm(tmp_path / "lm")
    write(tmp_path / "texts.jsonl", [*SENTENCES])
    asked = ["estimate", str(tmp_path / "texts.jsonl"), "--model", str(tmp_path / "lm"), "--documents", "1e6"]
    assert run([*asked, "--models", "3", "--workers", "50", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["sample"]["documents"] == len(SENTENCES)
    assert found["one_model"]["tokens"] == pytest.approx(found["sample"]["tokens"] * 1e6 / len(SENTENCES))
    assert found["fleet"]["seconds"] > 3 * found["one_model"]["tokens"] / found["tokens_per_second"] / 50
    assert run(asked) == 0
    assert "1,000,000 documents" in capsys.readouterr().out
    (tmp_path / "none.jsonl").write_text("{}\n")
    assert run(["estimate", str(tmp_path / "none.jsonl"), "--model", str(tmp_path / "lm")]) == 2
    assert "inputs: expected at least one document" in capsys.readouterr().err
