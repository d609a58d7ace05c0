"""Log-probabilities of target tokens straight from hidden states, without ever holding the logits."""

from typing import NamedTuple

import torch
from torch import Tensor

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.ops._dispatch import Impl, choose
from pyfastlm.ops.reference import linear_logp as reference

FLOATS = (torch.float32, torch.bfloat16, torch.float16, torch.float64)


class LinearLogp(NamedTuple):
    """What :func:`linear_logp` returns; ``argmax`` and ``entropy`` are ``None`` unless asked for.

    ``logp`` [N] float32, nats. ``argmax`` [N] int64, lowest index among equals. ``entropy`` [N] float32, nats.
    """

    logp: Tensor
    argmax: Tensor | None
    entropy: Tensor | None


def linear_logp(
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    *,
    bias: Tensor | None = None,
    softcap: float | None = None,
    logit_scale: float = 1.0,
    argmax: bool = False,
    entropy: bool = False,
    impl: Impl = "auto",
) -> LinearLogp:
    """Log-probability of each target under ``softmax(softcap(logit_scale * hidden @ weight.T + bias))``.

    Args:
        hidden: [N, D] float32, bfloat16, float16 or float64.
        weight: [V, D]; any of these dtypes (float64 exactly when ``hidden`` is). May be tied to an embedding.
        targets: [N] int64 in [0, V), or -100 for rows that give 0 and no gradient.
        bias: [V], optional.
        softcap: ``c`` in ``c * tanh(z / c)``, applied last; None for none.
        logit_scale: factor on the product, before the bias.
        argmax: also return the most probable token of each row.
        entropy: also return the entropy of each row (differentiable).
        impl: ``auto`` goes by the device; see :mod:`pyfastlm.ops`.

    Returns:
        :class:`LinearLogp`. Sums run in float32 (float64 for float64 inputs); NaN in gives NaN out.
        Gradients reach ``hidden``, ``weight`` and ``bias``.

    Raises:
        InputError, InputTypeError: a shape, dtype, device or target is wrong.
        Unavailable: ``impl`` cannot run here.

    Source: the online log-sum-exp of Milakov and Gimelshein (2018); the idea of fusing it with the
    projection is that of Cut Cross-Entropy (Wijmans et al., 2024).
    """
    _check(hidden, weight, targets, bias, softcap, logit_scale)
    chosen = choose(impl, hidden.device)
    if chosen == "reference":
        logp, best, spread = reference.linear_logp(
            hidden, weight, targets, bias=bias, softcap=softcap, logit_scale=logit_scale
        )
        return LinearLogp(logp, best if argmax else None, spread if entropy else None)
    raise NotImplementedError


def _check(
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    bias: Tensor | None,
    softcap: float | None,
    logit_scale: float,
) -> None:
    """Refuse what the kernels below could not survive; each error names the argument."""
