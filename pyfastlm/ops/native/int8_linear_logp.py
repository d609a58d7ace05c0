"""``int8_linear_logp`` in C++; the arguments have been checked by :mod:`pyfastlm.ops.int8_linear_logp`."""

import torch
from torch import Tensor

from pyfastlm import _native
from pyfastlm._threads import num_threads
from pyfastlm.ops._int8 import Int8Rows, Int8Weight
from pyfastlm.ops.linear_logp import LinearLogp
from pyfastlm.ops.native._address import address
from pyfastlm.ops.native._int8 import rows_at, weights_at


def forward(
    hidden: Int8Rows,
    weight: Int8Weight,
    targets: Tensor,
    bias: Tensor | None,
    softcap: float,
    logit_scale: float,
    argmax: bool,
    entropy: bool,
) -> LinearLogp:
    """Log-probabilities, and what else is asked for; a ``softcap`` of 0 is none."""
    rows = len(hidden.scale)
    values, scale, chosen = hidden.values.contiguous(), hidden.scale.contiguous(), targets.contiguous()
    added = None if bias is None else bias.float().contiguous()
    logp, lse = torch.empty(rows), torch.empty(rows)
    best = torch.empty(rows, dtype=torch.int64) if argmax else None
    spread = torch.empty(rows) if entropy else None
    _native.int8_linear_logp_forward(
        rows=rows_at(values, scale, hidden.dim, hidden.zero),
        weights=weights_at(weight.panels, weight.scale, weight.sum, *weight.shape, weight.zero),
        bias=address(added),
        targets=address(chosen),
        softcap=softcap,
        logit_scale=logit_scale,
        logp=address(logp),
        lse=address(lse),
        argmax=address(best),
        entropy=address(spread),
        threads=num_threads(),
    )
    return LinearLogp(logp, best, spread)
