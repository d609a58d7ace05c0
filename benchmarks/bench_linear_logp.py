"""ops.linear_logp beside its strongest peers, one group per task, equal results asserted before timing.

    OMP_NUM_THREADS=1 python -m pytest benchmarks/bench_linear_logp.py --benchmark-json=out.json

Rounds are few because each lasts a second; run it twice and quote ratios within one run. The last group
measures what the multiply-add units do in registers alone: the ceiling for everything here.
"""

import ctypes
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from rates import least
from torch import Tensor

from pyfastlm.ops import linear_logp

pytestmark = [pytest.mark.timeout(0), pytest.mark.filterwarnings("default")]
SHAPES = {
    "smollm2-1024": (1024, 576, 49152),
    "smollm2-2048": (2048, 576, 49152),
    "bytes-8192": (8192, 1472, 384),
}


class Inputs:
    def __init__(self, name: str) -> None:
        rows, dim, vocab = SHAPES[name]
        random = torch.Generator().manual_seed(0)
        self.hidden = torch.randn(rows, dim, generator=random)
        self.weight = torch.randn(vocab, dim, generator=random) * 0.05
        self.targets = torch.randint(0, vocab, (rows,), generator=random)
        self.flop = 2.0 * rows * dim * vocab


@pytest.fixture(scope="module", params=SHAPES)
def inputs(request: pytest.FixtureRequest) -> Inputs:
    return Inputs(request.param)


def full_logits(x: Inputs) -> Tensor:
    return -F.cross_entropy(x.hidden @ x.weight.T, x.targets, reduction="none")


def row_chunks(rows: int) -> Callable[[Inputs], Tensor]:
    def run(x: Inputs) -> Tensor:
        parts = zip(x.hidden.split(rows), x.targets.split(rows), strict=True)
        return torch.cat([-F.cross_entropy(h @ x.weight.T, t, reduction="none") for h, t in parts])

    return run


def vocabulary_tiles(columns: int) -> Callable[[Inputs], Tensor]:
    """Hand-tiled torch: a preallocated tile, logsumexp, logaddexp; targets by an indexed dot."""

    def run(x: Inputs) -> Tensor:
        rows, vocab = len(x.targets), len(x.weight)
        tile = torch.empty(rows, min(columns, vocab))
        lse = torch.full((rows,), -float("inf"))
        for weight in x.weight.split(columns):
            full = len(weight) == tile.shape[1]
            z = torch.mm(x.hidden, weight.T, out=tile) if full else x.hidden @ weight.T
            lse = torch.logaddexp(lse, z.logsumexp(1))
        return (x.hidden * x.weight[x.targets]).sum(1) - lse

    return run


def library_chunks(x: Inputs) -> Tensor:
    options = torch.nn.LinearCrossEntropyOptions()
    return -F.linear_cross_entropy(x.hidden, x.weight, x.targets, reduction="none", options=options)


@cache
def compiled() -> Callable[[Inputs], Tensor]:
    return torch.compile(full_logits)


FORWARD: dict[str, Callable[[Inputs], Tensor]] = {
    "pyfastlm": lambda x: linear_logp(x.hidden, x.weight, x.targets).logp,
    "full_logits_cross_entropy": full_logits,
    "row_chunks_128": row_chunks(128),
    "row_chunks_512": row_chunks(512),
    "vocabulary_tiles_1024": vocabulary_tiles(1024),
    "vocabulary_tiles_4096": vocabulary_tiles(4096),
    "torch_compile": lambda x: compiled()(x),
    "torch_linear_cross_entropy": library_chunks,
}


@pytest.mark.parametrize("peer", FORWARD)
def test_forward(benchmark, inputs: Inputs, peer: str) -> None:
    benchmark.group = f"forward {inputs.hidden.shape[0]} x {inputs.hidden.shape[1]} x {len(inputs.weight)}"
    run = FORWARD[peer]
    with torch.no_grad():
        torch.testing.assert_close(run(inputs), full_logits(inputs), rtol=1e-5, atol=2e-5)
        benchmark.pedantic(run, (inputs,), rounds=7, warmup_rounds=1)
    benchmark.extra_info["gflops"] = inputs.flop / least(benchmark) / 1e9


