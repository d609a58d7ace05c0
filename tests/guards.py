"""Memory that betrays a kernel: outputs full of poison between strips of it, inputs that end at a wall."""

import ctypes
import mmap
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

GPU = torch.cuda.is_available()
DEVICE = "cuda" if GPU else "cpu"
DTYPES = [torch.float32, torch.float16, *([torch.bfloat16] if GPU else [])]
STRIP = 128  # elements of poison on either side of a buffer
PROT_NONE = 0  # of mprotect; the mmap module does not name it


def poison(dtype: torch.dtype) -> float | int | bool:
    """NaN, or an absurd integer."""
    if dtype.is_floating_point:
        return float("nan")
    return True if dtype == torch.bool else torch.iinfo(dtype).min // 2 or torch.iinfo(dtype).max


def poisoned_buffers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[Tensor, int]]]:
    """Every torch.empty is full of poison and lies between two strips of it; the strips must survive, and
    what the kernels do not write shows in the results. The body of a fixture."""
    buffers = []

    def empty(*size, dtype=torch.float32, device="cpu"):
        size = size[0] if len(size) == 1 and isinstance(size[0], tuple) else size
        count = torch.Size(size).numel()
        buffer = torch.full((count + 2 * STRIP,), poison(dtype), dtype=dtype, device=device)
        buffers.append((buffer, count))
        return buffer[STRIP : STRIP + count].view(size)

    monkeypatch.setattr(torch, "empty", empty)
    yield buffers
    for buffer, count in buffers:
        strips = torch.cat([buffer[:STRIP], buffer[STRIP + count :]])
        intact = strips.isnan() if buffer.is_floating_point() else strips == poison(buffer.dtype)
        assert intact.all(), "a kernel wrote outside its output"


def guarded(x: Tensor | None, gap: int = 3) -> Tensor | None:
    """``x`` between poison: a strip before it, ``gap`` elements after every row, and behind its last element
    a page that cannot be read, so that a load without its mask poisons the result or ends the process."""
    if x is None or GPU or x.numel() == 0:
        return None if x is None else x.to(DEVICE)
    *outer, width = x.shape
    rows, stride = torch.Size(outer).numel(), width + gap if outer else width
    count = (rows - 1) * stride + width
    page = mmap.PAGESIZE
    room = -(-(count + 64) * x.itemsize // page) * page
    memory = mmap.mmap(-1, room + page)
    flat = torch.frombuffer(memory, dtype=x.dtype, count=room // x.itemsize)
    flat.fill_(poison(x.dtype))
    view = flat.as_strided((rows, width), (stride, 1), flat.numel() - count)
    view.copy_(x.reshape(rows, width))
    libc = ctypes.CDLL(None, use_errno=True)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory)) + room
    assert libc.mprotect(ctypes.c_void_p(start), ctypes.c_size_t(page), PROT_NONE) == 0
    return view.view(x.shape)
