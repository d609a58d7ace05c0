"""The Triton kernel of int8_linear, interpreted on the CPU (see conftest.py), against float64."""

import pytest
import torch
from guards import DEVICE, guarded
from torch import Tensor

from pyfastlm.ops import Int8Rows, Int8Weight, int8_linear, int8_rows, int8_weight

pytest.importorskip("triton")

# Around tiles of 64 and 128 rows and columns, panels of 16 columns, steps of 4 and of 128 numbers.
SHAPES = [(1, 1, 1), (5, 7, 15), (65, 16, 64), (7, 127, 65), (64, 129, 130), (130, 300, 33)]


@pytest.fixture
def kernels(poisoned, monkeypatch):
    """The module; the rows that its kernel reads are guarded, as ``run`` does with the rest."""
    from pyfastlm.kernels import int8_linear as module

    signed = module._signed
    monkeypatch.setattr(module, "_signed", lambda *given: guarded(signed(*given), gap=0))
    return module


def inputs(rows: int, dim: int, columns: int) -> list[Tensor]:
    random = torch.Generator().manual_seed(dim)
    return [torch.randn(size, generator=random) for size in ((rows, dim), (columns, dim), (columns,))]


def run(kernels, rows: Int8Rows, packed: Int8Weight, bias: Tensor | None) -> Tensor:
    """The kernel's result, of guarded inputs."""
    out = torch.empty(*rows.scale.shape, packed.shape[0], device=DEVICE)
    values, scale, panels, *of_columns = (guarded(t, gap=0) for t in (rows.values, rows.scale, *packed[:3]))
    kernels.forward(values, scale, panels, *of_columns, guarded(bias), rows.dim, rows.zero, out)
    return out.cpu()


def check(kernels, x: Tensor, weight: Tensor, bias: Tensor | None, sum_bits: int) -> None:
    rows, packed = int8_rows(x, sum_bits=sum_bits), int8_weight(weight, sum_bits=sum_bits)
    truth = int8_linear(rows, packed, bias, impl="reference")
    torch.testing.assert_close(run(kernels, rows, packed, bias), truth, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("sum_bits", [16, 32])
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equals_the_reference(kernels, shape, biased, sum_bits):
    x, weight, bias = inputs(*shape)
    check(kernels, x, weight, bias if biased else None, sum_bits)


@pytest.mark.parametrize("sum_bits", [16, 32])
def test_large_tiles_in_groups(kernels, monkeypatch, sum_bits):
    monkeypatch.setattr(kernels, "ENOUGH", 1)
    monkeypatch.setattr(kernels, "GROUP_ROWS", 2)
    assert kernels.blocks_for(1, 1) is kernels.MANY
    check(kernels, *inputs(3 * 128 + 5, 130, 2 * 128 + 33), sum_bits)  # 64 columns behind the last panel


def test_large_tiles_where_they_are_enough(kernels):
    """One program for each of some hundred multiprocessors, or smaller tiles."""
    assert kernels.blocks_for(4096, 1536) is kernels.MANY
    assert kernels.blocks_for(1024, 576) is kernels.blocks_for(1, 4096) is kernels.FEW


@pytest.mark.parametrize("sum_bits", [16, 32])
def test_the_greatest_sums_fit(kernels, sum_bits):
    rows, packed = int8_rows(torch.ones(3, 1024), sum_bits=sum_bits), int8_weight(torch.ones(17, 1024))
    rows.scale.fill_(1.0)
    packed.scale.fill_(1.0)
    for row_sign, column_sign in ((1, 1), (1, -1), (-1, -1)):
        rows.values.fill_(rows.zero + row_sign * (rows.zero - 1))
        packed.panels.fill_(127 * column_sign)
        expected = row_sign * column_sign * (rows.zero - 1) * 127 * 1024
        assert (run(kernels, rows, packed, None) == expected).all()


def test_what_is_not_finite_stays_where_it_is(kernels):
    x, weight, bias = inputs(30, 8, 20)
    x[4, 3], x[9, 0] = float("nan"), float("inf")
    weight[7, 2] = float("nan")
    out = run(kernels, int8_rows(x), int8_weight(weight), bias)
    expected = torch.zeros(30, 20, dtype=torch.bool)
    expected[[4, 9]] = True
    expected[:, 7] = True
    assert torch.equal(~out.isfinite(), expected)
    assert torch.equal(out.isnan(), expected)


@pytest.mark.parametrize("shape", [(0, 5, 3), (4, 5, 0)], ids=str)
def test_no_rows_and_no_columns(kernels, shape):
    check(kernels, *inputs(*shape), 32)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_the_op_reaches_the_kernel(dtype):
    x, weight, bias = (t.to(DEVICE, dtype) for t in inputs(60, 24, 20))
    packed = int8_weight(weight)
    rows = int8_rows(x.view(3, 4, 5, 24))
    kept = int8_rows(x.view(3, 4, 5, 24), keep=0.3)
    for given, added in ((rows, bias), (rows, None), (kept, bias), (x.view(3, 4, 5, 24), bias)):
        ours = int8_linear(given, packed, added, impl="triton")
        assert ours.dtype == dtype
        known = rows if given.__class__ is Tensor else given
        torch.testing.assert_close(ours, int8_linear(known, packed, added, impl="reference"))


def test_opcheck():
    x, weight, bias = (t.to(DEVICE) for t in inputs(9, 5, 7))
    rows, packed = int8_rows(x), int8_weight(weight)
    kept = int8_rows(x, keep=0.3).kept
    arguments = (rows.values, rows.scale, *packed[:3], bias, *kept, weight, rows.zero, "triton")
    torch.library.opcheck(torch.ops.pyfastlm.int8_linear.default, arguments)
