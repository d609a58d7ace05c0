"""``int8_linear_logp`` as plain torch, in float64."""

from torch import Tensor

from pyfastlm.ops.reference import linear_logp as softmax
from pyfastlm.ops.reference.int8_linear import numbers_of_rows, numbers_of_weight


def int8_linear_logp(
    values: Tensor,
    row_scale: Tensor,
    zero: int,
    panels: Tensor,
    scale: Tensor,
    count: int,
    targets: Tensor,
    *,
    bias: Tensor | None,
    softcap: float | None,
    logit_scale: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Log-probabilities, most probable tokens and entropies of :func:`pyfastlm.ops.int8_linear_logp`."""
    logp, best, spread = softmax.linear_logp(
        numbers_of_rows(values, row_scale, zero),
        numbers_of_weight(panels, scale, count),
        targets,
        bias=None if bias is None else bias.double(),
        softcap=softcap,
        logit_scale=logit_scale,
    )
    return logp.float(), best, spread.float()
