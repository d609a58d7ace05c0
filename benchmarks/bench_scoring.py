"""Scoring real documents with SmolLM2-135M beside the ways people do it now; equal results asserted.

    python -m pytest -s benchmarks/bench_scoring.py --benchmark-json=out.json

504 documents in 14 languages and scripts, of log-normal length (most have 20 to 100 tokens, the longest over
2,000), float32, all cores. One pass takes minutes, so there are two rounds; quote ratios within one run, on a
machine that does nothing else. Every peer gets the tokens ready-made except the harness and pyfastlm, which
tokenize for themselves. PYFASTLM_BENCH_DOCUMENTS sets another number of documents.
"""

import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import corpus
import harness
import pytest
import torch
import torch.nn.functional as F
from rates import least
from torch import Tensor

from pyfastlm.lm import LM, Scorer, load

TESTS = Path(corpus.__file__).parent
pytestmark = [pytest.mark.timeout(0), pytest.mark.filterwarnings("default")]
DOCUMENTS = int(os.environ.get("PYFASTLM_BENCH_DOCUMENTS", "504"))
SHAPE = {"median_bytes": 150.0, "sigma": 1.2}


@cache
def lm() -> LM:
    return load("smollm2")


@cache
def texts() -> list[str]:
    if reason := corpus.missing():
        pytest.skip(reason)
    return corpus.documents(DOCUMENTS, **SHAPE)


@cache
def sequences() -> list[Tensor]:
    """Prefix token and tokens of each document."""
    tokenizer = lm().tokenizer
    return [torch.tensor([tokenizer.bos_token_id, *tokenizer.encode(text)]) for text in texts()]


@cache
def scorer() -> Scorer:
    return Scorer(lm())


def pyfastlm() -> list[float]:
    return [score.logp for score in scorer().rolling(texts())]


def batched(batches: Iterator[list[int]], score: Callable[[Tensor], Tensor]) -> list[float]:
    """Scores by document; ``score`` gives the loss of each token of a batch, padded on the right by -100."""
    results = [0.0] * len(sequences())
    for batch in batches:
        padded = torch.nn.utils.rnn.pad_sequence(
            [sequences()[i] for i in batch], batch_first=True, padding_value=-100
        )
        for i, losses in zip(batch, score(padded), strict=True):
            results[i] = -float(losses.double().sum())
    return results


def full_logits(padded: Tensor) -> Tensor:
    """Causal attention never looks at what is padded on the right, so no mask is needed."""
    logits = lm().model(padded[:, :-1].clamp(min=0), use_cache=False).logits
    # Flat, because over a strided dimension cross_entropy is slower and far less exact.
    return F.cross_entropy(logits.flatten(0, 1), padded[:, 1:].flatten(), reduction="none").view(
        len(padded), -1
    )


def chunked_head(padded: Tensor) -> Tensor:
    """The best plain torch does: padding left out before the projection, logits of 512 rows at a time."""
    model = lm().model
    hidden = model.model(padded[:, :-1].clamp(min=0), use_cache=False).last_hidden_state
    targets = padded[:, 1:]
    real = targets != -100
    losses = torch.zeros(targets.shape)
    parts = zip(hidden[real].split(512), targets[real].split(512), strict=True)
    losses[real] = torch.cat([F.cross_entropy(model.lm_head(h), t, reduction="none") for h, t in parts])
    return losses


def one_by_one() -> Iterator[list[int]]:
    yield from ([i] for i in range(len(sequences())))


def as_they_come(size: int) -> Iterator[list[int]]:
    order = range(len(sequences()))
    yield from (list(order[start : start + size]) for start in range(0, len(order), size))


def buckets(tokens: int) -> Iterator[list[int]]:
    """Sorted by length; at most ``tokens`` tokens in a batch, padding included."""
    batch: list[int] = []
    for i in sorted(range(len(sequences())), key=lambda i: -len(sequences()[i])):
        if batch and len(sequences()[batch[0]]) * (len(batch) + 1) > tokens:
            yield batch
            batch = []
        batch.append(i)
    yield batch


