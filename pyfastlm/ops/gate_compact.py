"""MrT5's gate and what it deletes, in one pass over the hidden states; for inference."""

import importlib
import math
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.ops import _check
from pyfastlm.ops._dispatch import Impl, choose

Kind = Literal["scaled_sigmoid", "log_sigmoid"]


class Gated(NamedTuple):
    """What a gate says of N rows, and the M rows that it keeps.

    Attributes:
        values, logits: [N], G and z, float32 (float64 for float64).
        rows: [M] int32, which rows are kept, rising.
        kept: [M, D], those rows.
        normed: [M, D], the same after the norm that follows.
    """

    values: Tensor
    logits: Tensor
    rows: Tensor
    kept: Tensor
    normed: Tensor


def gate_compact(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    next_norm: Tensor,
    *,
    norm: Tensor | None = None,
    kind: Kind = "scaled_sigmoid",
    scale: float = -30.0,
    threshold: float = -15.0,
    eps: float = 1e-6,
    closed: Tensor | None = None,
    impl: Impl = "auto",
) -> Gated:
    """Gate packed rows, remove those whose gate is closed, and norm the rest for the layer that follows.

    z = weight @ norm(x) + bias with norm(x) = norm * x / sqrt(mean(x^2) + eps), and G = scale * sigmoid(-z)
    or log_sigmoid(z). A row is kept if G > threshold. Equal to norm, projection, copy and
    norm one by one up to rounding, but the rows come from memory once.

    Args:
        x: [N, D] float32, bfloat16, float16 or float64, without gradient.
        weight, bias: [D], [1], of the gate's projection, dtype of ``x``.
        next_norm: [D], weight of the RMS norm that reads the kept rows, dtype of ``x``.
        norm: [D], weight of the gate's own RMS norm, dtype of ``x``; None for none.
        kind: how G follows from z.
        scale: k, below 0; also the G of closed rows.
        threshold: a row is kept if its G is above.
        eps: of both norms, above 0.
        closed: [N] bool, rows that are deleted whatever z is; None for none.
        impl: ``auto`` goes by the device, and takes the reference for bfloat16 and float16 on a CPU; an
            implementation asked for by name runs or raises.

    Returns:
        :class:`Gated`. Not differentiable. On a GPU the call waits for the device once, for M.

    Raises:
        InputError, InputTypeError: a shape, dtype, device or number is wrong, or an input wants a gradient.
        Unavailable: ``impl`` cannot run here.

    Source: Kallini et al. (2024), sections 3.1 and 3.2.
    """
    _check_inputs(x, {"weight": weight, "bias": bias, "next_norm": next_norm, "norm": norm})
    if kind not in get_args(Kind):
        raise InputError(f"kind: expected one of {', '.join(get_args(Kind))}; got {kind!r}")
    if not (math.isfinite(scale) and scale < 0):
        raise InputError(f"scale: expected a finite number below 0, got {scale}")
    if not math.isfinite(threshold):
        raise InputError(f"threshold: expected a finite number, got {threshold}")
    if not (math.isfinite(eps) and eps > 0):
        raise InputError(f"eps: expected a finite number above 0, got {eps}")
    if closed is not None:
        if _check.dense("closed", closed, x, "x").dtype != torch.bool:
            raise InputTypeError(f"closed: expected bool, got {closed.dtype}")
        if closed.shape != x.shape[:1]:
            raise InputError(f"closed: expected [{len(x)}], got shape {list(closed.shape)}")
    chosen = choose(impl, x.device, x.dtype)
    if chosen == "native" and x.dtype in (torch.float16, torch.bfloat16):
        if impl == "native":
            raise InputTypeError(f"x: expected float32 or float64 with impl='native', got {x.dtype}")
        chosen = "reference"
    room = {
        "native": "pyfastlm.ops.native",
        "triton": "pyfastlm.kernels",
        "reference": "pyfastlm.ops.reference",
    }
    kernel = importlib.import_module(f"{room[chosen]}.gate_compact")
    found = kernel.forward(
        x.detach(), weight, bias, next_norm, norm, kind, float(scale), float(threshold), float(eps), closed
    )
    return Gated(*found)


def _check_inputs(x: Tensor, weights: dict[str, Tensor | None]) -> None:
    _check.floating("x", x, x, "x")
    if x.ndim != 2 or x.shape[1] == 0:
        raise InputError(f"x: expected [N, D] with D at least 1, got shape {list(x.shape)}")
    if len(x) >= 2**31:
        raise InputError(f"x: expected fewer than 2**31 rows, got {len(x)}")
    for name, tensor in weights.items():
        if tensor is None:
            continue
        if _check.dense(name, tensor, x, "x").dtype != x.dtype:
            raise InputTypeError(f"{name}: expected the dtype of x, {x.dtype}, got {tensor.dtype}")
        size = 1 if name == "bias" else x.shape[1]
        if tuple(tensor.shape) != (size,):
            raise InputError(f"{name}: expected [{size}], got shape {list(tensor.shape)}")
    wants = [name for name, t in {"x": x, **weights}.items() if t is not None and t.requires_grad]
    if wants and torch.is_grad_enabled():
        raise InputError(f"{wants[0]}: expected no gradient to be wanted; call it under torch.no_grad()")
