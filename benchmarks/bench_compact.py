"""ops.compact and ops.uncompact beside torch, one group per task, equal results asserted before timing.

    OMP_NUM_THREADS=1 python -m pytest benchmarks/bench_compact.py --benchmark-json=out.json

Eight sequences of 1,024 rows of 1,472 numbers (ByT5-small), half of them kept at random. Groups with
workspaces write into memory that exists; with fresh outputs page faults decide, for everybody. One group
reads the result once more (sum by row): stores that bypass the caches leave that to the next operation.
"""

from collections.abc import Callable
from functools import cache, partial

import pytest
import torch
from rates import least
from torch import Tensor

from pyfastlm.ops import compact, uncompact

pytestmark = [pytest.mark.timeout(0), pytest.mark.filterwarnings("default")]
BATCH, LENGTH, DIM = 8, 1024, 1472


class Inputs:
    def __init__(self) -> None:
        random = torch.Generator().manual_seed(0)
        self.x = torch.randn(BATCH, LENGTH, DIM, generator=random)
        self.keep = torch.rand(BATCH, LENGTH, generator=random) < 0.5
        self.flat = self.keep.flatten().nonzero().squeeze(1)
        self.packed = compact(self.x, self.keep)
        self.kept = torch.empty_like(self.packed.values)
        self.most = self.packed.max_len
        self.short = torch.empty(BATCH, self.most, DIM)
        self.full = torch.empty_like(self.x)
        self.copied = torch.empty_like(self.kept)
        self.expected = self.x * self.keep.unsqueeze(2)


@cache
def inputs() -> Inputs:
    return Inputs()


def boolean_index(x: Inputs) -> Tensor:
    return x.x[x.keep]


def nonzero_index_select(x: Inputs) -> Tensor:
    rows = x.keep.flatten().nonzero().squeeze(1)
    return torch.index_select(x.x.flatten(0, 1), 0, rows)


def nonzero_index_select_out(x: Inputs) -> Tensor:
    rows = x.keep.flatten().nonzero().squeeze(1)
    return torch.index_select(x.x.flatten(0, 1), 0, rows, out=x.kept)


def argsort_gather_out(x: Inputs) -> Tensor:
    """As the original does: kept rows first, padded to the longest sequence."""
    order = (~x.keep).int().argsort(dim=1, stable=True)[:, : x.most]
    return torch.gather(x.x, 1, order.unsqueeze(2).expand(-1, -1, DIM), out=x.short)


def plain_copy(x: Inputs) -> Tensor:
    """As many bytes, neighbours all: what memory allows."""
    return x.copied.copy_(x.packed.values)


def rows_of(x: Inputs, result: Tensor) -> Tensor:
    return result[x.keep.sum(1, keepdim=True) > torch.arange(x.most)] if result.ndim == 3 else result


WORKSPACE: dict[str, Callable[[Inputs], Tensor]] = {
    "pyfastlm": lambda x: compact(x.x, x.keep, out=x.kept).values,
    "index_select_out": nonzero_index_select_out,
    "argsort_gather_out": argsort_gather_out,
    "bound_copy_of_as_many_bytes": plain_copy,
}
FRESH: dict[str, Callable[[Inputs], Tensor]] = {
    "pyfastlm": lambda x: compact(x.x, x.keep).values,
    "index_select": nonzero_index_select,
    "boolean_index": boolean_index,
}


def measure(benchmark, run: Callable[[], Tensor]) -> None:
    copied = inputs().packed.values.nbytes
    benchmark.pedantic(run, rounds=31, warmup_rounds=3)
    benchmark.extra_info["gigabytes"] = copied / least(benchmark) / 1e9


@pytest.mark.parametrize("peer", WORKSPACE)
def test_compact_into_a_workspace(benchmark, peer: str) -> None:
    benchmark.group = "compact, workspace given"
    x = inputs()
    assert torch.equal(rows_of(x, WORKSPACE[peer](x)), x.packed.values)
    measure(benchmark, partial(WORKSPACE[peer], x))


@pytest.mark.parametrize("peer", FRESH)
def test_compact_into_fresh_memory(benchmark, peer: str) -> None:
    benchmark.group = "compact, fresh memory"
    x = inputs()
    assert torch.equal(FRESH[peer](x), x.packed.values)
    measure(benchmark, partial(FRESH[peer], x))


@pytest.mark.parametrize("peer", [name for name in WORKSPACE if name != "argsort_gather_out"])
def test_compact_and_read(benchmark, peer: str) -> None:
    benchmark.group = "compact, workspace given, then the sum of each row"
    x = inputs()
    measure(benchmark, lambda: WORKSPACE[peer](x).sum(1))


def zero_index_copy(x: Inputs) -> Tensor:
    x.full.zero_().view(-1, DIM).index_copy_(0, x.flat, x.packed.values)
    return x.full


def fresh_zero_index_copy(x: Inputs) -> Tensor:
    full = torch.zeros(BATCH * LENGTH, DIM)
    return full.index_copy_(0, x.flat, x.packed.values).view(BATCH, LENGTH, DIM)


def plain_fill(x: Inputs) -> Tensor:
    return x.full.copy_(x.x)


BACK: dict[str, Callable[[Inputs], Tensor]] = {
    "pyfastlm": lambda x: uncompact(x.packed, out=x.full),
    "zero_index_copy": zero_index_copy,
    "bound_copy_of_as_many_bytes": plain_fill,
}
FRESH_BACK: dict[str, Callable[[Inputs], Tensor]] = {
    "pyfastlm": lambda x: uncompact(x.packed),
    "zeros_index_copy": fresh_zero_index_copy,
}


@pytest.mark.parametrize("peer", BACK)
def test_uncompact_into_a_workspace(benchmark, peer: str) -> None:
    benchmark.group = "uncompact (the backward pass of compact), workspace given"
    x = inputs()
    if peer != "bound_copy_of_as_many_bytes":
        assert torch.equal(BACK[peer](x), x.expected)
    measure(benchmark, partial(BACK[peer], x))


@pytest.mark.parametrize("peer", FRESH_BACK)
def test_uncompact_into_fresh_memory(benchmark, peer: str) -> None:
    benchmark.group = "uncompact, fresh memory"
    x = inputs()
    assert torch.equal(FRESH_BACK[peer](x), x.expected)
    measure(benchmark, partial(FRESH_BACK[peer], x))
