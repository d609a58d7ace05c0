"""The Triton kernels of compact and uncompact, interpreted on the CPU (see conftest.py): bit for bit."""

import pytest
import torch
from guards import DEVICE, guarded
from torch import Tensor

from pyfastlm.ops import Packed, compact, uncompact

pytest.importorskip("triton")

DTYPES = [torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.uint8, torch.bool]


@pytest.fixture
def kernels(poisoned):
    from pyfastlm.kernels import compact as module

    return module


def batch(*shape: int, dtype: torch.dtype = torch.float32, share: float = 0.5) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    keep = torch.rand(shape[:2], generator=random) < share
    return (10 * torch.randn(*shape, generator=random)).to(dtype), keep


def poisoned_like(*shape: int, dtype: torch.dtype) -> Tensor:
    """An output that is poisoned and guarded; integers of the same size carry the dtypes without a NaN."""
    carrier = {1: torch.uint8, 2: torch.float16, 4: torch.float32, 8: torch.float64}[dtype.itemsize]
    return torch.empty(shape, dtype=carrier, device=DEVICE).view(dtype)


def there_and_back(kernels, x: Tensor, keep: Tensor, fill: float = 1.0) -> None:
    positions, cu_seqlens = kernels.index(guarded(keep, gap=0).contiguous())
    assert torch.equal(positions.cpu(), keep.nonzero()[:, 1].int())
    assert cu_seqlens.tolist() == [0, *keep.sum(1).cumsum(0).tolist()]
    index = guarded(positions), guarded(cu_seqlens)
    values = poisoned_like(len(positions), *x.shape[2:], dtype=x.dtype)
    kernels.gather(guarded(x), *index, values)
    assert torch.equal(values.cpu(), x[keep])
    back = poisoned_like(*x.shape, dtype=x.dtype)
    kernels.scatter(guarded(x[keep]), *index, fill, back)
    expected = x.clone()
    expected[~keep] = fill
    assert torch.equal(back.cpu(), expected)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 17, 5), (2, 130, 33), (4, 9), (2, 5, 3, 2)], ids=str)
def test_there_and_back(kernels, shape, dtype):
    there_and_back(kernels, *batch(*shape, dtype=dtype))


def test_rows_wider_than_a_tile_and_sequences_longer_than_a_block(kernels):
    there_and_back(kernels, *batch(2, 12, 1100))
    there_and_back(kernels, *batch(2, kernels.INDEX_BLOCK + 300, 1, dtype=torch.int64))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_all_or_nothing_kept(kernels, share):
    there_and_back(kernels, *batch(3, 7, 4, share=share))


@pytest.mark.parametrize("shape", [(0, 5, 3), (2, 0, 3), (2, 5, 0)], ids=str)
def test_empty_batches(kernels, shape):
    there_and_back(kernels, torch.zeros(shape), torch.ones(shape[:2], dtype=torch.bool))


def test_complex_numbers_and_fill(kernels):
    for dtype in (torch.complex64, torch.complex128):
        x, keep = batch(2, 5, 3, dtype=dtype)
        packed = compact(x.to(DEVICE), keep.to(DEVICE), impl="triton")
        assert torch.equal(packed.values.cpu(), x[keep])
        expected = x.masked_fill(~keep.unsqueeze(2), 2.5)
        assert torch.equal(uncompact(packed, fill=2.5, impl="triton").cpu(), expected)


def test_views_are_read_as_they_are(kernels):
    x, keep = (t.to(DEVICE) for t in batch(4, 6, 10))
    for view, kept in ((x.transpose(0, 1), keep.T), (x[:, :, ::2], keep), (x[:, 1:5], keep[:, 1:5])):
        packed = compact(view, kept, impl="triton")
        assert torch.equal(packed.values, view[kept])
        whole = uncompact(packed, impl="triton")
        assert torch.equal(whole, view * kept.unsqueeze(2))


def test_more_sequences_than_are_searched_at_once(kernels):
    there_and_back(kernels, *batch(140, 2, 1))


def test_positions_that_could_not_be_touch_nothing(kernels):
    """A GPU does not check them: they must neither read nor write outside the batch."""
    positions, cu_seqlens = torch.tensor([0, 9, -3, 5, 6, 2**30]).int(), torch.tensor([0, 3, 6]).int()
    x = torch.arange(24.0).view(2, 6, 2)
    values = poisoned_like(6, 2, dtype=torch.float32)
    kernels.gather(guarded(x), guarded(positions), guarded(cu_seqlens), values)
    expected = torch.zeros(6, 2)
    expected[0], expected[3] = x[0, 0], x[1, 5]
    assert torch.equal(values.cpu(), expected)
    back = poisoned_like(2, 6, 2, dtype=torch.float32)
    kernels.scatter(guarded(torch.ones(6, 2)), guarded(positions), guarded(cu_seqlens), -1.0, back)
    assert (back == 1).all(2).nonzero().tolist() == [[0, 0], [1, 5]]
    assert (back == -1).all(2).sum() == 10


def test_another_length(kernels):
    x, keep = (t.to(DEVICE) for t in batch(2, 6, 3))
    keep[:, 5] = False
    packed = compact(x, keep, impl="triton")
    whole = x * keep.unsqueeze(2)
    assert torch.equal(uncompact(packed, length=5, impl="triton"), whole[:, :5])
    longer = uncompact(packed, length=9, impl="triton")
    assert torch.equal(longer[:, :6], whole)
    assert longer[:, 6:].eq(0).all()


def test_workspaces_are_written_in_place(kernels):
    x, keep = (t.to(DEVICE) for t in batch(3, 20, 8))
    space, room = torch.full((80, 8), float("nan"), device=DEVICE), torch.full_like(x, float("nan"))
    packed = compact(x, keep, out=space, impl="triton")
    assert packed.values.data_ptr() == space.data_ptr()
    assert torch.equal(packed.values, x[keep])
    assert space[len(packed.values) :].isnan().all()
    assert uncompact(packed, out=room, impl="triton").data_ptr() == room.data_ptr()
    assert torch.equal(room, x * keep.unsqueeze(2))


def test_gradients_are_each_others_adjoint():
    x, keep = (t.to(DEVICE) for t in batch(3, 6, 2, dtype=torch.float64))
    x.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: compact(x, keep, impl="triton").values, [x])
    packed = compact(x.detach(), keep, impl="triton")

    def back(values: Tensor) -> Tensor:
        return uncompact(Packed(values, packed.positions, packed.cu_seqlens, 6), fill=2.0, impl="triton")

    assert torch.autograd.gradcheck(back, [packed.values.clone().requires_grad_()])


def test_opcheck():
    x, keep = (t.to(DEVICE) for t in batch(3, 6, 2))
    ops = torch.ops.pyfastlm
    torch.library.opcheck(ops.compact_index.default, (keep, "triton"))
    positions, cu_seqlens = ops.compact_index(keep, "triton")
    leaf, values = x.clone().requires_grad_(), x[keep].requires_grad_()
    torch.library.opcheck(ops.compact_gather.default, (leaf, positions, cu_seqlens, "triton"))
    torch.library.opcheck(ops.compact_scatter.default, (values, positions, cu_seqlens, 6, 0.5, "triton"))
