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


def weights_at(
    panels: Tensor, scale: Tensor, total: Tensor, count: int, dim: int, zero: int
) -> _native.Int8Weights:
    """Weights as C++ sees them, while the tensors live."""
    return _native.Int8Weights(
        count=count, dim=dim, panels=address(panels), scale=address(scale), sum=address(total), zero=zero
    )


def kept_at(places: Tensor | None, numbers: Tensor | None) -> _native.Int8Kept:
    """What is kept of rows as C++ sees it, while the tensors live."""
    most = 0 if places is None else places.shape[-1]
    return _native.Int8Kept(most=most, places=address(places), numbers=address(numbers))


def rows(
    x: Tensor, values: Tensor, scale: Tensor, places: Tensor, numbers: Tensor, zero: int, share: float
) -> None:
    """Write the bytes and scales of x [..., D], and the places and numbers [..., M] of what is kept."""
    wide = x.float().contiguous()
    _native.int8_quantize_rows(
        x=address(wide),
        to=rows_at(values, scale, x.shape[-1], zero),
        share=share,
        kept=kept_at(places, numbers),
        threads=num_threads(),
    )


def weight(w: Tensor, panels: Tensor, scale: Tensor, total: Tensor, zero: int) -> None:
    """Write the panels, scales and sums of w [V, D]."""
    wide = w.float().contiguous()
    to = weights_at(panels, scale, total, w.shape[0], w.shape[1], zero)
    _native.int8_quantize_weights(weight=address(wide), to=to, threads=num_threads())
