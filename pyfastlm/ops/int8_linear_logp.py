"""Log-probabilities of target tokens, with the last product in 8 bits."""

import torch
from torch import Tensor

from pyfastlm.errors import InputError, InputTypeError, Unavailable
from pyfastlm.ops import _check
from pyfastlm.ops._dispatch import Impl, choose
from pyfastlm.ops._int8 import Int8Rows, Int8Weight, rows_for
from pyfastlm.ops.linear_logp import LinearLogp, check_targets, checked_softcap
from pyfastlm.ops.reference import int8_linear_logp as reference


def int8_linear_logp(
    hidden: Tensor | Int8Rows,
    weight: Int8Weight,
    targets: Tensor,
    *,
    bias: Tensor | None = None,
    softcap: float | None = None,
    logit_scale: float = 1.0,
    argmax: bool = False,
    entropy: bool = False,
    impl: Impl = "auto",
) -> LinearLogp:
    """:func:`linear_logp` with the product of :func:`int8_linear`; no logits are held, and no gradient.

    Args:
        hidden: [N, D] float32, bfloat16 or float16, or the same by :func:`int8_rows`.
        weight: of :func:`int8_weight`, [V, D].
        targets, bias, softcap, logit_scale, argmax, entropy: as there.
        impl: ``auto`` is native for CPU tensors, torch in float64 elsewhere. There is no ``triton``.

    Raises:
        InputError, InputTypeError: a shape, dtype, device or target is wrong, or a gradient is asked for.
        Unavailable: ``impl`` cannot run here.
    """
    hidden = rows_for(weight, hidden, "hidden", impl)
    if hidden.kept is not None:
        raise InputError("hidden: expected rows of which nothing is kept; call int8_rows without keep")
    if hidden.scale.ndim != 1:
        shape = [*hidden.scale.shape, hidden.dim]
        raise InputError(f"hidden: expected [N, D], got shape {shape}; flatten leading dimensions")
    rows, count = len(hidden.scale), weight.shape[0]
    if count == 0:
        raise InputError("weight: expected V >= 1, got no row")
    _check.dense("targets", targets, hidden.values, "hidden")
    if targets.dtype != torch.int64:
        raise InputTypeError(f"targets: expected int64, got {targets.dtype}")
    if tuple(targets.shape) != (rows,):
        raise InputError(f"targets: expected [{rows}], got shape {list(targets.shape)}")
    check_targets(targets, count)
    if bias is not None:
        _check.dense("bias", bias, hidden.values, "hidden")
        if not bias.dtype.is_floating_point or tuple(bias.shape) != (count,):
            raise InputError(
                f"bias: expected [{count}] floating point, got {bias.dtype} of shape {list(bias.shape)}"
            )
    cap = checked_softcap(softcap, logit_scale)
    if impl == "triton":
        raise Unavailable("impl='triton' has no int8_linear_logp; use impl='reference'")
    device = hidden.values.device
    chosen = "reference" if impl == "auto" and device.type != "cpu" else choose(impl, device, torch.float32)
    if chosen == "reference":
        logp, best, spread = reference.int8_linear_logp(
            hidden.values, hidden.scale, hidden.zero, weight.panels, weight.scale, count, targets,
            bias=bias, softcap=softcap, logit_scale=logit_scale,
        )  # fmt: skip
        return LinearLogp(logp, best if argmax else None, spread if entropy else None)
    from pyfastlm.ops.native.int8_linear_logp import forward

    return forward(hidden, weight, targets, bias, cap, float(logit_scale), argmax, entropy)
