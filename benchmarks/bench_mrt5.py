"""MrT5 at the shape of ByT5-small beside itself without deletion, the original and transformers' T5.

    OMP_NUM_THREADS=1 python -m pytest -s benchmarks/bench_mrt5.py --benchmark-json=out.json

Random weights, float32, L = 1,024 bytes, 189 label bytes, hard deletion at the entry of block 3. Which bytes
are kept is decided by the gate, from the first number of their embeddings, so that each row keeps as many as
is asked for, at random places. One pass takes seconds: contenders of a group run in turns, and each turn is a
row of its own. Ratios are of CPU time; ``limit`` is the ratio of the multiplications and additions that must
be done (matrix products and attention, counted exactly, pads only where a contender computes them).

``mrt5_original.py`` is the original's computation. Equal results are asserted on a short ragged batch before,
and on what was timed. Batches are of two rows, 8 x 1,024 with PYFASTLM_BENCH_BATCH=8, and training of one; on
one thread the file takes about 12 minutes. PYFASTLM_BENCH_LENGTH sets another L, PYFASTLM_BENCH_TURNS
the number of turns.
"""

import os
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from statistics import median

import pytest
import torch
from memory import growth, in_fresh_process, linux_only
from mrt5_inputs import (
    LENGTH,
    Inputs,
    decoder_flop,
    encoder_flop,
    equal_lengths,
    flop,
    gated,
    inputs,
    languages,
    model,
    original,
    original_of,
    short,
    transformers_t5,
    without_gate,
)
from torch import Tensor

from pyfastlm.mrt5 import MrT5Config, MrT5ForConditionalGeneration
from pyfastlm.mrt5.regularizers import regularizer
from pyfastlm.mrt5.variants import variant

pytestmark = [pytest.mark.timeout(0), pytest.mark.filterwarnings("default")]
TOLERANCE = {"rtol": 1e-4, "atol": 1e-4}
TURNS = int(os.environ.get("PYFASTLM_BENCH_TURNS", "3"))


def test_flop() -> None:
    """Against the figures that were worked out by hand, in GFLOP for one sequence of 1,024 bytes."""
    config = MrT5Config()
    whole = encoder_flop(config, (1024,), (1024,)), decoder_flop(config, (1024,), 189, causal=False)
    assert [round(part / 1e9, 1) for part in (whole[0], sum(whole))] == [463.9, 503.8]
    half = encoder_flop(config, (1024,), (512,)), decoder_flop(config, (512,), 189, causal=False)
    assert round(half[0] / whole[0], 3) == 0.617
    assert round(sum(half) / sum(whole), 3) == 0.637


# Contenders.


@dataclass(frozen=True)
class Contender:
    """``run`` returns what is compared, [B, T, V] or nothing; ``flop`` that it computes."""

    run: Callable[[], Tensor | None]
    flop: float


@dataclass(frozen=True)
class Group:
    """``pairs`` (slower, faster, equal) are compared; ``equal``: so must be their results."""

    contenders: dict[str, Callable[[], Contender]]
    pairs: tuple[tuple[str, str, bool], ...]
    turns: int = TURNS


@torch.inference_mode()
def logits(made: MrT5ForConditionalGeneration, x: Inputs) -> Tensor:
    output = made(x.ids, labels=x.labels)
    if made.config.deletion_type is not None:
        assert output.n_kept.tolist() == list(x.kept)
    return output.logits


@torch.inference_mode()
def original_logits(x: Inputs) -> Tensor:
    result = original()(x.ids, x.labels)
    assert result.n_kept.tolist() == list(x.kept)
    return result.logits


@torch.inference_mode()
def transformers_logits(x: Inputs, attention: str) -> Tensor:
    return transformers_t5(attention)(x.ids, attention_mask=x.ids != 0, labels=x.labels).logits


@torch.inference_mode()
def encode(x: Inputs) -> None:
    assert model().encoder(x.ids).n_kept.tolist() == list(x.kept)


def ours(x: Callable[[], Inputs]) -> Contender:
    return Contender(partial(logits, model(), x()), flop(model().config, x()))


def peer(x: Callable[[], Inputs]) -> Contender:
    return Contender(partial(original_logits, x()), flop(model().config, x(), padded=True))


def encoder_alone(x: Callable[[], Inputs]) -> Contender:
    return Contender(partial(encode, x()), flop(model().config, x(), encoder=True))


def byt5(x: Callable[[], Inputs]) -> Contender:
    return Contender(partial(logits, without_gate(), x()), flop(without_gate().config, x()))


