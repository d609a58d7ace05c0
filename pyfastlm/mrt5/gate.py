"""Gates: how far each byte is from being deleted."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pyfastlm.mrt5.attention import Rows, unbroken
from pyfastlm.mrt5.config import MrT5Config
from pyfastlm.mrt5.draw import draw
from pyfastlm.mrt5.layers import HALF, Linear, RMSNorm
from pyfastlm.ops import Gated, gate_compact

# Ids that start a segment for the ``fixed`` gate: EOS, white space, punctuation.
SEPARATORS = (1, 12, 13, *range(35, 51), *range(61, 68), *range(94, 100), *range(126, 130))


class Gates(NamedTuple):
    """``values`` [N] float32 (float64 in float64), G, at most 0; ``logits`` [N], z, None if not learned."""

    values: Tensor
    logits: Tensor | None


class DeleteGate(nn.Module):
    """z = w . norm(x) + b; G = k sigmoid(-z), or log sigmoid(z). Large z keeps.

    Source: Kallini et al. (2024), section 3.1; ``models/modeling_mrt5.py``.
    """

    def __init__(self, config: MrT5Config) -> None:
        super().__init__()
        self.scale: float = config.sigmoid_mask_scale
        self.is_scaled: bool = config.deletion_type == "scaled_sigmoid"
        self.noisy: bool = config.use_gumbel_noise
        self.layer_norm = RMSNorm(config) if config.gate_layer_norm else nn.Identity()
        self.feed_forward = Linear(config.d_model, 1, bias=1.0)  # keeps, to begin with

    def forward(self, x: Tensor, ids: Tensor, rows: Rows, generator: torch.Generator | None) -> Gates:
        """The gates of rows [N, D], whose ids are ``ids`` [N]."""
        x = self.layer_norm(x).to(self.feed_forward.weight.dtype)
        z = self.feed_forward(x).squeeze(1)
        z = z.float() if z.dtype in HALF else z
        if self.noisy and self.training:
            # -log(U) of a uniform U is exponential; the noise is Gumbel's on one side, as in the original.
            noise = draw(z, lambda drawn: drawn.exponential_(generator=generator), generator).log()
            z = z - noise.to(z.dtype)
        return Gates(self.scale * torch.sigmoid(-z) if self.is_scaled else F.logsigmoid(z), z)

    def fits_one_pass(self, x: Tensor, norm: RMSNorm) -> bool:
        """Whether :meth:`delete` can take rows [N, D] that ``norm`` reads next: without gradients, noise,
        numbers of different types, or a compiler that would rather fuse the steps itself."""
        half_on_cpu = x.dtype in HALF and x.device.type == "cpu"
        same = all(weight.dtype == x.dtype for weight in (*self.parameters(), norm.weight))
        free = not (torch.is_grad_enabled() or torch.is_autocast_enabled(x.device.type))
        noisy = self.noisy and self.training
        return same and free and not (noisy or half_on_cpu or torch.compiler.is_compiling())

    def delete(self, x: Tensor, closed: Tensor, threshold: float, norm: RMSNorm) -> Gated:
        """Gate, delete and norm for the block that follows in one pass; rows where ``closed`` [N] go too."""
        own = self.layer_norm.weight if isinstance(self.layer_norm, RMSNorm) else None
        return gate_compact(
            x,
            self.feed_forward.weight[0],
            self.feed_forward.bias,
            norm.weight,
            norm=own,
            kind="scaled_sigmoid" if self.is_scaled else "log_sigmoid",
            scale=self.scale,
            threshold=threshold,
            eps=norm.eps,
            closed=closed,
        )


class RandomGate(nn.Module):
    """Closes gates at random: in each row a fraction that is normal around p with deviation 0.05.

    The original draws one fraction for the whole batch, and counts pads.

    Source: ``models/modeling_mrt5.py``, the random baseline.
    """

    def __init__(self, config: MrT5Config) -> None:
        super().__init__()
        self.scale: float = config.sigmoid_mask_scale
        self.probability = config.random_deletion_probability

    def forward(self, x: Tensor, ids: Tensor, rows: Rows, generator: torch.Generator | None) -> Gates:
        """As :meth:`DeleteGate.forward`; ``generator`` decides which."""
        lengths = rows.cu_seqlens.diff()
        row = torch.arange(len(lengths), device=x.device).repeat_interleave(lengths, output_size=len(x))
        normal = draw(x.new_empty(len(lengths)), lambda drawn: drawn.normal_(generator=generator), generator)
        count = ((self.probability + 0.05 * normal) * lengths).long()
        shuffle = draw(x.new_empty(len(x)), lambda drawn: drawn.uniform_(generator=generator), generator)
        order = torch.argsort(row + shuffle)  # by row, at random within it
        closed = torch.empty_like(row, dtype=torch.bool)
        closed[order] = unbroken(rows.cu_seqlens, len(x)) < count[row]
        return _hard(closed, self.scale, x)


class FixedGate(nn.Module):
    """Closes the gates at the end of each segment; of n bytes ceil((1 - a) n) stay open.

    A segment starts with each of :data:`SEPARATORS`, and with each row. (The original counts segments over
    the flattened batch, which is right for one row alone.)

    Source: ``models/modeling_mrt5.py``, the fixed baseline.
    """

    def __init__(self, config: MrT5Config) -> None:
        super().__init__()
        self.scale: float = config.sigmoid_mask_scale
        self.amount = config.fixed_deletion_amount

    def forward(self, x: Tensor, ids: Tensor, rows: Rows, generator: torch.Generator | None) -> Gates:
        """As :meth:`DeleteGate.forward`; only ``ids`` decide."""
        within = unbroken(rows.cu_seqlens, len(x))
        starts = torch.isin(ids, torch.tensor(SEPARATORS, device=ids.device)) | (within == 0)
        segment = starts.cumsum(0) - 1
        first = starts.nonzero().squeeze(1)
        open_ = torch.ceil((1 - self.amount) * segment.bincount().double())
        closed = torch.arange(len(x), device=x.device) - first[segment] >= open_[segment]
        return _hard(closed, self.scale, x)


def gate(config: MrT5Config) -> nn.Module | None:
    """The gate that the configuration asks for."""
    if config.deletion_type is None:
        return None
    return {"random": RandomGate, "fixed": FixedGate}.get(config.deletion_type, DeleteGate)(config)


def _hard(closed: Tensor, scale: float, x: Tensor) -> Gates:
    """k where a gate is closed, 0 where it is open."""
    return Gates(closed.to(torch.promote_types(x.dtype, torch.float32)) * scale, None)
