"""``compact`` in C++; the arguments have been checked by :mod:`pyfastlm.ops.compact`."""

import torch
from torch import Tensor

from pyfastlm import _native
from pyfastlm._threads import num_threads
from pyfastlm.ops.native._address import address


def index(keep: Tensor) -> tuple[Tensor, Tensor]:
    """Return positions [N] and cu_seqlens [B+1], int32, of what ``keep`` [B, L] keeps."""
    keep = keep.contiguous()
    sequences, length = keep.shape
    cu_seqlens = torch.zeros(sequences + 1, dtype=torch.int32)
    _native.compact_count(address(keep), sequences, length, address(cu_seqlens))
    positions = torch.empty(int(cu_seqlens[-1]), dtype=torch.int32)
    _native.compact_index(address(keep), sequences, length, address(cu_seqlens), address(positions))
    return positions, cu_seqlens


def gather(x: Tensor, positions: Tensor, cu_seqlens: Tensor, values: Tensor) -> None:
    """Write values[n] = x[b, positions[n]] for the rows n of sequence b."""
    x, positions, cu_seqlens = x.contiguous(), positions.contiguous(), cu_seqlens.contiguous()
    _native.compact_gather(
        sequences=x.shape[0],
        length=x.shape[1],
        starts=address(cu_seqlens),
        positions=address(positions),
        bytes=_row_bytes(values),
        batch=address(x),
        packed=address(values),
        threads=num_threads(),
    )


def scatter(values: Tensor, positions: Tensor, cu_seqlens: Tensor, fill: float, x: Tensor) -> None:
    """Write the reverse of ``gather``; ``fill`` where no position names a row.

    Raises:
        ValueError: the positions of a sequence do not rise, or reach past its end.
    """
    values, positions, cu_seqlens = values.contiguous(), positions.contiguous(), cu_seqlens.contiguous()
    row = torch.full(values.shape[1:], fill, dtype=values.dtype)
    _native.compact_scatter(
        sequences=x.shape[0],
        length=x.shape[1],
        starts=address(cu_seqlens),
        positions=address(positions),
        bytes=_row_bytes(values),
        packed=address(values),
        fill=address(row),
        batch=address(x),
        threads=num_threads(),
    )


def _row_bytes(values: Tensor) -> int:
    """Bytes of one packed row; 0 where a row has no numbers."""
    return values.element_size() * values.shape[1:].numel()
