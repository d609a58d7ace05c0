"""ops.gate_compact against its steps one by one in float64: values, order, edges, refusals."""

import pytest
import torch
import torch.nn.functional as F
from judge import assert_no_worse

from pyfastlm.errors import InputError, InputTypeError, Unavailable
from pyfastlm.ops import gate_compact
from pyfastlm.ops.gate_compact import Gated

DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]
# Fewer numbers than a vector has, whole vectors, a tail, and rows past the size of a task.
SHAPES = [(1, 1), (7, 3), (40, 64), (301, 129), (700, 1472)]


def inputs(rows: int, dim: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> dict:
    random = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=random, dtype=torch.float64)

    return {
        "x": (3 * normal(rows, dim)).to(dtype),
        "weight": (2 * normal(dim) / dim**0.5).to(dtype),
        "bias": (0.1 * normal(1)).to(dtype),
        "next_norm": (1 + 0.2 * normal(dim)).to(dtype),
        "norm": (1 + 0.2 * normal(dim)).to(dtype),
    }


def step_by_step(
    x,
    weight,
    bias,
    next_norm,
    norm=None,
    kind="scaled_sigmoid",
    scale=-30.0,
    eps=1e-6,
    closed=None,
    index=None,
) -> Gated:
    """From the definition, in the dtype of ``x``; ``index`` says what is kept, so that rounding does not."""
    root = (x.square().mean(1, keepdim=True) + eps).sqrt()
    z = F.linear(x if norm is None else x / root * norm, weight[None], bias).squeeze(1)
    values = scale / (1 + z.exp()) if kind == "scaled_sigmoid" else -(1 + (-z).exp()).log()
    if closed is not None:
        values[closed] = scale
    kept = index.long()
    return Gated(values, z, index, x[kept], x[kept] / root[kept] * next_norm)


def check(impl: str, given: dict, threshold: float = -15.0, **options) -> Gated:
    got = gate_compact(**given, **options, threshold=threshold, impl=impl)
    assert torch.equal(got.rows, (got.values > threshold).nonzero().squeeze(1).int())
    assert torch.equal(got.kept, given["x"][got.rows.long()])
    wide = {name: t if t is None else t.double() for name, t in given.items()}
    truth = step_by_step(**wide, **options, index=got.rows)
    names = ("values", "logits", "normed")
    ours, exact = ([getattr(result, name) for name in names] for result in (got, truth))
    if given["x"].dtype == torch.float64:
        torch.testing.assert_close(ours, exact, rtol=1e-12, atol=1e-12)
    else:
        naive = step_by_step(**given, **options, index=got.rows)
        assert_no_worse(ours, [naive.values.float(), naive.logits.float(), naive.normed], exact)
    return got


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equals_its_steps(shape, dtype):
    half = dtype in (torch.float16, torch.bfloat16)
    for impl in ("reference", "auto") if half else ("reference", "native"):
        kept = check(impl, inputs(*shape, dtype)).rows
        assert len(kept) < max(2, shape[0])


@pytest.mark.parametrize("impl", ["native", "reference"])
@pytest.mark.parametrize("kind", ["scaled_sigmoid", "log_sigmoid"])
@pytest.mark.parametrize("normed", [True, False])
def test_every_kind(kind, normed, impl):
    given = inputs(90, 33)
    if not normed:
        given["norm"] = None
    closed = torch.rand(90, generator=torch.Generator().manual_seed(1)) < 0.3
    got = check(impl, given, -0.5, kind=kind, scale=-2.0, eps=0.5, closed=closed)
    assert 0 < len(got.rows) < 60
    assert (got.values[closed] == -2).all()
    assert not closed[got.rows.long()].any()


@pytest.mark.parametrize("impl", ["native", "reference"])
def test_a_gate_at_the_threshold_is_closed(impl):
    given = inputs(2, 4)
    given |= {"x": torch.zeros(2, 4), "bias": torch.zeros(1)}
    got = gate_compact(**given, scale=-30.0, threshold=-15.0, impl=impl)
    assert got.values.tolist() == [-15.0, -15.0]
    assert len(got.rows) == 0
    assert len(gate_compact(**given, threshold=-15.001, impl=impl).rows) == 2


@pytest.mark.parametrize("impl", ["native", "reference"])
@pytest.mark.parametrize("bias", [200.0, -200.0])
def test_all_or_nothing(bias, impl):
    given = inputs(50, 20) | {"bias": torch.tensor([bias])}
    got = check(impl, given)
    assert len(got.rows) == (50 if bias > 0 else 0)
    assert got.kept.shape == got.normed.shape == (len(got.rows), 20)


