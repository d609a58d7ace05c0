"""ops.int8_linear: exact sums of the rounded numbers, near those of the unrounded."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.ops import int8_linear, int8_rows, int8_weight

# Around tiles of 6 rows and of 16 and 64 columns, tasks of 96 rows and 128 columns.
SHAPES = [
    (1, 1, 1),
    (5, 7, 15),
    (6, 16, 64),
    (7, 17, 65),
    (37, 768, 96),
    (13, 769, 33),
    (193, 40, 200),
    (25, 1700, 17),
    (1100, 9, 129),
]


def inputs(rows: int, dim: int, columns: int, seed: int = 0) -> list[Tensor]:
    random = torch.Generator().manual_seed(seed)
    return [torch.randn(size, generator=random) for size in ((rows, dim), (columns, dim), (columns,))]


@pytest.mark.parametrize("sum_bits", [16, 32])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("biased", [False, True])
def test_sums_are_exact(shape, biased, sum_bits):
    x, weight, bias = inputs(*shape)
    rows, packed = int8_rows(x, sum_bits=sum_bits), int8_weight(weight, sum_bits=sum_bits)
    added = bias if biased else None
    ours, theirs = (int8_linear(rows, packed, added, impl=impl) for impl in ("native", "reference"))
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("sum_bits", [16, 32])
def test_the_greatest_sums_fit(sum_bits):
    """All products of one sign and as large as can be: nothing saturates, nothing wraps around."""
    most = 42 if sum_bits == 16 else 127  # four of one sign come to no more than 169
    rows = int8_rows(torch.ones(7, 1024), sum_bits=sum_bits)
    packed = int8_weight(torch.ones(65, 1024), sum_bits=sum_bits)
    for row_sign, column_sign in ((1, 1), (1, -1), (-1, -1)):
        rows.values.fill_(rows.zero + row_sign * (rows.zero - 1))
        packed.panels.fill_(most * column_sign)
        packed.sum.fill_(most * column_sign * 1024)
        rows.scale.fill_(1.0)
        packed.scale.fill_(1.0)
        expected = row_sign * column_sign * (rows.zero - 1) * most * 1024
        assert (int8_linear(rows, packed) == expected).all()


@settings(max_examples=60, deadline=None)
@given(rows=st.integers(0, 20), dim=st.integers(1, 70), columns=st.integers(0, 140), seed=st.integers(0, 99))
def test_any_shape(rows, dim, columns, seed):
    x, weight, bias = inputs(rows, dim, columns, seed=seed)
    packed = int8_weight(weight, sum_bits=16)
    found = int8_rows(x, sum_bits=16, keep=0.2)
    ours, theirs = (int8_linear(found, packed, bias, impl=i) for i in ("native", "reference"))
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("impl", ["native", "reference"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("transposed", [False, True])
def test_what_is_kept_is_exact(impl, dtype, transposed):
    """Columns that many rows have, and numbers here and there."""
    x, weight, bias = inputs(200, 48, 70)
    weight = (weight.T.contiguous().T if transposed else weight).to(dtype)
    x[:, 5] *= 30
    x[::50, 11] *= 300
    x[7, 20:24] *= 100
    rows, packed = int8_rows(x, keep=0.3, sum_bits=32), int8_weight(weight, sum_bits=32)
    kept = torch.zeros_like(x)
    for row, places in enumerate(rows.kept[0].tolist()):
        for place in places:
            if place >= 0:
                kept[row, place] = x[row, place]
    assert (kept != 0).sum(0)[[5, 11]].tolist()[1] == 4
    assert (kept != 0).sum(0)[5] > 150
    rounded = int8_linear(int8_rows(x - kept, sum_bits=32), packed, bias, impl=impl)
    found = int8_linear(rows, packed, bias, impl=impl)
    expected = (rounded + kept.double() @ weight.double().T).float()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-4)
    for part in (slice(0, 1), slice(7, 9)):
        alone = int8_linear(int8_rows(x[part], keep=0.3, sum_bits=32), packed, bias, impl=impl)
        if impl == "native":
            assert torch.equal(alone, found[part])
        torch.testing.assert_close(alone, found[part], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(("sum_bits", "most"), [(16, 0.015), (32, 0.012)])
def test_it_is_near_the_product(sum_bits, most):
    x, weight, bias = inputs(200, 576, 300)
    x[:, 7] *= 100  # an outlier
    truth = F.linear(x.double(), weight.double(), bias.double())
    found = int8_linear(x, int8_weight(weight, sum_bits=sum_bits), bias)
    assert ((found - truth).norm() / truth.norm()) < most


def test_a_row_depends_on_nothing_else(monkeypatch):
    x, weight, bias = inputs(1500, 90, 330)
    x = int8_rows(x, keep=0.2)
    packed = int8_weight(weight)
    whole = int8_linear(x, packed, bias)
    for threads in ("1", "2", "7"):
        monkeypatch.setenv("PYFASTLM_NUM_THREADS", threads)
        for rows in (slice(0, 1), slice(3, 35), slice(700, 1499)):
            part = x._replace(values=x.values[rows], scale=x.scale[rows], kept=tuple(k[rows] for k in x.kept))
            assert torch.equal(int8_linear(part, packed, bias), whole[rows])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_halves_batches_and_views(dtype):
    x, weight, bias = (t.to(dtype) for t in inputs(60, 24, 20))
    packed = int8_weight(weight)
    expected = int8_linear(x.float(), packed, bias.float())
    found = int8_linear(x.view(3, 4, 5, 24), packed, bias)
    assert found.dtype == dtype
    assert torch.equal(found, expected.to(dtype).view(3, 4, 5, 20))
    assert int8_linear(x[0], packed).shape == (20,)
    turned = int8_rows(x.view(3, 20, 24).transpose(0, 1))
    assert torch.equal(int8_linear(turned, packed, bias), found.view(3, 20, 20).transpose(0, 1))


def test_what_is_not_finite_stays_where_it_is():
    x, weight, _ = inputs(30, 8, 20)
    x[4, 3], x[9, 0] = float("nan"), float("inf")
    packed = int8_weight(weight)
    out = int8_linear(x, packed)
    assert out[[4, 9]].isnan().all()
    assert out[[i for i in range(30) if i not in (4, 9)]].isfinite().all()


def test_under_torch_compile():
    x, weight, bias = inputs(64, 24, 20)
    packed = int8_weight(weight)
    run = torch.compile(lambda *t: int8_linear(*t).relu(), fullgraph=True, backend="aot_eager")
    assert torch.equal(run(x, packed, bias), int8_linear(x, packed, bias).relu())


def test_opcheck():
    x, weight, bias = inputs(30, 5, 7)
    rows, packed = int8_rows(x), int8_weight(weight)
    kept = int8_rows(x, keep=0.3).kept
    for added, of_rows in ((bias, kept), (None, (None, None))):
        arguments = (rows.values, rows.scale, *packed[:3], added, *of_rows, weight, rows.zero, "native")
        torch.library.opcheck(torch.ops.pyfastlm.int8_linear.default, arguments)


def test_wrong_arguments_are_named():
    x, weight, bias = inputs(6, 4, 5)
    packed = int8_weight(weight)
    learnt = x.clone().requires_grad_()
    narrow, wide = (int8_weight(weight, sum_bits=sum_bits) for sum_bits in (16, 32))
    bad = [
        ((int8_rows(x, sum_bits=16), wide), {}, InputError, "weight: expected sum_bits=16, as x has, got 32"),
        (
            (int8_rows(x, sum_bits=32), narrow),
            {},
            InputError,
            "weight: expected sum_bits=32, as x has, got 16",
        ),
        ((x.double(), packed), {}, InputTypeError, "x: expected float32"),
        ((x, weight), {}, InputTypeError, "weight: expected what int8_weight returns"),
        ((x[:, :3], packed), {}, InputError, r"weight: expected \[V, 3\]"),
        ((x, packed, bias[:2]), {}, InputError, r"bias: expected \[5\]"),
        ((x, packed, bias.long()), {}, InputError, r"bias: expected \[5\] floating point"),
        ((x, packed, bias.to("meta")), {}, InputError, "bias: expected the device of x"),
        ((learnt, packed), {}, InputError, "x: expected no gradient"),
        ((x, packed), {"impl": "best"}, InputError, "impl: expected one of"),
    ]
    for arguments, options, error, message in bad:
        with pytest.raises(error, match=message):
            int8_linear(*arguments, **options)
