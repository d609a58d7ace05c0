"""ops.compact and ops.uncompact against boolean indexing: bit for bit, gradients, edges, refusals."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pyfastlm.errors import InputError, InputTypeError, Unavailable
from pyfastlm.ops import Packed, compact, uncompact

DTYPES = [torch.float32, torch.bfloat16, torch.float16, torch.float64, torch.int64, torch.bool]


def batch(*shape: int, dtype: torch.dtype = torch.float32, share: float = 0.5, seed: int = 0):
    random = torch.Generator().manual_seed(seed)
    keep = torch.rand(shape[:2], generator=random) < share
    return (10 * torch.randn(*shape, generator=random)).to(dtype), keep


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (3, 17, 5), (2, 300, 33), (4, 9), (2, 5, 3, 2), (5, 64, 1024)], ids=str
)
def test_there_and_back(shape, dtype):
    x, keep = batch(*shape, dtype=dtype)
    for impl in ("native", "reference"):
        packed = compact(x, keep, impl=impl)
        assert torch.equal(packed.values, x[keep])
        assert torch.equal(packed.positions, keep.nonzero()[:, 1].int())
        assert torch.equal(packed.lengths, keep.sum(1).int())
        assert packed.cu_seqlens.tolist() == [0, *keep.sum(1).cumsum(0).tolist()]
        assert packed.max_len == keep.sum(1).max()
        back = uncompact(packed, fill=1.0, impl=impl)
        expected = x.clone()
        expected[~keep] = 1
        assert torch.equal(back, expected)


def test_large_results_go_past_the_caches_and_are_the_same():
    x, keep = batch(3, 1500, 1472 + 3)  # rows that do not start on a cache line
    packed = compact(x, keep)
    assert packed.values.numel() * 4 > 4 << 20
    assert torch.equal(packed.values, x[keep])
    assert torch.equal(uncompact(packed), x * keep.unsqueeze(2))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_all_or_nothing_kept(share):
    x, keep = batch(3, 7, 4, share=share)
    packed = compact(x, keep)
    assert packed.values.shape == (21 * share, 4)
    assert packed.max_len == 7 * share
    assert torch.equal(uncompact(packed), x * share)
    assert torch.equal(uncompact(packed, fill=float("nan")).isnan(), ~keep.unsqueeze(2).expand_as(x))


@pytest.mark.parametrize("shape", [(0, 5, 3), (2, 0, 3), (2, 5, 0)], ids=str)
def test_empty_batches(shape):
    x, keep = torch.randn(shape), torch.ones(shape[:2], dtype=torch.bool)
    packed = compact(x, keep)
    assert packed.values.shape == (shape[0] * shape[1], shape[2])
    assert packed.max_len == (shape[1] if shape[0] else 0)
    assert uncompact(packed).shape == shape


def test_another_length():
    x, keep = batch(2, 6, 3)
    keep[:, 5] = False
    packed = compact(x, keep)
    assert torch.equal(uncompact(packed, length=5), (x * keep.unsqueeze(2))[:, :5])
    assert uncompact(packed, length=9)[:, 6:].eq(0).all()


def test_gradients_are_each_others_adjoint():
    x, keep = batch(3, 6, 2, dtype=torch.float64)
    x.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: compact(x, keep).values, [x])
    packed = compact(x.detach(), keep)

    def back(values: torch.Tensor) -> torch.Tensor:
        return uncompact(Packed(values, packed.positions, packed.cu_seqlens, 6), fill=2.0)

    assert torch.autograd.gradcheck(back, [packed.values.clone().requires_grad_()])
    assert torch.autograd.gradgradcheck(lambda x: compact(x, keep).values.square(), [x])


def test_opcheck():
    x, keep = batch(3, 6, 2)
    ops = torch.ops.pyfastlm
    torch.library.opcheck(ops.compact_index.default, (keep, "native"))
    positions, cu_seqlens = ops.compact_index(keep, "native")
    torch.library.opcheck(
        ops.compact_gather.default, (x.clone().requires_grad_(), positions, cu_seqlens, "native")
    )
    values = x[keep].requires_grad_()
    torch.library.opcheck(ops.compact_scatter.default, (values, positions, cu_seqlens, 6, 0.5, "native"))


def test_workspaces_are_written_in_place():
    x, keep = batch(3, 40, 8)
    space = torch.full((200, 8), float("nan"))
    packed = compact(x, keep, out=space)
    assert packed.values.data_ptr() == space.data_ptr()
    assert torch.equal(packed.values, x[keep])
    assert space[len(packed.values) :].isnan().all()
    room = torch.full_like(x, float("nan"))
    assert uncompact(packed, out=room).data_ptr() == room.data_ptr()
    assert torch.equal(room, x * keep.unsqueeze(2))


def test_views_are_read_as_they_are():
    x, keep = batch(4, 6, 10)
    assert torch.equal(compact(x.transpose(0, 1), keep.T).values, x.transpose(0, 1)[keep.T])
    assert torch.equal(compact(x[:, :, ::2], keep).values, x[keep][:, ::2])


def test_threads_do_not_matter(monkeypatch):
    x, keep = batch(3, 700, 600)
    for threads in ("1", "2", "7"):
        monkeypatch.setenv("PYFASTLM_NUM_THREADS", threads)
        packed = compact(x, keep)
        assert torch.equal(packed.values, x[keep])
        assert torch.equal(uncompact(packed), x * keep.unsqueeze(2))


@settings(max_examples=80, deadline=None)
@given(
    sequences=st.integers(0, 5),
    length=st.integers(0, 70),
    width=st.integers(1, 9),
    share=st.sampled_from([0.0, 0.1, 0.5, 0.95, 1.0]),
    seed=st.integers(0, 99),
)
def test_random_batches(sequences, length, width, share, seed):
    x, keep = batch(sequences, length, width, share=share, seed=seed)
    packed = compact(x, keep)
    assert torch.equal(packed.values, x[keep])
    assert torch.equal(uncompact(packed), torch.where(keep.unsqueeze(2), x, 0.0))


def test_wrong_arguments_are_named():
    x, keep = batch(3, 6, 2)
    bad = [
        ((x[0, 0], keep), {}, InputError, r"x: expected \[B, L, ...\]"),
        (([1], keep), {}, InputTypeError, "x: expected a torch tensor"),
        ((x, keep.int()), {}, InputTypeError, "keep: expected bool"),
        ((x, keep[:, :3]), {}, InputError, r"keep: expected \[3, 6\]"),
        ((x, keep), {"out": torch.empty(1, 2)}, InputError, "out: expected a contiguous"),
        ((x, keep), {"out": torch.empty(18, 2).half()}, InputTypeError, "out: expected torch.float32"),
        ((x.clone().requires_grad_(), keep), {"out": torch.empty(18, 2)}, InputError, "not differentiable"),
        ((x, keep), {"impl": "triton"}, Unavailable, "needs CUDA tensors"),
    ]
    for arguments, options, error, message in bad:
        with pytest.raises(error, match=message):
            compact(*arguments, **options)


@pytest.mark.parametrize("impl", ["native", "reference"])
@pytest.mark.parametrize("positions", [[0, 0, 1], [1, 0, 1], [0, 6, 1], [-1, 2, 1]])
def test_positions_that_could_not_be_are_refused(positions, impl):
    cu_seqlens = torch.tensor([0, 2, 3]).int()
    packed = Packed(torch.randn(3, 2), torch.tensor(positions).int(), cu_seqlens, 6)
    with pytest.raises(InputError, match=r"packed\.positions: expected to rise within each sequence"):
        uncompact(packed, impl=impl)
