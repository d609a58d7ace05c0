"""``linear`` in C++; the arguments have been checked by :mod:`pyfastlm.ops.linear`."""

import torch
from torch import Tensor

from pyfastlm import _native
from pyfastlm._threads import num_threads
from pyfastlm.ops.native._address import address


def forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return [..., V] in the dtype of ``x``, summed in float32."""
    wide, weight = x.float().contiguous(), weight.contiguous()
    added = None if bias is None else bias.float().contiguous()
    out = torch.empty((*x.shape[:-1], weight.shape[0]), dtype=torch.float32)
    _native.linear_forward(
        rows=x.shape[:-1].numel(),
        dim=x.shape[-1],
        columns=weight.shape[0],
        x=address(wide),
        weight=address(weight),
        weight_dtype=str(weight.dtype).removeprefix("torch."),
        bias=address(added),
        out=address(out),
        threads=num_threads(),
    )
    return out.to(x.dtype)
