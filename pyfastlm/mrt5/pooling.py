"""Pooling: neighbours become one row. The baselines that merge where a delete gate removes.

Both shorten for real, in training as in evaluation, and know no difference of soft and hard. A pad inside the
mask is a token to them.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pyfastlm import ops
from pyfastlm.mrt5.attention import Rows, thinned, unbroken
from pyfastlm.mrt5.blocks import EncoderBlock
from pyfastlm.mrt5.config import MrT5Config
from pyfastlm.mrt5.draw import draw
from pyfastlm.mrt5.kinds import Pooling
from pyfastlm.mrt5.layers import HALF, Linear, RMSNorm


class Pooled(NamedTuple):
    """``values`` [M, D] at the positions that the first of their tokens had, in ``rows``.

    ``loss`` [B] float32 (float64 in float64): how unlikely the number of segments is; None where it is fixed.
    """

    values: Tensor
    rows: Rows
    loss: Tensor | None


class BoundaryPredictor(nn.Module):
    """Where segments end: ``z = mlp(x)``, a boundary with probability sigmoid(z).

    In training boundaries are drawn: relaxed Bernoulli variables, rounded, with the gradient as if they were
    not. In evaluation a boundary is where the probability is above 1/2; the original draws there too.

    Source: Nawrot et al. (2023), section 3.1, with Gumbel's estimator; width and names as there.
    """

    def __init__(self, config: MrT5Config) -> None:
        super().__init__()
        self.temperature: float = config.boundary_temperature
        self.boundary_predictor = nn.Sequential(
            Linear(config.d_model, config.d_ff, bias=0.0), nn.GELU(), Linear(config.d_ff, 1, bias=-1.0)
        )

    def forward(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        """[N] of 0 and 1 for rows [N, D]."""
        z: Tensor = self.boundary_predictor(x).squeeze(1)
        z = z.float() if z.dtype in HALF else z
        if not self.training:
            return (z > 0).to(z.dtype)
        uniform = draw(z, lambda drawn: drawn.uniform_(generator=generator), generator)
        soft = torch.sigmoid((z + uniform.logit().to(z.dtype)) / self.temperature)
        return (soft > 0.5).to(z.dtype) + (soft - soft.detach())


class BoundaryBlock(EncoderBlock):
    """At its entry segments become the means of their normed rows; the predictor says where they end.

    Source: Kallini et al. (2024), baseline BPT5; Nawrot et al. (2023).
    """

    def __init__(self, config: MrT5Config, relative: bool) -> None:
        super().__init__(config, relative)
        self.prior: float = config.boundary_prior
        self.down_ln = RMSNorm(config)
        self.boundary_predictor = BoundaryPredictor(config)

    def pool(self, x: Tensor, rows: Rows, generator: torch.Generator | None) -> Pooled:
        """Rows [N, D] merged; the last of each sequence ends a segment. ``generator`` draws in training."""
        x = self.down_ln(x)
        is_last = unbroken(rows.cu_seqlens, len(x)).roll(-1) == 0
        ends = self.boundary_predictor(x, generator).masked_fill(is_last, 1.0)
        starts = (ends > 0.5).roll(1)
        first = starts.nonzero().squeeze(1)
        loss = _prior_loss(ends, rows, self.prior)
        return Pooled(_means(x, ends, starts, first), thinned(rows, starts, first), loss)


class Downsampling(nn.Module):
    """GELU of a convolution that is as wide as its steps are long; only the weights are torch's."""

    def __init__(self, config: MrT5Config) -> None:
        super().__init__()
        rate = config.convolution_rate
        self.conv = nn.Conv1d(config.d_model, config.d_model, kernel_size=rate, stride=rate)

    def forward(self, x: Tensor) -> Tensor:
        """Groups [M, rate, D] to [M, D]."""
        return F.gelu(ops.linear(x.flatten(1), self.conv.weight.transpose(1, 2).flatten(1), self.conv.bias))


class ConvolutionBlock(EncoderBlock):
    """At its entry every ``convolution_rate`` normed rows become one; a last group may lack some, as zeros.

    The original lets groups begin with the padded batch and drops what does not fill one.

    Source: Kallini et al. (2024), baseline CanineT5; Clark et al. (2022), section 3.2.
    """

    def __init__(self, config: MrT5Config, relative: bool) -> None:
        super().__init__(config, relative)
        self.rate: int = config.convolution_rate
        self.down_ln = RMSNorm(config)
        self.downsampling_module = Downsampling(config)

    def pool(self, x: Tensor, rows: Rows, generator: torch.Generator | None) -> Pooled:
        """Rows [N, D] merged; nothing is drawn."""
        slot = unbroken(rows.cu_seqlens, len(x)) % self.rate
        starts = slot == 0
        first = starts.nonzero().squeeze(1)
        place = (starts.cumsum(0) - 1) * self.rate + slot
        x = self.down_ln(x)
        groups = x.new_zeros(len(first) * self.rate, x.shape[1]).index_copy(0, place, x)
        values = self.downsampling_module(groups.view(len(first), self.rate, x.shape[1]))
        return Pooled(values, thinned(rows, starts, first), None)


PoolingBlock = BoundaryBlock | ConvolutionBlock
BLOCKS: dict[Pooling, type[BoundaryBlock] | type[ConvolutionBlock]] = {
    "boundary": BoundaryBlock,
    "convolution": ConvolutionBlock,
}


def _means(x: Tensor, ends: Tensor, starts: Tensor, first: Tensor) -> Tensor:
    """[M, D]: the mean of each segment of rows [N, D]; the segments start at ``first`` [M].

    Each row weighs 1, by a detour that lets gradients reach ``ends`` [N]: an end more would move the rows
    behind it to the next segment. (All later segments would move alike, which changes no mean.)

    Source: ``shortening.py`` of Nawrot et al., there a matrix [L, M] for each sequence.
    """
    segment = starts.cumsum(0) - 1
    before = ends.double().cumsum(0) - ends
    weight = 1 + before - before[first][segment]
    wide = x.float() if x.dtype in HALF else x
    weight = weight.to(wide.dtype)
    mass = weight.new_zeros(len(first)).index_add(0, segment, weight)
    total = wide.new_zeros(len(first), x.shape[1]).index_add(0, segment, weight[:, None] * wide)
    return (total / mass[:, None]).to(x.dtype)


def _prior_loss(ends: Tensor, rows: Rows, prior: float) -> Tensor:
    """[B]: ``-log Binomial(n, prior)(k) / n`` for n rows and k ends, in nats; 0 where there are no rows."""
    lengths = rows.cu_seqlens.diff()
    row = torch.arange(len(lengths), device=ends.device).repeat_interleave(lengths, output_size=len(ends))
    n = lengths.double()
    k = torch.zeros_like(n).index_add(0, row, ends.double())
    ways = torch.lgamma(n + 1) - torch.lgamma(k + 1) - torch.lgamma(n - k + 1)
    log_p = ways + k * math.log(prior) + (n - k) * math.log1p(-prior)
    return (-log_p / n.clamp(min=1)).to(ends.dtype)
