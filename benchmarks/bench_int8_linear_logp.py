"""ops.int8_linear_logp beside float32 and torch's dynamic int8; near results asserted before timing.

    OMP_NUM_THREADS=1 PYFASTLM_NUM_THREADS=1 python -m pytest benchmarks/bench_int8_linear_logp.py \
        --benchmark-timer=time.process_time --benchmark-json=out.json

The last layer of SmolLM2-135M. Torch's quantised logits are held whole, or a few rows at a time.
"""

from collections.abc import Callable
from functools import cache

import pytest
import torch
import torch.nn.functional as F
from bench_int8_linear import torch_dynamic
from rates import least
from torch import Tensor

from pyfastlm.ops import int8_linear_logp, int8_rows, int8_weight, linear_logp

pytestmark = [pytest.mark.timeout(0), pytest.mark.filterwarnings("default")]
ROWS, DIM, VOCAB = 1024, 576, 49152
TOLERANCE = 0.1  # nats, of the mean size of an error where logits are of size 1

Run = Callable[[], Tensor]


@cache
def inputs() -> tuple[Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    hidden = torch.randn(ROWS, DIM, generator=random)
    weight = torch.randn(VOCAB, DIM, generator=random) / DIM**0.5
    return hidden, weight, torch.randint(0, VOCAB, (ROWS,), generator=random)


@cache
def exact() -> Tensor:
    return linear_logp(*inputs()).logp


def ours(hidden: Tensor, weight: Tensor, targets: Tensor) -> Run:
    packed = int8_weight(weight)
    return lambda: int8_linear_logp(hidden, packed, targets).logp


def prepared(sum_bits: int) -> Callable[[Tensor, Tensor, Tensor], Run]:
    def make(hidden: Tensor, weight: Tensor, targets: Tensor) -> Run:
        rows, packed = int8_rows(hidden, sum_bits=sum_bits), int8_weight(weight, sum_bits=sum_bits)
        return lambda: int8_linear_logp(rows, packed, targets).logp

    return make


def in_float32(hidden: Tensor, weight: Tensor, targets: Tensor) -> Run:
    return lambda: linear_logp(hidden, weight, targets).logp


def torch_int8(rows: int, gather: bool = False) -> Callable[[Tensor, Tensor, Tensor], Run]:
    """Quantised logits of ``rows`` at a time; a log-softmax and a gather, or the cross entropy of both."""

    def make(hidden: Tensor, weight: Tensor, targets: Tensor) -> Run:
        logits = torch_dynamic("onednn")(weight)

        def part(h: Tensor, t: Tensor) -> Tensor:
            if gather:
                return logits(h).log_softmax(1).gather(1, t[:, None])[:, 0]
            return -F.cross_entropy(logits(h), t, reduction="none")

        return lambda: torch.cat(
            [part(h, t) for h, t in zip(hidden.split(rows), targets.split(rows), strict=True)]
        )

    return make


PEERS: dict[str, Callable[[Tensor, Tensor, Tensor], Run]] = {
    "pyfastlm": ours,
    "pyfastlm_prepared_sums_of_32_bits": prepared(32),
    "pyfastlm_prepared_sums_of_16_bits": prepared(16),
    "float32_pyfastlm": in_float32,
    "torch_int8_log_softmax_gather": torch_int8(ROWS, gather=True),
    "torch_int8_cross_entropy": torch_int8(ROWS),
    "torch_int8_row_chunks_128": torch_int8(128),
}


@pytest.mark.parametrize("peer", PEERS)
@torch.inference_mode()
def test_forward(benchmark, peer: str) -> None:
    benchmark.group = f"{ROWS} x {DIM} x {VOCAB}"
    run = PEERS[peer](*inputs())
    error = (run() - exact()).abs().mean().item()
    assert error < TOLERANCE
    benchmark.extra_info["error_nats"] = error
    benchmark.pedantic(run, rounds=5, warmup_rounds=1)
    benchmark.extra_info["gops"] = 2.0 * ROWS * DIM * VOCAB / least(benchmark) / 1e9