def hf(attention: str, x: Callable[[], Inputs]) -> Contender:
    work = flop(without_gate().config, x(), padded=True)
    return Contender(partial(transformers_logits, x(), attention), work)


@cache
def trained() -> MrT5ForConditionalGeneration:
    return gated().train()


@cache
def trained_without_gate() -> MrT5ForConditionalGeneration:
    return variant(trained(), deletion_type=None).train()


@cache
def optimizer(made: MrT5ForConditionalGeneration) -> torch.optim.Optimizer:
    return torch.optim.AdamW(made.parameters(), lr=1e-4, weight_decay=0.0)


@cache
def warm_up(made: MrT5ForConditionalGeneration) -> None:
    """The first step makes the optimizer's state."""
    step(made, inputs([(32, 1.0)], 8))


def step(made: MrT5ForConditionalGeneration, x: Inputs) -> None:
    output = made(x.ids, labels=x.labels)
    loss = output.loss
    if output.gate_values is not None:
        loss = loss + 1e-3 * regularizer(output, x.ids != 0)
    loss.backward()
    optimizer(made).step()
    optimizer(made).zero_grad()


def training(of: Callable[[], MrT5ForConditionalGeneration]) -> Contender:
    x = inputs([(LENGTH, 1.0)])
    warm_up(of())
    return Contender(partial(step, of(), x), 3 * flop(of().config, x))


def at(fraction: float) -> Callable[[], Inputs]:
    return partial(equal_lengths, fraction)


GROUPS = {
    "encoder": Group(
        {f"pyfastlm {keep:.0%}": partial(encoder_alone, at(keep)) for keep in (0.25, 1.0)},
        (("pyfastlm 100%", "pyfastlm 25%", False),),
    ),
    "whole model": Group(
        {
            f"{name} {keep:.0%}": partial(contender, at(keep))
            for keep in (0.25, 0.5, 1.0)
            for name, contender in (("pyfastlm", ours), ("original", peer))
        },
        (
            ("pyfastlm 100%", "pyfastlm 25%", False),
            *((f"original {keep}", f"pyfastlm {keep}", True) for keep in ("25%", "50%", "100%")),
        ),
    ),
    "whole model, eight languages": Group(
        {"pyfastlm": partial(ours, languages), "original": partial(peer, languages)},
        (("original", "pyfastlm", True),),
        min(TURNS, 2),
    ),
    "ByT5": Group(
        {
            "pyfastlm": partial(byt5, at(1.0)),
            "transformers sdpa": partial(hf, "sdpa", at(1.0)),
            "transformers eager": partial(hf, "eager", at(1.0)),
        },
        (("transformers sdpa", "pyfastlm", True), ("transformers eager", "pyfastlm", True)),
        min(TURNS, 2),
    ),
    "training step": Group(
        {
            "pyfastlm, no gate": partial(training, trained_without_gate),
            "pyfastlm, soft gate": partial(training, trained),
        },
        (("pyfastlm, soft gate", "pyfastlm, no gate", False),),
    ),
}


@torch.inference_mode()
def test_equal_results() -> None:
    """On rows of several lengths; hard, soft and without a gate."""
    x = short()
    torch.testing.assert_close(original_logits(x), logits(model(), x), **TOLERANCE)
    soft = model()(x.ids, labels=x.labels, hard_delete=False)
    theirs = original()(x.ids, x.labels, hard_delete=False)
    torch.testing.assert_close(theirs.logits, soft.logits, **TOLERANCE)
    assert soft.n_kept.tolist() == theirs.n_kept.tolist() == list(x.kept)
    for attention in ("sdpa", "eager"):
        torch.testing.assert_close(transformers_logits(x, attention), logits(without_gate(), x), **TOLERANCE)


# The race: CPU seconds by group and contender, one for each turn.

SECONDS: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in GROUPS}
RESULTS: dict[tuple[str, str], Tensor | None] = {}