@pytest.mark.parametrize("impl", ["native", "reference"])
@pytest.mark.parametrize("shape", [(0, 5), (0, 1)], ids=str)
def test_empty(shape, impl):
    got = gate_compact(**inputs(*shape), impl=impl)
    assert got.values.shape == got.logits.shape == shape[:1]
    assert got.kept.shape == got.normed.shape == (len(got.rows), shape[1])


@pytest.mark.parametrize("impl", ["native", "reference"])
def test_nan_and_infinity_stay_in_their_row(impl):
    given = inputs(9, 12)
    clean = gate_compact(**given, threshold=-30.0, impl=impl)
    given["x"][4, 3], given["x"][6, 0] = float("nan"), float("inf")
    got = gate_compact(**given, threshold=-30.0, impl=impl)
    assert got.values[4].isnan()
    assert got.values[6].isnan()
    good = [0, 1, 2, 3, 5, 7, 8]
    assert got.rows.tolist() == good
    assert torch.equal(got.normed, clean.normed[good])


def test_results_do_not_depend_on_threads():
    given = inputs(3000, 257)
    usual = torch.get_num_threads()
    try:
        results = []
        for threads in (1, 2, 7):
            torch.set_num_threads(threads)
            results.append(gate_compact(**given))
    finally:
        torch.set_num_threads(usual)
    assert 1000 < len(results[0].rows) < 2000
    for result in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(result, results[0], strict=True))


def test_views_are_read_as_they_are():
    given = inputs(12, 10)
    views = given | {
        "x": given["x"].t().contiguous().t(),
        "next_norm": given["next_norm"].repeat_interleave(2)[::2],
        "weight": given["weight"].repeat_interleave(2)[::2],
    }
    for a, b in zip(gate_compact(**views), gate_compact(**given), strict=True):
        assert torch.equal(a, b)


REFUSED = [
    ({"x": torch.zeros(3)}, InputError, "x: expected [N, D] with D at least 1, got shape [3]"),
    ({"x": torch.zeros(3, 0)}, InputError, "x: expected [N, D] with D at least 1, got shape [3, 0]"),
    ({"x": [1.0]}, InputTypeError, "x: expected a torch tensor, got list"),
    ({"x": torch.zeros(3, 4, dtype=torch.int64)}, InputTypeError, "x: expected float32"),
    ({"weight": torch.zeros(5)}, InputError, "weight: expected [4], got shape [5]"),
    ({"weight": torch.zeros(4).double()}, InputTypeError, "weight: expected the dtype of x, torch.float32"),
    ({"bias": torch.zeros(2)}, InputError, "bias: expected [1], got shape [2]"),
    ({"norm": torch.zeros(1, 4)}, InputError, "norm: expected [4], got shape [1, 4]"),
    ({"next_norm": torch.zeros(4, device="meta")}, InputError, "next_norm: expected the device of x"),
    ({"kind": "hard"}, InputError, "kind: expected one of scaled_sigmoid, log_sigmoid; got 'hard'"),
    ({"scale": 3.0}, InputError, "scale: expected a finite number below 0, got 3.0"),
    ({"threshold": float("nan")}, InputError, "threshold: expected a finite number, got nan"),
    ({"eps": 0.0}, InputError, "eps: expected a finite number above 0, got 0.0"),
    ({"closed": torch.zeros(3)}, InputTypeError, "closed: expected bool, got torch.float32"),
    ({"closed": torch.zeros(4, dtype=torch.bool)}, InputError, "closed: expected [3], got shape [4]"),
    ({"impl": "cuda"}, InputError, "impl: expected one of auto"),
]


@pytest.mark.parametrize(("changes", "error", "message"), REFUSED, ids=lambda value: str(value)[:30])
def test_refusals(changes, error, message):
    with pytest.raises(error) as caught:
        gate_compact(**(inputs(3, 4) | changes))
    assert message in str(caught.value)


def test_native_says_what_it_cannot_do():
    with pytest.raises(InputTypeError, match="x: expected float32 or float64 with impl='native'"):
        gate_compact(**inputs(3, 4, torch.bfloat16), impl="native")
    if not torch.cuda.is_available():
        with pytest.raises(Unavailable, match="impl='triton' needs CUDA tensors"):
            gate_compact(**inputs(3, 4), impl="triton")


def test_a_wanted_gradient_is_refused():
    given = inputs(3, 4)
    given["norm"].requires_grad_()
    with pytest.raises(InputError, match="norm: expected no gradient to be wanted"):
        gate_compact(**given)
    with torch.no_grad():
        gate_compact(**given)
