"""ops.int8_linear beside torch in 8 bits and in 32, one group per shape, near results asserted before timing.

    OMP_NUM_THREADS=1 PYFASTLM_NUM_THREADS=1 python -m pytest benchmarks/bench_int8_linear.py \
        --benchmark-timer=time.process_time --benchmark-json=out.json

The layers of SmolLM2-135M and of ByT5-small. Every peer has its weights packed before. Quantising the rows is
counted, but for the peers called ``prepared`` and ``bare``. Torch's own dynamic int8 rounds all rows with one
scale and one zero, so that a row depends on the others and an outlier is everybody's loss; ``int_mm_rows`` is
a plain torch form with a scale for each row, as ours has, without our rotation. ``error_with_outliers`` is
what remains of each where one number in every row is a hundred times as large.
"""

from collections.abc import Callable
from functools import cache

import pytest
import torch
from rates import least
from torch import Tensor

from pyfastlm.ops import int8_linear, int8_rows, int8_weight, linear

pytestmark = [pytest.mark.timeout(0), pytest.mark.filterwarnings("default")]
# D, V: query, gate and down projections of SmolLM2; the two feed-forward layers of ByT5-small.
LAYERS = {
    "576 x 576": (576, 576),
    "576 x 1536": (576, 1536),
    "1536 x 576": (1536, 576),
    "1472 x 3584": (1472, 3584),
    "3584 x 1472": (3584, 1472),
}
ROWS = [16, 128, 1024, 2048]
TOLERANCE = 0.03  # relative, of the whole product
REDUCED = not torch.cpu._is_vnni_supported()  # to 7 bits, as sums of two products in 16 bits need

Run = Callable[[Tensor], Tensor]
Peer = Callable[[Tensor], Run]  # from the weight [V, D]


@cache
def inputs(rows: int, layer: str) -> tuple[Tensor, Tensor, Tensor]:
    """Rows, weight, and the product."""
    dim, columns = LAYERS[layer]
    random = torch.Generator().manual_seed(0)
    x, weight = (torch.randn(n, dim, generator=random) for n in (rows, columns))
    return x, weight, x @ weight.T


def ours(sum_bits: int | None = None, keep: float | None = None) -> Peer:
    def make(weight: Tensor) -> Run:
        packed = int8_weight(weight, sum_bits=sum_bits)
        return lambda x: int8_linear(int8_rows(x, sum_bits=sum_bits, keep=keep), packed)

    return make


def torch_dynamic(engine: str) -> Peer:
    """torch.ao.nn.quantized.dynamic.Linear without its module."""

    def make(weight: Tensor) -> Run:
        torch.backends.quantized.engine = engine
        unit = weight.abs().amax(1).double() / 127
        zeros = torch.zeros(len(weight), dtype=torch.long)
        rounded = torch.quantize_per_channel(weight, unit, zeros, 0, torch.qint8)
        packed = torch.ops.quantized.linear_prepack(rounded, None)
        return lambda x: torch.ops.quantized.linear_dynamic(x, packed, REDUCED)

    return make


def rounded_rows(x: Tensor) -> tuple[Tensor, Tensor]:
    """Whole numbers [N, D] int8, and what one of them stands for [N, 1]."""
    top = x.abs().amax(1, keepdim=True)
    return (x * (127 / top)).round_().to(torch.int8), top / 127


def int_mm_rows(weight: Tensor) -> Run:
    whole, unit = rounded_rows(weight)
    turned, unit = whole.T, unit.T

    def run(x: Tensor) -> Tensor:
        rows, scale = rounded_rows(x)
        return torch._int_mm(rows, turned).float().mul_(scale).mul_(unit)

    return run


PEERS: dict[str, Peer] = {
    "pyfastlm": ours(),
    "pyfastlm_kept": ours(keep=0.15),
    "pyfastlm_sums_of_16_bits": ours(16),
    "torch_dynamic_onednn": torch_dynamic("onednn"),
    "torch_dynamic_x86": torch_dynamic("x86"),
    "torch_int_mm_rows": int_mm_rows,
    "float32_pyfastlm": lambda weight: lambda x: linear(x, weight, impl="native"),
    "float32_torch": lambda weight: lambda x: torch.nn.functional.linear(x, weight),
}


def prepared(x: Tensor, weight: Tensor, sum_bits: int) -> Callable[[], Tensor]:
    rows, packed = int8_rows(x, sum_bits=sum_bits), int8_weight(weight, sum_bits=sum_bits)
    return lambda: int8_linear(rows, packed)


def bare_product(x: Tensor, weight: Tensor) -> Callable[[], Tensor]:
    """No peer: the product of whole numbers alone, into memory that is there already."""
    rows, turned = rounded_rows(x)[0], rounded_rows(weight)[0].T
    out = torch.empty(len(x), len(weight), dtype=torch.int32)
    return lambda: torch._int_mm(rows, turned, out=out)


def timed(benchmark, run: Callable[[], Tensor], rows: int, layer: str) -> None:
    benchmark.group = f"{rows} x {layer}"
    benchmark.pedantic(run, rounds=9, iterations=max(1, 1024 // rows), warmup_rounds=1)
    dim, columns = LAYERS[layer]
    benchmark.extra_info["gops"] = 2.0 * rows * dim * columns / least(benchmark) / 1e9


def relative_error(found: Tensor, exact: Tensor) -> float:
    return ((found - exact).norm() / exact.norm()).item()


def assert_near(found: Tensor, exact: Tensor) -> float:
    error = relative_error(found, exact)
    assert error < TOLERANCE
    return error


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("layer", LAYERS)
@torch.inference_mode()
def test_from_float32(benchmark, layer: str, rows: int, peer: str) -> None:
    x, weight, exact = inputs(rows, layer)
    run = PEERS[peer](weight)
    benchmark.extra_info["error"] = assert_near(run(x), exact)
    wild = x.clone()
    wild[:, 7] *= 100
    benchmark.extra_info["error_with_outliers"] = relative_error(run(wild), wild @ weight.T)
    timed(benchmark, lambda: run(x), rows, layer)


@pytest.mark.parametrize("sum_bits", [16, 32])
@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("layer", LAYERS)
@torch.inference_mode()
def test_prepared(benchmark, layer: str, rows: int, sum_bits: int) -> None:
    x, weight, exact = inputs(rows, layer)
    run = prepared(x, weight, sum_bits)
    benchmark.extra_info["error"] = assert_near(run(), exact)
    timed(benchmark, run, rows, layer)


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("layer", LAYERS)
@torch.inference_mode()
def test_bare_product(benchmark, layer: str, rows: int) -> None:
    x, weight, exact = inputs(rows, layer)
    run = bare_product(x, weight)
    assert_near(run() * rounded_rows(x)[1] * rounded_rows(weight)[1].T, exact)
    timed(benchmark, run, rows, layer)
