"""``int8_linear`` in C++; the arguments have been checked by :mod:`pyfastlm.ops.int8_linear`."""

from torch import Tensor

from pyfastlm import _native
from pyfastlm._threads import num_threads
from pyfastlm.ops.native._address import address
from pyfastlm.ops.native._int8 import kept_at, rows_at, weights_at


def forward(
    values: Tensor,
    row_scale: Tensor,
    panels: Tensor,
    scale: Tensor,
    total: Tensor,
    bias: Tensor | None,
    places: Tensor | None,
    numbers: Tensor | None,
    source: Tensor,
    zero: int,
    out: Tensor,
) -> None:
    """Write the products [..., V]."""
    count, dim = source.shape
    _native.int8_linear_forward(
        rows=rows_at(values, row_scale, dim, zero),
        weights=weights_at(panels, scale, total, count, dim, zero),
        kept=kept_at(places, numbers),
        source=address(source),
        source_dtype=str(source.dtype).removeprefix("torch."),
        stride=source.stride(0),
        step=source.stride(1),
        bias=address(bias),
        out=address(out),
        threads=num_threads(),
    )
