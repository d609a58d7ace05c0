"""Numbers in 8 bits for C++; the arguments have been checked by :mod:`pyfastlm.ops._int8`."""

from torch import Tensor

from pyfastlm import _native
from pyfastlm._threads import num_threads
from pyfastlm.ops.native._address import address


def rows_at(values: Tensor, scale: Tensor, dim: int, zero: int) -> _native.Int8Rows:
    """Rows as C++ sees them, while the tensors live."""
    return _native.Int8Rows(
        count=scale.numel(), dim=dim, values=address(values), scale=address(scale), zero=zero
    )


def weights_at(panels: Tensor, scale: Tensor, total: Tensor, count: int, dim: int) -> _native.Int8Weights:
    """Weights as C++ sees them, while the tensors live."""
    return _native.Int8Weights(
        count=count, dim=dim, panels=address(panels), scale=address(scale), sum=address(total)
    )


def rows(x: Tensor, values: Tensor, scale: Tensor, places: Tensor, zero: int, share: float) -> None:
    """Write the bytes and scales of x [..., D], and the places [..., M] of what is kept."""
    wide = x.float().contiguous()
    _native.int8_quantize_rows(
        x=address(wide),
        to=rows_at(values, scale, x.shape[-1], zero),
        share=share,
        most=places.shape[-1],
        places=address(places),
        threads=num_threads(),
    )


def weight(w: Tensor, panels: Tensor, scale: Tensor, total: Tensor) -> None:
    """Write the panels, scales and sums of w [V, D]."""
    wide = w.float().contiguous()
    to = weights_at(panels, scale, total, *w.shape)
    _native.int8_quantize_weights(weight=address(wide), to=to, threads=num_threads())
