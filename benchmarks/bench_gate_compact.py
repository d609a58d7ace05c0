"""ops.gate_compact beside its steps one by one, equal results asserted before timing.

    OMP_NUM_THREADS=1 python -m pytest benchmarks/bench_gate_compact.py --benchmark-json=out.json

8,192 rows of 1,472 numbers (ByT5-small, a batch of eight), of which the gate keeps about half. One group is
the gate alone; in the other the projections of the next block read what it leaves, as in the model.
"""

from collections.abc import Callable
from functools import cache, partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pyfastlm.ops import Gated, compact, gate_compact, linear

pytestmark = [pytest.mark.timeout(0), pytest.mark.filterwarnings("default")]
ROWS, DIM, INNER = 8192, 1472, 3 * 384
EPS = 1e-6


class Inputs:
    def __init__(self) -> None:
        random = torch.Generator().manual_seed(0)
        self.x = torch.randn(ROWS, DIM, generator=random)
        self.weight = 3 * torch.randn(DIM, generator=random) / DIM**0.5
        self.bias = torch.zeros(1)
        self.norm, self.next_norm = (0.5 + torch.rand(DIM, generator=random) for _ in range(2))
        self.projections = torch.randn(INNER, DIM, generator=random) / DIM**0.5


@cache
def inputs() -> Inputs:
    return Inputs()


def fused(x: Inputs) -> Gated:
    return gate_compact(x.x, x.weight, x.bias, x.next_norm, norm=x.norm, eps=EPS)


def gate_of(x: Inputs, normed: Tensor, project: Callable[..., Tensor]) -> tuple[Tensor, Tensor]:
    z = project(normed, x.weight[None], x.bias).squeeze(1)
    return -30 * torch.sigmoid(-z), z


def torch_steps(x: Inputs) -> Gated:
    """The quickest that torch has for each step."""
    values, z = gate_of(x, F.rms_norm(x.x, (DIM,), x.norm, EPS), F.linear)
    index = (values > -15).nonzero().squeeze(1)
    kept = torch.index_select(x.x, 0, index)
    return Gated(values, z, index.int(), kept, F.rms_norm(kept, (DIM,), x.next_norm, EPS))


def rms_norm(x: Tensor, weight: Tensor) -> Tensor:
    return weight * (x * torch.rsqrt(x.square().mean(-1, keepdim=True) + EPS))


def own_steps(x: Inputs) -> Gated:
    """As the model did it before: its norm, and our ops."""
    values, z = gate_of(x, rms_norm(x.x, x.norm), linear)
    packed = compact(x.x[None], (values > -15)[None])
    return Gated(values, z, packed.positions, packed.values, rms_norm(packed.values, x.next_norm))


PEERS: dict[str, Callable[[Inputs], Gated]] = {
    "pyfastlm": fused,
    "ops_one_by_one": own_steps,
    "torch_one_by_one": torch_steps,
}


def check(peer: str) -> None:
    got, expected = PEERS[peer](inputs()), fused(inputs())
    assert torch.equal(got.rows, expected.rows)
    for a, b in zip(got, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("peer", PEERS)
@torch.inference_mode()
def test_gate(benchmark, peer: str) -> None:
    benchmark.group = "gate, norm and compaction"
    check(peer)
    benchmark.pedantic(partial(PEERS[peer], inputs()), rounds=21, warmup_rounds=2)


@pytest.mark.parametrize("peer", PEERS)
@torch.inference_mode()
def test_gate_and_the_next_projections(benchmark, peer: str) -> None:
    benchmark.group = "gate, norm and compaction, then the projections of the next block"
    check(peer)
    x = inputs()
    benchmark.pedantic(lambda: linear(PEERS[peer](x).normed, x.projections), rounds=11, warmup_rounds=1)
