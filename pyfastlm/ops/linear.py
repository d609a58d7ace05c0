"""The product of a linear layer on a CPU: a register tile, and weights packed as they go."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from pyfastlm.errors import InputError, Unavailable
from pyfastlm.ops import _check
from pyfastlm.ops._dispatch import Impl, choose
from pyfastlm.ops.reference import linear as reference

# From so many rows on packing the weights pays; fewer go to torch, which is slow in half precisions at once.
FEWEST_ROWS = {torch.float32: 24, torch.bfloat16: 2, torch.float16: 2}


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, impl: Impl = "auto") -> Tensor:
    """``x @ weight.T + bias``, as :func:`torch.nn.functional.linear`.

    Args:
        x: [..., D] float32, bfloat16, float16 or float64.
        weight: [V, D], dtype of ``x``.
        bias: [V], optional.
        impl: ``auto`` is native for CPU tensors, but torch for a few rows and for float64; torch elsewhere,
            where the vendor's product is hard to beat. ``reference`` is torch. There is no ``triton``.

    Returns:
        [..., V] in the dtype of ``x``. Native sums run in float32, and a row of the result depends neither on
        the other rows nor on the number of threads. Gradients reach all three, by torch.

    Raises:
        InputError, InputTypeError: a shape, dtype or device is wrong.
        Unavailable: ``impl`` cannot run here.
    """
    _check.floating("x", x, x, "x")
    if x.ndim == 0:
        raise InputError("x: expected [..., D], got a single number")
    _check.floating("weight", weight, x, "x")
    dim = x.shape[-1]
    if weight.ndim != 2 or weight.shape[1] != dim:
        raise InputError(f"weight: expected [V, {dim}], got shape {list(weight.shape)}")
    if weight.dtype != x.dtype:
        raise InputError(f"weight: expected the dtype of x, {x.dtype}, got {weight.dtype}")
    if bias is not None and tuple(_check.floating("bias", bias, x, "x").shape) != (len(weight),):
        raise InputError(f"bias: expected [{len(weight)}], got shape {list(bias.shape)}")
    if impl == "triton":
        raise Unavailable("impl='triton' has no linear; on a GPU impl='reference' is the vendor's product")
    chosen = "reference" if x.device.type != "cpu" and impl == "auto" else choose(impl, x.device, x.dtype)
    if x.dtype == torch.float64:
        if impl == "native":
            raise Unavailable("impl='native' has no float64; use impl='reference'")
        chosen = "reference"
    if impl == "auto" and x.numel() < FEWEST_ROWS.get(x.dtype, 0) * dim:
        chosen = "reference"
    if chosen == "reference":
        return reference.linear(x, weight, bias)
    return torch.ops.pyfastlm.linear(x, weight, bias)  # type: ignore[no-any-return]


_library = torch.library.Library("pyfastlm", "FRAGMENT")
_library.define("linear(Tensor x, Tensor weight, Tensor? bias) -> Tensor")


def _forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    from pyfastlm.ops.native.linear import forward

    return forward(x, weight, bias)


def _fake_forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return x.new_empty((*x.shape[:-1], weight.shape[0]))


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, weight, _ = inputs
    ctx.save_for_backward(x, weight)


@once_differentiable
def _differentiate(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    x, weight = ctx.saved_tensors
    to_x, to_weight, to_bias = ctx.needs_input_grad
    rows = grad.flatten(0, -2)
    return (
        grad @ weight if to_x else None,
        rows.T @ x.flatten(0, -2) if to_weight else None,
        rows.sum(0) if to_bias else None,
    )


_library.impl("linear", _forward, "CompositeExplicitAutograd")
torch.library.register_fake("pyfastlm::linear", _fake_forward, lib=_library)
torch.library.register_autograd("pyfastlm::linear", _differentiate, setup_context=_save, lib=_library)