@pytest.mark.parametrize(
    ("group", "turn", "name"),
    [
        (group, turn, name)
        for group, content in GROUPS.items()
        for turn in range(content.turns)
        for name in content.contenders
    ],
)
def test_time(benchmark, capsys: pytest.CaptureFixture[str], group: str, turn: int, name: str) -> None:
    share = name.rpartition(" ")[2]  # contenders of one group keep as much
    benchmark.group = f"{group}, {share} kept" if share.endswith("%") else group
    benchmark.extra_info["peer"] = name
    contender = GROUPS[group].contenders[name]()
    seconds = SECONDS[group][name]

    def run() -> Tensor | None:
        start = time.process_time()
        result = contender.run()
        seconds.append(time.process_time() - start)
        return result

    RESULTS[group, name] = benchmark.pedantic(run, rounds=1)
    rate = contender.flop / seconds[-1] / 1e9
    benchmark.extra_info.update(cpu_seconds=seconds[-1], flop=contender.flop, gflops=rate)
    said = f"{group}, {name}: {seconds[-1]:.2f} CPU s, {contender.flop / 1e9:,.0f} GFLOP, {rate:.1f} a second"
    for slow, fast, equal in GROUPS[group].pairs:
        if name == slow and SECONDS[group][fast]:
            ratio = seconds[-1] / SECONDS[group][fast][-1]
            limit = contender.flop / GROUPS[group].contenders[fast]().flop
            benchmark.extra_info[f"over {fast}"] = {"ratio": ratio, "limit": limit, "reached": ratio / limit}
            said += f"; {ratio:.3f} x {fast}, by FLOP {limit:.3f}"
            if equal:
                torch.testing.assert_close(RESULTS[group, slow], RESULTS[group, fast], **TOLERANCE)
    with capsys.disabled():
        print(f"\n{said}")


def test_ratios(capsys: pytest.CaptureFixture[str]) -> None:
    """Of minima, and the median of those by turn."""
    with capsys.disabled():
        print()
        for group, content in GROUPS.items():
            for slow, fast, _ in content.pairs:
                seconds = SECONDS[group][slow], SECONDS[group][fast]
                if all(seconds):
                    least = min(seconds[0]) / min(seconds[1])
                    middle = median(a / b for a, b in zip(*seconds, strict=True))
                    limit = content.contenders[slow]().flop / content.contenders[fast]().flop
                    print(f"{group}: {slow} / {fast} {least:.3f}, median {middle:.3f}, by FLOP {limit:.3f}")


def test_where_the_time_goes(capsys: pytest.CaptureFixture[str]) -> None:
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU]) as recorded:
        logits(model(), equal_lengths(0.25))
    times = {event.key: event.self_cpu_time_total for event in recorded.key_averages()}
    total = sum(times.values())
    shown = sorted(times, key=lambda key: -times[key])[:8]
    with capsys.disabled():
        print("\nkeep 25%: ", end="")
        print(", ".join(f"{key.removeprefix('aten::')} {times[key] / total:.1%}" for key in shown))


# Memory: peak resident memory that one call adds, in a fresh process for each contender. The model is small
# in all but its attention, which has ByT5-small's six heads of 64.

SMALL = {"d_model": 256, "d_ff": 512, "num_layers": 2, "num_decoder_layers": 1, "delete_gate_layer": 1}
TOKENS = LENGTH * 8
MEMORY_LENGTHS = (LENGTH, 2 * LENGTH, 4 * LENGTH)


def growth_by_length(name: str) -> list[list[float]]:
    """In a process of its own: MiB by length for the encoder forward, and forward and backward."""
    torch.set_num_threads(1)
    ours = gated(**SMALL)
    peer = original_of(ours)
    found = []
    for length in (64, *MEMORY_LENGTHS):  # the first call loads what is loaded late
        x = inputs([(length, 0.5)] * (TOKENS // length), 2)
        if name == "pyfastlm":
            forward = partial(ours.encoder, x.ids)
            both = partial(lambda x: ours.encoder(x.ids, hard_delete=False).last_hidden_state, x)
        else:
            forward = partial(peer.encoder, x.ids, True)
            both = partial(lambda x: peer.encoder(x.ids, False)[0], x)
        found.append(
            [growth(torch.inference_mode()(forward)), growth(lambda run=both: run().sum().backward())]
        )
        ours.zero_grad(), peer.zero_grad()
    return found[1:]


@linux_only
def test_memory_is_flat(capsys: pytest.CaptureFixture[str]) -> None:
    """B * L stays the same, so what is not L x L does too."""
    names = ("pyfastlm", "original")
    found = {name: in_fresh_process("bench_mrt5", "growth_by_length", name) for name in names}
    with capsys.disabled():
        print(f"\nMiB at L {MEMORY_LENGTHS}, {TOKENS:,} tokens:")
        for i, what in enumerate(("encoder forward, half kept", "forward and backward, soft")):
            for name, rows in found.items():
                print(f"{what}, {name}: {', '.join(f'{row[i]:,.0f}' for row in rows)}")
    for what in range(2):
        first, *_, last = (row[what] for row in found["pyfastlm"])
        assert last <= 1.1 * first + 1
