"""The Triton kernels of gate_compact, interpreted on the CPU (see conftest.py)."""

import pytest
import torch
from guards import DEVICE, DTYPES, guarded
from judge import assert_no_worse

from pyfastlm.ops import gate_compact
from pyfastlm.ops.reference import gate_compact as reference

pytest.importorskip("triton")


@pytest.fixture
def kernels(poisoned):
    from pyfastlm.kernels import gate_compact as module

    return module


def inputs(rows: int, dim: int, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=random)

    tensors = {
        "x": 3 * normal(rows, dim),
        "weight": 2 * normal(dim) / dim**0.5,
        "bias": 0.1 * normal(1),
        "next_norm": 1 + 0.2 * normal(dim),
        "norm": 1 + 0.2 * normal(dim),
    }
    return {name: t.to(dtype) for name, t in tensors.items()}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("variant", ["plain", "log_sigmoid", "no norm", "closed"])
@pytest.mark.parametrize("shape", [(1, 1), (5, 37), (9, 600)], ids=str)
def test_equals_the_reference(kernels, shape, variant, dtype):
    given = inputs(*shape, dtype)
    closed = torch.arange(shape[0]) % 3 == 0 if variant == "closed" else None
    if variant == "no norm":
        given["norm"] = None
    kind, threshold = ("log_sigmoid", -0.6) if variant == "log_sigmoid" else ("scaled_sigmoid", -15.0)
    options = (kind, -30.0, threshold, 1e-3)
    got = kernels.forward(*map(guarded, given.values()), *options, guarded(closed, gap=0))
    wide = [None if t is None else t.double() for t in given.values()]
    truth, naive = (reference.forward(*tensors, *options, closed) for tensors in (wide, list(given.values())))
    values, logits, index, kept, normed = (t.cpu() for t in got)
    assert torch.equal(index, truth[2])
    assert torch.equal(kept, given["x"][index.long()])
    assert_no_worse([values, logits, normed], [naive[0], naive[1], naive[4]], [truth[0], truth[1], truth[4]])


def test_some_are_kept_and_some_are_not(kernels):
    given = {name: t.to(DEVICE) for name, t in inputs(30, 20, torch.float32).items()}
    got = gate_compact(**given, impl="triton")
    assert 5 < len(got.rows) < 25
    assert torch.equal(got.rows, gate_compact(**given, impl="reference").rows)


def test_a_gate_at_the_threshold_is_closed(kernels):
    given = inputs(2, 4, torch.float32) | {"x": torch.zeros(2, 4), "bias": torch.zeros(1)}
    given = {name: t.to(DEVICE) for name, t in given.items()}
    got = gate_compact(**given, threshold=-15.0, impl="triton")
    assert got.values.tolist() == [-15.0, -15.0]
    assert len(got.rows) == 0
    assert len(gate_compact(**given, threshold=-15.001, impl="triton").rows) == 2


@pytest.mark.parametrize("bias", [200.0, -200.0])
def test_all_or_nothing(kernels, bias):
    given = inputs(6, 5, torch.float32) | {"bias": torch.tensor([bias])}
    for kind in ("scaled_sigmoid", "log_sigmoid"):
        got = gate_compact(**{n: t.to(DEVICE) for n, t in given.items()}, kind=kind, impl="triton")
        assert len(got.rows) == (6 if bias > 0 else 0)
        assert not got.values.isnan().any()


def test_empty(kernels):
    got = gate_compact(**{n: t.to(DEVICE) for n, t in inputs(0, 5, torch.float32).items()}, impl="triton")
    assert got.values.shape == got.rows.shape == (0,)
    assert got.kept.shape == got.normed.shape == (0, 5)


@pytest.mark.filterwarnings("ignore::RuntimeWarning:triton.runtime.interpreter")
def test_nan_and_infinity_stay_in_their_row(kernels):
    given = {n: t.to(DEVICE) for n, t in inputs(9, 12, torch.float32).items()}
    given["x"][4, 3], given["x"][6, 0] = float("nan"), float("inf")
    for kind in ("scaled_sigmoid", "log_sigmoid"):
        got = gate_compact(**given, kind=kind, threshold=-1000.0, impl="triton")
        assert got.values[[4, 6]].isnan().all()
        assert got.rows.tolist() == [0, 1, 2, 3, 5, 7, 8]


def test_rows_with_a_stride_are_read_in_place(kernels):
    given = {n: t.to(DEVICE) for n, t in inputs(7, 10, torch.float32).items()}
    wide = torch.full((7, 16), float("nan"), device=DEVICE)
    wide[:, :10] = given["x"]
    expected = gate_compact(**given, impl="triton")
    got = gate_compact(**(given | {"x": wide[:, :10]}), impl="triton")
    assert all(torch.equal(a, b) for a, b in zip(got, expected, strict=True))
