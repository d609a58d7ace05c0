"""``gru_scan`` step by step. Differentiable by torch."""

import torch
from torch import Tensor


def gru_scan(
    table: Tensor,
    ids: Tensor,
    weight_hh: Tensor,
    bias_hh: Tensor,
    h0: Tensor | None,
    lengths: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """The states [B, T, N] and the last [B, N]; see :func:`pyfastlm.ops.gru_scan` for the arguments."""
    rows, steps = ids.shape
    h = table.new_zeros(rows, weight_hh.shape[1]) if h0 is None else h0
    states = []
    for t in range(steps):
        to_r, to_z, to_n = table[ids[:, t]].chunk(3, dim=1)
        r, z, n = (h @ weight_hh.T + bias_hh).chunk(3, dim=1)
        r, z = torch.sigmoid(to_r + r), torch.sigmoid(to_z + z)
        new = (1 - z) * torch.tanh(to_n + r * n) + z * h
        if lengths is None:
            h = new
            states.append(h)
        else:
            active = (t < lengths).unsqueeze(1)
            h = torch.where(active, new, h)
            states.append(torch.where(active, new, 0.0))
    return torch.stack(states, dim=1) if states else table.new_zeros(rows, 0, weight_hh.shape[1]), h
