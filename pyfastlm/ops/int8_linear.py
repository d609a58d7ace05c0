"""The product of a linear layer in 8 bits."""

import importlib

import torch
from torch import Tensor

from pyfastlm.errors import InputError
from pyfastlm.ops import _check
from pyfastlm.ops._dispatch import Impl, choose
from pyfastlm.ops._int8 import Int8Rows, Int8Weight, rows_for
from pyfastlm.ops.reference import int8_linear as reference


def int8_linear(
    x: Tensor | Int8Rows, weight: Int8Weight, bias: Tensor | None = None, *, impl: Impl = "auto"
) -> Tensor:
    """``x @ weight.T + bias`` with activations and weights of 8 bits, summed in whole numbers.

    Both are rotated by the same orthogonal matrix before they are rounded (see :func:`int8_rows` and
    :func:`int8_weight`), which needs no calibration and leaves the product as it is. On random normal numbers
    the result is off by 1.1 % of its size, with sums of 16 bits by 1.4 % (D = 576).

    Args:
        x: [..., D] float32, bfloat16 or float16, or the same by :func:`int8_rows`, which pays where several
            layers read it.
        weight: of :func:`int8_weight`, [V, D].
        bias: [V] floating point, optional.
        impl: ``auto`` is native for CPU tensors, triton for CUDA. All find the same whole numbers.

    Returns:
        [..., V] in the dtype of ``x``. NaN in rows that have NaN or infinity. A row depends neither on other
        rows nor on the number of threads. There is no gradient.

    Raises:
        InputError, InputTypeError: a shape, dtype or device is wrong, or a gradient is asked for.
        Unavailable: ``impl`` cannot run here.

    Source: rotation before rounding follows QuaRot (Ashkboos et al., 2024).
    """
    x = rows_for(weight, x, "x", impl)
    count = weight.shape[0]
    if bias is not None:
        _check.dense("bias", bias, x.values, "x")
        if not bias.dtype.is_floating_point or tuple(bias.shape) != (count,):
            raise InputError(
                f"bias: expected [{count}] floating point, got {bias.dtype} of shape {list(bias.shape)}"
            )
    chosen = choose(impl, x.values.device, torch.float32)
    places, numbers = x.kept or (None, None)
    out: Tensor = torch.ops.pyfastlm.int8_linear(
        x.values, x.scale, weight.panels, weight.scale, weight.sum, bias, places, numbers, weight.source,
        x.zero, chosen,
    )  # fmt: skip
    return out.to(x.dtype)


_library = torch.library.Library("pyfastlm", "FRAGMENT")
_library.define(
    "int8_linear(Tensor values, Tensor row_scale, Tensor panels, Tensor scale, Tensor total, Tensor? bias, "
    "Tensor? places, Tensor? numbers, Tensor source, int zero, str impl) -> Tensor"
)


def _fake_forward(
    values: Tensor,
    row_scale: Tensor,
    panels: Tensor,
    scale: Tensor,
    total: Tensor,
    bias: Tensor | None,
    places: Tensor | None,
    numbers: Tensor | None,
    source: Tensor,
    zero: int,
    impl: str,
) -> Tensor:
    """[..., V] float32, unwritten."""
    return row_scale.new_empty((*row_scale.shape, source.shape[0]))


def _forward(
    values: Tensor,
    row_scale: Tensor,
    panels: Tensor,
    scale: Tensor,
    total: Tensor,
    bias: Tensor | None,
    places: Tensor | None,
    numbers: Tensor | None,
    source: Tensor,
    zero: int,
    impl: str,
) -> Tensor:
    out = row_scale.new_empty((*row_scale.shape, source.shape[0]))
    values, row_scale = values.contiguous(), row_scale.contiguous()
    added = None if bias is None else bias.float().contiguous()
    if impl == "native":
        from pyfastlm.ops.native.int8_linear import forward

        if places is not None and numbers is not None:
            places, numbers = places.contiguous(), numbers.contiguous()
        forward(values, row_scale, panels, scale, total, added, places, numbers, source, zero, out)
        return out
    if impl == "triton":
        kernel = importlib.import_module("pyfastlm.kernels.int8_linear")
        kernel.forward(values, row_scale, panels, scale, total, added, source.shape[1], zero, out)
    else:
        out = reference.int8_linear(values, row_scale, zero, panels, scale, source.shape[0], added)
    if places is not None and numbers is not None:
        out += reference.kept_products(places, numbers, source)
    return out


_library.impl("int8_linear", _forward, "CompositeExplicitAutograd")
torch.library.register_fake("pyfastlm::int8_linear", _fake_forward, lib=_library)
