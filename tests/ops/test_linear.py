"""ops.linear against the product in double precision: values, gradients, edges, refusals."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from judge import assert_no_worse
from torch import Tensor

from pyfastlm.errors import InputError, InputTypeError, Unavailable
from pyfastlm.ops import linear

# Around the tile of 6 x 16, blocks of 96 columns and pieces of 768 in depth; tasks of 192 and more rows.
SHAPES = [
    (1, 1, 1),
    (5, 7, 15),
    (6, 16, 16),
    (7, 17, 97),
    (37, 768, 96),
    (13, 769, 33),
    (193, 40, 200),
    (25, 1700, 17),
    (1100, 9, 100),
]
HALVES = [torch.bfloat16, torch.float16]


def inputs(
    rows: int, dim: int, columns: int, dtype: torch.dtype = torch.float32, seed: int = 0
) -> list[Tensor]:
    random = torch.Generator().manual_seed(seed)
    sizes = ((rows, dim), (columns, dim), (columns,))
    return [torch.randn(size, generator=random).to(dtype) for size in sizes]


@pytest.mark.parametrize("dtype", [torch.float32, *HALVES], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("biased", [False, True])
def test_values_are_as_good_as_torch(shape, biased, dtype):
    x, weight, bias = inputs(*shape, dtype=dtype)
    added = bias if biased else None
    truth = F.linear(x.double(), weight.double(), None if added is None else added.double())
    assert_no_worse([linear(x, weight, added, impl="native")], [F.linear(x, weight, added)], [truth])


@settings(max_examples=60, deadline=None)
@given(rows=st.integers(0, 40), dim=st.integers(0, 50), columns=st.integers(0, 120), seed=st.integers(0, 99))
def test_any_shape(rows, dim, columns, seed):
    x, weight, bias = inputs(rows, dim, columns, seed=seed)
    got = linear(x, weight, bias, impl="native")
    torch.testing.assert_close(
        got.double(), F.linear(x.double(), weight.double(), bias.double()), rtol=1e-5, atol=1e-5
    )


def test_a_row_depends_on_nothing_else(monkeypatch):
    x, weight, bias = inputs(1500, 900, 130)
    whole = linear(x, weight, bias, impl="native")
    for threads in ("1", "2", "7"):
        monkeypatch.setenv("PYFASTLM_NUM_THREADS", threads)
        for rows in (slice(0, 1), slice(3, 35), slice(700, 1499), slice(0, 1500)):
            assert torch.equal(linear(x[rows], weight, bias, impl="native"), whole[rows])


def test_batches_and_views():
    x, weight, bias = inputs(60, 24, 20)
    expected = F.linear(x, weight, bias)
    for shaped in (x.view(3, 4, 5, 24), x.view(60, 1, 24)):
        assert linear(shaped, weight, bias, impl="native").shape == (*shaped.shape[:-1], 20)
    wide = torch.zeros(60, 48)
    wide[:, ::2] = x
    torch.testing.assert_close(linear(wide[:, ::2], weight, bias, impl="native"), expected)
    torch.testing.assert_close(linear(x, weight.T.contiguous().T, bias, impl="native"), expected)
    assert linear(x[0], weight, impl="native").shape == (20,)


def test_what_is_not_finite_stays_where_it_is():
    x, weight, _ = inputs(30, 8, 20)
    x[4, 3], x[9, 0] = float("nan"), float("inf")
    out = linear(x, weight, impl="native")
    assert out[4].isnan().all()
    assert out[9].isinf().all()
    assert out[[i for i in range(30) if i not in (4, 9)]].isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_gradients(dtype):
    leaves = [t.requires_grad_() for t in inputs(50, 20, 30, dtype=dtype)]
    doubles = [t.detach().double().requires_grad_() for t in leaves]
    upstream = torch.randn(50, 30, generator=torch.Generator().manual_seed(1)).to(dtype)

    def gradients(run, tensors: list[Tensor]) -> list[Tensor]:
        return list(torch.autograd.grad(run(*tensors), tensors, upstream.to(tensors[0].dtype)))

    ours = gradients(lambda *t: linear(*t, impl="native"), leaves)
    assert_no_worse(ours, gradients(F.linear, leaves), gradients(F.linear, doubles))


def test_gradients_of_a_batch_reach_what_asks_for_them():
    x, weight, bias = inputs(24, 5, 7)
    weight.requires_grad_()
    linear(x.view(2, 3, 4, 5), weight, bias, impl="native").sum().backward()
    torch.testing.assert_close(weight.grad, x.sum(0).expand(7, -1))
    assert x.grad is None


def test_opcheck():
    x, weight, bias = inputs(30, 5, 7)
    for grad in (False, True):
        tensors = [t.clone().requires_grad_(grad) for t in (x, weight, bias)]
        torch.library.opcheck(torch.ops.pyfastlm.linear.default, tuple(tensors))
        torch.library.opcheck(torch.ops.pyfastlm.linear.default, (*tensors[:2], None))


def test_auto_leaves_to_torch_what_torch_does_better():
    few, weight, bias = inputs(23, 600, 90)
    assert torch.equal(linear(few, weight, bias), F.linear(few, weight, bias))
    doubles = [t.double() for t in inputs(50, 6, 9)]
    assert torch.equal(linear(*doubles), F.linear(*doubles))
    many, weight, bias = inputs(24, 600, 90)
    assert torch.equal(linear(many, weight, bias), linear(many, weight, bias, impl="native"))


def test_under_torch_compile():
    x, weight, bias = inputs(64, 24, 20)
    run = torch.compile(lambda *t: linear(*t).relu(), fullgraph=True, backend="aot_eager")
    assert torch.equal(run(x, weight, bias), linear(x, weight, bias).relu())


def test_wrong_arguments_are_named():
    x, weight, bias = inputs(6, 4, 5)
    bad = [
        (([1.0], weight), {}, InputTypeError, "x: expected a torch tensor"),
        ((x.int(), weight), {}, InputTypeError, "x: expected float32"),
        ((x[0, 0], weight), {}, InputError, r"x: expected \[..., D\]"),
        ((x, weight[:, :3]), {}, InputError, r"weight: expected \[V, 4\]"),
        ((x, weight[0]), {}, InputError, r"weight: expected \[V, 4\]"),
        ((x, weight.half()), {}, InputError, "weight: expected the dtype of x"),
        ((x, weight.double()), {}, InputTypeError, "weight: expected float64 exactly when x is"),
        ((x, weight, bias[:2]), {}, InputError, r"bias: expected \[5\]"),
        ((x, weight, bias.to("meta")), {}, InputError, "bias: expected the device of x"),
        ((x, weight), {"impl": "triton"}, Unavailable, "has no linear"),
        ((x.double(), weight.double()), {"impl": "native"}, Unavailable, "has no float64"),
        ((x, weight), {"impl": "best"}, InputError, "impl: expected one of"),
    ]
    for arguments, options, error, message in bad:
        with pytest.raises(error, match=message):
            linear(*arguments, **options)
