"""The Triton kernels of gru_scan, interpreted on the CPU (see conftest.py)."""

import pytest
import torch
from guards import DEVICE, guarded
from judge import assert_no_worse

from pyfastlm.ops import gru_scan

pytest.importorskip("triton")


@pytest.fixture
def kernels(poisoned):
    from pyfastlm.kernels import gru_scan as module

    return module


def inputs(size: int, vocab: int, rows: int, steps: int, h0: bool, ragged: bool) -> list[torch.Tensor | None]:
    random = torch.Generator().manual_seed(size)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=random)

    return [
        normal(vocab, 3 * size),
        torch.randint(vocab, (rows, steps), generator=random),
        normal(3 * size, size) / size**0.5,
        normal(3 * size),
        normal(rows, size) if h0 else None,
        torch.randint(steps + 1, (rows,), generator=random) if ragged else None,
    ]


def differentiate(given, grads, dtype, impl):
    """States, last and the gradients of all four by torch's own rules."""
    leaves = [
        t.to(DEVICE, dtype).requires_grad_() if t.is_floating_point() else t.to(DEVICE)
        for t in given
        if t is not None
    ]
    floats = [t for t in leaves if t.is_floating_point()]
    table, weight, bias, *h0 = floats
    lengths = None if given[5] is None else given[5].to(DEVICE)
    out = gru_scan(table, given[1].to(DEVICE), weight, bias, *h0, lengths=lengths, impl=impl)
    up = [g.to(DEVICE, dtype) for g in grads]
    loss = (out.states * up[0]).sum() + (out.last * up[1]).sum()
    gradients = torch.autograd.grad(loss, floats, allow_unused=True, materialize_grads=True)
    return [t.detach().cpu() for t in (*out, *gradients)]


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("h0", [False, True])
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (5, 7, 4, 3), (37, 9, 20, 3), (70, 4, 17, 2)], ids=str)
def test_equals_the_reference(kernels, shape, h0, ragged):
    given = inputs(*shape, h0, ragged)
    size, vocab, rows, steps = shape
    grads = [torch.randn(rows, steps, size), torch.randn(rows, size)]
    states, last = torch.empty(rows, steps, size, device=DEVICE), torch.empty(rows, size, device=DEVICE)
    gates = torch.empty(rows, steps, 4, size, device=DEVICE)
    tensors = [None if t is None else guarded(t, gap=0) for t in given]
    kernels.forward(*tensors, states, last, gates)
    _, ids, weight, _, start, lengths = tensors
    up = [guarded(g, gap=0) for g in grads]
    got = kernels.backward(*up, ids, weight, start, lengths, states, gates, vocab, True, True, True, h0)
    results = [t.cpu() for t in (states, last, *got) if t is not None]
    truth = differentiate(given, grads, torch.float64, "reference")
    assert_no_worse(results, differentiate(given, grads, torch.float32, "reference"), truth)


def test_only_what_is_asked_for_is_computed(kernels):
    given = [None if t is None else t.to(DEVICE) for t in inputs(6, 5, 18, 4, True, True)]
    states, last = torch.empty(18, 4, 6, device=DEVICE), torch.empty(18, 6, device=DEVICE)
    gates = torch.empty(18, 4, 4, 6, device=DEVICE)
    kernels.forward(*given, states, last, gates)
    _, ids, weight, _, h0, lengths = given
    up = torch.randn(18, 4, 6, device=DEVICE), None
    arguments = (*up, ids, weight, h0, lengths, states, gates, 5)
    full = kernels.backward(*arguments, True, True, True, True)
    for i in range(4):
        needs = [j == i for j in range(4)]
        one = kernels.backward(*arguments, *needs)
        assert [g is None for g in one] == [not n for n in needs]
        assert torch.equal(one[i], full[i])


def test_the_gates_are_not_kept_unless_asked_for(kernels):
    given = [None if t is None else t.to(DEVICE) for t in inputs(6, 5, 3, 4, False, False)]
    states, last = torch.empty(3, 4, 6, device=DEVICE), torch.empty(3, 6, device=DEVICE)
    kernels.forward(*given, states, last, torch.empty(0, 4, 4, 6, device=DEVICE))
    assert torch.isfinite(states).all()
    assert torch.equal(last, states[:, -1])


def test_ids_and_lengths_out_of_range_are_cut(kernels):
    table, ids, weight, bias, _, _ = inputs(4, 5, 3, 3, False, False)
    wild, lengths = ids.clone(), torch.tensor([3, 9, 2])
    wild[0, 1], wild[2, 0] = -7, 2**40
    cut = gru_scan(table, wild.clamp(0, 4), weight, bias, lengths=lengths.clamp(0, 3), impl="reference")
    states, last = torch.empty(3, 3, 4, device=DEVICE), torch.empty(3, 4, device=DEVICE)
    gates = torch.empty(0, device=DEVICE)
    tensors = [t.to(DEVICE) for t in (table, wild, weight, bias)]
    kernels.forward(*tensors, None, lengths.to(DEVICE), states, last, gates)
    torch.testing.assert_close(states.cpu(), cut.states)
    torch.testing.assert_close(last.cpu(), cut.last)


def test_no_rows_and_no_steps(kernels):
    for rows, steps in ((0, 3), (4, 0)):
        given = inputs(7, 3, rows, steps, True, True)
        grads = [torch.randn(rows, steps, 7), torch.randn(rows, 7)]
        for ours, theirs in zip(
            differentiate(given, grads, torch.float32, "triton"),
            differentiate(given, grads, torch.float32, "reference"),
            strict=True,
        ):
            assert torch.equal(ours, theirs)


def test_opcheck():
    table, ids, weight, bias, h0 = (t.to(DEVICE) for t in inputs(5, 4, 3, 4, True, False)[:5])
    leaves = [t.requires_grad_() for t in (weight, bias, h0)]
    args = (table.requires_grad_(), ids, *leaves, None, True, "triton")
    torch.library.opcheck(torch.ops.pyfastlm.gru_scan.default, args)
