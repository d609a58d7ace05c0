"""ops.linear beside torch (oneDNN or MKL), one group per shape, equal results asserted before timing.

    python -m pytest benchmarks/bench_linear.py --benchmark-json=out.json

The layers of SmolLM2-135M and of ByT5-small at the rows of a batch, and few rows, where packing does not pay.
The torch of a peer gets its result's memory for free (``out=``).
"""

from collections.abc import Callable
from functools import cache, partial

import pytest
import torch
from rates import least
from torch import Tensor

from pyfastlm.ops import linear

pytestmark = [pytest.mark.timeout(0), pytest.mark.filterwarnings("default")]
# D, V: query, gate and down projections of SmolLM2; the two feed-forward layers of ByT5-small.
LAYERS = {
    "576 x 576": (576, 576),
    "576 x 1536": (576, 1536),
    "1536 x 576": (1536, 576),
    "1472 x 3584": (1472, 3584),
    "3584 x 1472": (3584, 1472),
}
ROWS = [16, 32, 128, 1024, 2048]


@cache
def inputs(rows: int, layer: str) -> tuple[Tensor, Tensor, Tensor]:
    dim, columns = LAYERS[layer]
    random = torch.Generator().manual_seed(0)
    x, weight = (torch.randn(n, dim, generator=random) for n in (rows, columns))
    return x, weight, torch.empty(rows, columns)


PEERS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "pyfastlm": lambda x, weight, _: linear(x, weight, impl="native"),
    "torch_linear": lambda x, weight, _: torch.nn.functional.linear(x, weight),
    "torch_mm_out": lambda x, weight, out: torch.mm(x, weight.T, out=out),
}


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("layer", LAYERS)
@torch.inference_mode()
def test_forward(benchmark, layer: str, rows: int, peer: str) -> None:
    benchmark.group = f"{rows} x {layer}"
    x, weight, out = inputs(rows, layer)
    run = partial(PEERS[peer], x, weight, out)
    torch.testing.assert_close(run(), PEERS["torch_linear"](x, weight, out), rtol=1e-4, atol=1e-3)
    benchmark.pedantic(run, rounds=9, warmup_rounds=2)
    benchmark.extra_info["gflops"] = 2.0 * rows * weight.numel() / least(benchmark) / 1e9
