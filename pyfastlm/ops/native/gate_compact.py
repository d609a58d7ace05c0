"""``gate_compact`` in C++; the arguments have been checked by :mod:`pyfastlm.ops.gate_compact`."""

import torch
from torch import Tensor

from pyfastlm import _native
from pyfastlm._threads import num_threads
from pyfastlm.ops.native._address import address


def forward(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    next_norm: Tensor,
    norm: Tensor | None,
    kind: str,
    scale: float,
    threshold: float,
    eps: float,
    closed: Tensor | None,
) -> tuple[Tensor, ...]:
    """Return G, z, the kept rows' index, the kept rows, and the same normed."""
    rows, dim = x.shape
    x, next_norm = x.contiguous(), next_norm.contiguous()
    gate = (weight if norm is None else weight * norm).contiguous()
    closed = None if closed is None else closed.contiguous()
    values, logits = x.new_empty(rows), x.new_empty(rows)
    index = torch.empty(rows, dtype=torch.int32)
    kept, normed = torch.empty_like(x), torch.empty_like(x)  # pages that stay unwritten cost nothing
    count = _native.gate_compact(
        is_double=x.dtype == torch.float64,
        rows=rows,
        dim=dim,
        x=address(x),
        weight=address(gate),
        bias=float(bias),
        normed=norm is not None,
        logarithmic=kind == "log_sigmoid",
        scale=scale,
        threshold=threshold,
        closed=address(closed),
        next=address(next_norm),
        eps=eps,
        values=address(values),
        logits=address(logits),
        index=address(index),
        kept=address(kept),
        following=address(normed),
        threads=num_threads(),
    )
    return values, logits, index[:count], kept[:count], normed[:count]