PEERS: dict[str, Callable[[], list[float]]] = {
    "pyfastlm": pyfastlm,
    "one_document_at_a_time": lambda: batched(one_by_one(), full_logits),
    "padded_batches_of_8": lambda: batched(as_they_come(8), full_logits),
    "sorted_buckets_1024": lambda: batched(buckets(1024), full_logits),
    "sorted_buckets_2048": lambda: batched(buckets(2048), full_logits),
    "sorted_buckets_2048_chunked_head": lambda: batched(buckets(2048), chunked_head),
    "lm_eval_batch_1": lambda: harness.rolling(lm(), texts(), batch_size=1),
    "lm_eval_batch_8": lambda: harness.rolling(lm(), texts(), batch_size=8),
}


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.benchmark(group="score documents")
@torch.inference_mode()
def test_scoring(benchmark, capsys: pytest.CaptureFixture[str], peer: str) -> None:
    scorer(), sequences()
    logps = benchmark.pedantic(PEERS[peer], rounds=2)
    tokens = sum(len(sequence) - 1 for sequence in sequences())
    if peer != "pyfastlm":
        for ours, theirs, sequence in zip(reference(), logps, sequences(), strict=True):
            assert math.isclose(
                ours, theirs, abs_tol=1e-3 + harness.HARNESS_ROUNDING * len(sequence), rel_tol=0
            )
    rate = tokens / least(benchmark)
    benchmark.extra_info.update(documents=len(logps), tokens=tokens, tokens_per_second=rate)
    with capsys.disabled():
        print(f"\n{peer}: {rate:,.0f} scored tokens/s, {tokens:,} tokens in {len(logps)} documents")


@cache
def reference() -> list[float]:
    return pyfastlm()


PAIRS = 64


def pairs() -> list[tuple[str, str]]:
    """Questions of 150 to 500 tokens with eight answers each."""
    long = [text for text in texts() if len(text) > 300][: PAIRS // 8]
    return [(text[:-60], text[-60 + 6 * n : -50 + 6 * n]) for text in long for n in range(8)]


CONDITIONAL: dict[str, Callable[[], list[float]]] = {
    "pyfastlm": lambda: [score.logp for score in scorer().conditional(pairs())],
    "pyfastlm, nothing shared": lambda: [scorer().conditional([pair])[0].logp for pair in pairs()],
    "lm_eval_batch_8": lambda: [logp for logp, _ in harness.conditional(lm(), pairs(), batch_size=8)],
}


@pytest.mark.parametrize("peer", CONDITIONAL)
@pytest.mark.benchmark(group="score eight continuations of each context")
def test_conditional(benchmark, peer: str) -> None:
    expected = CONDITIONAL["pyfastlm"]()
    logps = benchmark.pedantic(CONDITIONAL[peer], rounds=2)
    assert all(math.isclose(a, b, abs_tol=2e-3, rel_tol=0) for a, b in zip(expected, logps, strict=True))


MATRIX = ("aten::mm", "aten::addmm", "aten::bmm", "pyfastlm::linear", "pyfastlm::linear_logp")
ATTENTION = ("aten::_scaled_dot_product_flash_attention_for_cpu", "pyfastlm::varlen_attention")


def test_where_the_time_goes(capsys: pytest.CaptureFixture[str]) -> None:
    from torch.profiler import ProfilerActivity, profile

    some = texts()[::6]
    scorer().rolling(some)
    with profile(activities=[ProfilerActivity.CPU]) as recorded:
        scorer().rolling(some)
    times = {event.key: event.self_cpu_time_total for event in recorded.key_averages()}
    total = sum(times.values())
    share = {key: time / total for key, time in times.items()}
    rest = sorted(set(times) - {*MATRIX, *ATTENTION}, key=lambda key: -times[key])[:6]
    with capsys.disabled():
        print(f"\nmatrix products {sum(share.get(key, 0.0) for key in MATRIX):.1%}", end="")
        print(f" (last projection with its loss {share.get('pyfastlm::linear_logp', 0.0):.1%})", end="")
        print(f", attention {sum(share.get(key, 0.0) for key in ATTENTION):.1%}; of the rest ", end="")
        print(", ".join(f"{key.removeprefix('aten::')} {share[key]:.1%}" for key in rest))


CHILD = """
import sys
sys.path.insert(0, sys.argv[2])
import corpus
from pyfastlm.lm import Scorer
scores = Scorer("smollm2").rolling(corpus.documents(int(sys.argv[1]), median_bytes=40.0, sigma=1.0))
assert len(scores) == int(sys.argv[1])
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


def peak_mib(documents: int) -> float:
    """Peak resident memory of a fresh process that scores so many documents."""
    command = [sys.executable, "-c", CHILD, str(documents), str(TESTS)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(done.stdout) / 1024


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")
def test_peak_memory_is_flat(capsys: pytest.CaptureFixture[str]) -> None:
    few, many = peak_mib(500), peak_mib(5_000)
    with capsys.disabled():
        print(f"\npeak RSS: {few:,.0f} MiB for 500 documents, {many:,.0f} MiB for 5,000")
    assert many <= 1.1 * few
