"""``linear_logp`` in C++; the arguments have been checked by :mod:`pyfastlm.ops.linear_logp`."""

import torch
from torch import Tensor

from pyfastlm import _native
from pyfastlm._threads import num_threads
from pyfastlm.ops.native._address import address
from pyfastlm.ops.reference.linear_logp import compute_dtype


class _Inputs:
    """The inputs in the layout that C++ reads; must live as long as the call."""

    def __init__(
        self,
        hidden: Tensor,
        weight: Tensor,
        targets: Tensor,
        bias: Tensor | None,
        softcap: float,
        logit_scale: float,
    ) -> None:
        dtype = compute_dtype(hidden)
        self.hidden = hidden.to(dtype).contiguous()
        self.weight = weight.contiguous()
        self.targets = targets.contiguous()
        self.bias = None if bias is None else bias.to(dtype).contiguous()
        self.native = _native.LinearLogpInputs(
            rows=hidden.shape[0],
            dim=hidden.shape[1],
            vocab=weight.shape[0],
            hidden=address(self.hidden),
            weight=address(self.weight),
            weight_dtype=str(weight.dtype).removeprefix("torch."),
            bias=address(self.bias),
            targets=address(self.targets),
            softcap=softcap,
            logit_scale=logit_scale,
        )


def forward(
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    bias: Tensor | None,
    softcap: float,
    logit_scale: float,
    logp: Tensor,
    argmax: Tensor,
    entropy: Tensor,
    lse: Tensor,
    slope: Tensor,
) -> None:
    """Write into the last five; those of size 0 are not computed. ``slope`` [N, D] is d logp / d hidden."""
    inputs = _Inputs(hidden, weight, targets, bias, softcap, logit_scale)
    _native.linear_logp_forward(
        inputs.native,
        logp=address(logp),
        lse=address(lse),
        argmax=address(argmax),
        entropy=address(entropy),
        slope=address(slope),
        threads=num_threads(),
    )


def backward(
    grad_logp: Tensor,
    grad_entropy: Tensor | None,
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    bias: Tensor | None,
    softcap: float,
    logit_scale: float,
    lse: Tensor,
    entropy: Tensor,
    grad_hidden: bool,
    grad_weight: bool,
    grad_bias: bool,
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Gradients of hidden, weight and bias in their dtypes; None where not asked for."""
    inputs = _Inputs(hidden, weight, targets, bias, softcap, logit_scale)
    to_hidden = torch.empty_like(inputs.hidden) if grad_hidden else None
    to_weight = torch.empty_like(inputs.weight) if grad_weight else None
    to_bias = torch.empty_like(inputs.bias) if grad_bias and inputs.bias is not None else None
    up_logp = grad_logp.to(lse.dtype).contiguous()
    up_entropy = None if grad_entropy is None else grad_entropy.to(lse.dtype).contiguous()
    _native.linear_logp_backward(
        inputs.native,
        lse=address(lse),
        entropy=address(entropy),
        grad_logp=address(up_logp),
        grad_entropy=address(up_entropy),
        grad_hidden=address(to_hidden),
        grad_weight=address(to_weight),
        grad_bias=address(to_bias),
        threads=num_threads(),
    )
    if to_hidden is not None:
        to_hidden = to_hidden.to(hidden.dtype)
    if to_bias is not None and bias is not None:
        to_bias = to_bias.to(bias.dtype)
    return to_hidden, to_weight, to_bias