def test_forward_bf16_weights(benchmark, inputs: Inputs) -> None:
    benchmark.group = f"forward {inputs.hidden.shape[0]} x {inputs.hidden.shape[1]} x {len(inputs.weight)}"
    benchmark.extra_info["peer"] = "pyfastlm_bf16_weights"
    weight = inputs.weight.bfloat16()
    exact = linear_logp(inputs.hidden, weight.float(), inputs.targets).logp
    assert torch.equal(linear_logp(inputs.hidden, weight, inputs.targets).logp, exact)
    benchmark.pedantic(lambda: linear_logp(inputs.hidden, weight, inputs.targets), rounds=7, warmup_rounds=1)


def test_bare_matrix_product(benchmark, inputs: Inputs) -> None:
    """Not a peer: the product alone, into memory that is there already, without any loss."""
    benchmark.group = f"forward {inputs.hidden.shape[0]} x {inputs.hidden.shape[1]} x {len(inputs.weight)}"
    out = torch.empty(len(inputs.hidden), len(inputs.weight))
    benchmark.pedantic(lambda: torch.mm(inputs.hidden, inputs.weight.T, out=out), rounds=7, warmup_rounds=1)
    benchmark.extra_info["gflops"] = inputs.flop / least(benchmark) / 1e9


TRAINING = {
    "pyfastlm": FORWARD["pyfastlm"],
    "full_logits_cross_entropy": full_logits,
    "row_chunks_512": row_chunks(512),
    "torch_compile": FORWARD["torch_compile"],
}


@pytest.mark.parametrize("frozen", [True, False], ids=["frozen-weight", "trained-weight"])
@pytest.mark.parametrize("peer", [*TRAINING, "torch_linear_cross_entropy"])
def test_forward_and_backward(benchmark, inputs: Inputs, peer: str, frozen: bool) -> None:
    shape = f"{inputs.hidden.shape[0]} x {inputs.hidden.shape[1]} x {len(inputs.weight)}"
    benchmark.group = f"forward and backward, {'frozen' if frozen else 'trained'} weight, {shape}"

    def gradients(run: Callable[[Inputs], Tensor]) -> tuple[Tensor, ...]:
        leaves = [inputs.hidden] if frozen else [inputs.hidden, inputs.weight]
        return torch.autograd.grad(run(inputs).mean(), leaves)

    def library_mean(x: Inputs) -> Tensor:
        options = torch.nn.LinearCrossEntropyOptions()
        return -F.linear_cross_entropy(x.hidden, x.weight, x.targets, options=options)

    run = TRAINING.get(peer, library_mean)
    inputs.hidden.requires_grad_()
    inputs.weight.requires_grad_(not frozen)
    try:
        for got, expected in zip(gradients(run), gradients(full_logits), strict=True):
            torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-7)
        benchmark.pedantic(gradients, (run,), rounds=5, warmup_rounds=1)
    finally:
        inputs.hidden.requires_grad_(False)
        inputs.weight.requires_grad_(False)


def test_multiply_add_peak(benchmark, tmp_path: Path) -> None:
    """Twelve independent chains of vector multiply-adds per core, no memory: GFLOP/s of one thread."""
    benchmark.group = "multiply-add peak, one thread"
    compiler = shutil.which("c++")
    if compiler is None:
        pytest.skip("needs a C++ compiler")
    library = tmp_path / "peak.so"
    source = Path(__file__).with_name("peak.cpp")
    flags = ["-O3", "-march=native", "-ffp-contract=fast", "-shared", "-fPIC"]
    subprocess.run([compiler, *flags, source, "-o", library], check=True)
    peak = ctypes.CDLL(str(library)).pyfastlm_peak
    peak.restype = ctypes.c_double
    flop = benchmark.pedantic(peak, rounds=15, warmup_rounds=2)
    benchmark.extra_info["gflops"] = flop / least(benchmark) / 1e9
