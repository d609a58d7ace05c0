"""ops.gru_scan beside torch.nn.GRU and what else torch offers, equal results asserted before timing.

    OMP_NUM_THREADS=1 python -m pytest benchmarks/bench_gru_scan.py --benchmark-json=out.json

256 rows of 18 tokens out of 32 (nine to read and nine to say). The peers: nn.GRU over embeddings; nn.GRU over
the gates' input side, read from the same table (its input weights are then the identity's product, which it
cannot skip); and a loop of matrix products over the table, which is what skipping it means in torch. Three
groups: the states alone; with the gradients of all weights, as in training; with those of h0 only, as in an
edit of the states of a frozen model.
"""

from collections.abc import Callable
from functools import cache, partial

import pytest
import torch
from torch import Tensor

from pyfastlm.ops import gru_scan
from pyfastlm.ops.reference import gru_scan as reference

pytestmark = [pytest.mark.timeout(0), pytest.mark.filterwarnings("default")]
ROWS, STEPS, VOCAB = 256, 18, 32
SIZES = (48, 64, 128, 256, 512)


class Inputs:
    """A GRU, its embeddings, ids [B, T], h0 [B, N] and the gradient of the states [B, T, N]."""

    def __init__(self, size: int) -> None:
        torch.manual_seed(size)
        self.gru = torch.nn.GRU(size, size, batch_first=True)
        self.embedding = torch.nn.Embedding(VOCAB, size)
        self.ids = torch.randint(VOCAB, (ROWS, STEPS))
        self.h0 = torch.randn(ROWS, size).requires_grad_()
        self.grad = torch.randn(ROWS, STEPS, size) / ROWS

    @property
    def weights(self) -> list[Tensor]:
        return [*self.gru.parameters(), self.embedding.weight]

    def table(self) -> Tensor:
        return self.embedding.weight @ self.gru.weight_ih_l0.T + self.gru.bias_ih_l0


def ours(x: Inputs) -> Tensor:
    return gru_scan(x.table(), x.ids, x.gru.weight_hh_l0, x.gru.bias_hh_l0, x.h0).states


def nn_gru(x: Inputs) -> Tensor:
    states: Tensor = x.gru(x.embedding(x.ids), x.h0[None])[0]
    return states


def loop_over_table(x: Inputs) -> Tensor:
    return reference.gru_scan(x.table(), x.ids, x.gru.weight_hh_l0, x.gru.bias_hh_l0, x.h0, None)[0]


PEERS: dict[str, Callable[[Inputs], Tensor]] = {
    "pyfastlm": ours,
    "nn_gru": nn_gru,
    "loop_over_table": loop_over_table,
}


@cache
def inputs(size: int) -> Inputs:
    return Inputs(size)


@torch.no_grad()
def states(peer: str, size: int) -> list[Tensor]:
    return [PEERS[peer](inputs(size))]


def training(peer: str, size: int) -> list[Tensor]:
    x = inputs(size)
    found = PEERS[peer](x)
    return [found.detach(), *torch.autograd.grad(found, x.weights, x.grad)]


def frozen(peer: str, size: int) -> list[Tensor]:
    x = inputs(size)
    for weight in x.weights:
        weight.requires_grad_(False)
    try:
        found = PEERS[peer](x)
        return [found.detach(), *torch.autograd.grad(found, x.h0, x.grad)]
    finally:
        for weight in x.weights:
            weight.requires_grad_(True)


TASKS = {"states": states, "training": training, "h0 only": frozen}


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("task", TASKS)
def test_scan(benchmark, task: str, size: int, peer: str) -> None:
    benchmark.group = f"{task}, N {size}"
    for got, expected in zip(TASKS[task](peer, size), TASKS[task]("nn_gru", size), strict=True):
        assert (got - expected).abs().max() < 1e-5
    rounds = 21 if size < 256 else 7
    benchmark.pedantic(partial(TASKS[task], peer, size), rounds=rounds, warmup_rounds=2)
