"""The parts of a T5 block that look at one token at a time, on packed rows [N, D]."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pyfastlm import ops
from pyfastlm.mrt5.config import MrT5Config

HALF = (torch.float16, torch.bfloat16)


class Linear(nn.Linear):
    """``x @ weight.T``, by :func:`pyfastlm.ops.linear`.

    ``std`` of its first weights is 1/sqrt(in) if None. ``bias`` is what its bias begins with; None for none.
    """

    def __init__(
        self, in_features: int, out_features: int, bias: float | None = None, std: float | None = None
    ) -> None:
        super().__init__(in_features, out_features, bias is not None)
        self.first_bias = bias
        self.std = in_features**-0.5 if std is None else std

    @property
    def dtype(self) -> torch.dtype:
        """What it computes in."""
        return self.weight.dtype

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] to [..., out]."""
        return ops.linear(x, self.weight, self.bias)


class Embedding(nn.Embedding):
    """An embedding that knows the deviation of its first weights."""

    def __init__(self, rows: int, dim: int, std: float) -> None:
        super().__init__(rows, dim)
        self.std = std


class RMSNorm(nn.Module):
    """``weight * x / sqrt(mean(x^2) + eps)``, the mean in float32; the result in the dtype of the weight."""

    def __init__(self, config: MrT5Config) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(config.d_model))
        self.eps: float = config.layer_norm_epsilon

    def forward(self, x: Tensor) -> Tensor:
        """[N, D] to [N, D]."""
        wide = x.float() if x.dtype in HALF else x
        normed = x * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps)
        return self.weight * normed.to(self.weight.dtype)


class GatedGELU(nn.Module):
    """``wo(gelu(wi_0 x) * (wi_1 x))`` with the GELU of tanh."""

    def __init__(self, config: MrT5Config) -> None:
        super().__init__()
        self.wi_0 = Linear(config.d_model, config.d_ff)
        self.wi_1 = Linear(config.d_model, config.d_ff)
        self.wo = Linear(config.d_ff, config.d_model)
        self.dropout = nn.Dropout(config.dropout_rate)

    def forward(self, x: Tensor) -> Tensor:
        """[N, D] to [N, D]."""
        hidden = self.dropout(F.gelu(self.wi_0(x), approximate="tanh") * self.wi_1(x))
        # A float16 checkpoint keeps wo in float32, as T5 does: its sums overflow.
        return self.wo(hidden.to(self.wo.dtype))  # type: ignore[no-any-return]


def bounded(x: Tensor) -> Tensor:
    """In float16 what overflowed comes back into range, as in T5; nothing happens in other dtypes."""
    if x.dtype != torch.float16:
        return x
    most = torch.finfo(x.dtype).max - 1000
    return x.clamp(-most, most)
