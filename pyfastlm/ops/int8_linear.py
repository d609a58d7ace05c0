"""The product of a linear layer in 8 bits."""

import importlib

import torch
from torch import Tensor

from pyfastlm.errors import InputError
from pyfastlm.ops import _check
from pyfastlm.ops._dispatch import Impl, choose
from pyfastlm.ops._int8 import Int8Rows, Int8Weight, check_weight, int8_rows
from pyfastlm.ops.reference import int8_linear as reference

COMMON = 16  # one row in so many


def int8_linear(
    x: Tensor | Int8Rows, weight: Int8Weight, bias: Tensor | None = None, *, impl: Impl = "auto"
) -> Tensor:
    """``x @ weight.T + bias`` with activations of 8 or 7 bits and weights of 8, summed in whole numbers.

    Both are rotated by the same orthogonal matrix before they are rounded (see :func:`int8_rows` and
    :func:`int8_weight`), which needs no calibration and leaves the product as it is. On random normal numbers
    the result is off by 1.1 % of its size, with activations of 7 bits by 1.7 % (D = 576).

    Args:
        x: [..., D] float32, bfloat16 or float16, or the same by :func:`int8_rows`, which pays where several
            layers read it.
        weight: of :func:`int8_weight`, [V, D].
        bias: [V] floating point, optional.
        impl: ``auto`` is native for CPU tensors, triton for CUDA. All find the same whole numbers.

    Returns:
        [..., V] in the dtype of ``x``. NaN in rows that have NaN or infinity. A row depends neither on other
        rows (but by rounding, where something is kept) nor on the number of threads. There is no gradient.

    Raises:
        InputError, InputTypeError: a shape, dtype or device is wrong, or a gradient is asked for.
        Unavailable: ``impl`` cannot run here.

    Source: rotation before rounding follows QuaRot (Ashkboos et al., 2024).
    """
    if isinstance(x, Tensor):
        if torch.is_grad_enabled() and x.requires_grad:
            raise InputError("x: expected no gradient to be asked for; use torch.no_grad() or float32")
        x = int8_rows(x, impl="reference" if impl == "reference" else "auto")
    check_weight(weight, x.dim, x.values, "x")
    count = weight.shape[0]
    if bias is not None:
        _check.dense("bias", bias, x.values, "x")
        if not bias.dtype.is_floating_point or tuple(bias.shape) != (count,):
            raise InputError(
                f"bias: expected [{count}] floating point, got {bias.dtype} of shape {list(bias.shape)}"
            )
    chosen = choose(impl, x.values.device, torch.float32)
    out: Tensor = torch.ops.pyfastlm.int8_linear(
        x.values, x.scale, weight.panels, weight.scale, weight.sum, bias, x.dim, x.zero, count, chosen
    )
    if x.kept is not None:
        _add_kept(out, *x.kept, weight.source)
    return out.to(x.dtype)


def _add_kept(out: Tensor, places: Tensor, rows: Tensor, weight: Tensor) -> None:
    """Add to out [..., V] the products of what was kept of rows [..., D] with weight [V, D], in float32."""
    flat, source = out.view(-1, out.shape[-1]), rows.reshape(-1, rows.shape[-1])
    places = places.reshape(-1, places.shape[-1])
    row, slot = (places >= 0).nonzero(as_tuple=True)
    column = places[row, slot].long()
    value = source[row, column].float()
    columns, inverse, count = column.unique(return_inverse=True, return_counts=True)
    weights = weight[:, columns].T.float()
    # A column that many rows have is multiplied as a whole, others number by number.
    common = count > len(flat) // COMMON
    dense = common[inverse]
    if bool(common.any()):
        whole = flat.new_zeros(len(flat), len(columns))
        whole[row[dense], inverse[dense]] = value[dense]
        flat.addmm_(whole[:, common], weights[common])
    flat.index_add_(0, row[~dense], value[~dense, None] * weights[inverse[~dense]])


_library = torch.library.Library("pyfastlm", "FRAGMENT")
_library.define(
    "int8_linear(Tensor values, Tensor row_scale, Tensor panels, Tensor scale, Tensor total, Tensor? bias, "
    "int dim, int zero, int count, str impl) -> Tensor"
)


def _fake_forward(
    values: Tensor,
    row_scale: Tensor,
    panels: Tensor,
    scale: Tensor,
    total: Tensor,
    bias: Tensor | None,
    dim: int,
    zero: int,
    count: int,
    impl: str,
) -> Tensor:
    """[..., V] float32, unwritten."""
    return row_scale.new_empty((*row_scale.shape, count))


def _forward(
    values: Tensor,
    row_scale: Tensor,
    panels: Tensor,
    scale: Tensor,
    total: Tensor,
    bias: Tensor | None,
    dim: int,
    zero: int,
    count: int,
    impl: str,
) -> Tensor:
    if impl == "reference":
        return reference.int8_linear(values, row_scale, zero, panels, scale, count, bias)
    out = _fake_forward(values, row_scale, panels, scale, total, bias, dim, zero, count, impl)
    added = None if bias is None else bias.float().contiguous()
    room = {"native": "pyfastlm.ops.native", "triton": "pyfastlm.kernels"}[impl]
    kernel = importlib.import_module(f"{room}.int8_linear")
    kernel.forward(values.contiguous(), row_scale.contiguous(), panels, scale, total, added, dim, zero, out)
    return out


_library.impl("int8_linear", _forward, "CompositeExplicitAutograd")
torch.library.register_fake("pyfastlm::int8_linear", _fake_forward, lib=_library)
