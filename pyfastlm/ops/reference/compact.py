"""``compact`` and ``uncompact`` by indexing."""

import torch
from torch import Tensor


def index(keep: Tensor) -> tuple[Tensor, Tensor]:
    """Return positions [N] and cu_seqlens [B+1], int32, of what ``keep`` [B, L] keeps."""
    ends = keep.sum(dim=1).cumsum(0)
    cu_seqlens = torch.cat([ends.new_zeros(1), ends]).int()
    return keep.nonzero()[:, 1].int(), cu_seqlens


def gather(x: Tensor, positions: Tensor, cu_seqlens: Tensor, values: Tensor) -> None:
    """Write values[n] = x[b, positions[n]] for the rows n of sequence b."""
    values.copy_(x[sequence(cu_seqlens), positions.long()])


def scatter(values: Tensor, positions: Tensor, cu_seqlens: Tensor, fill: float, x: Tensor) -> None:
    """Write the reverse of ``gather``; ``fill`` where no position names a row."""
    rises = positions.diff() > 0
    rises[cu_seqlens[1:-1].long() - 1] = True  # from one sequence to the next
    if len(positions) and not (
        bool(rises.all()) and 0 <= int(positions.min()) <= int(positions.max()) < x.shape[1]
    ):
        raise ValueError(f"positions: expected to rise within each sequence and stay below {x.shape[1]}")
    x.fill_(fill)[sequence(cu_seqlens), positions.long()] = values


def sequence(cu_seqlens: Tensor) -> Tensor:
    """The sequence of each packed row [N], int64."""
    lengths = cu_seqlens.diff().long()
    return torch.arange(len(lengths), device=cu_seqlens.device).repeat_interleave(lengths)
