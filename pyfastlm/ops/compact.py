"""Deleting rows for real: what a mask keeps moves together, and back."""

import importlib
from functools import cached_property
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.ops import _check
from pyfastlm.ops._dispatch import Impl, choose


class Packed:
    """Kept rows of a batch, one after the other, and where they come from.

    Attributes:
        values: [N, ...], the rows of sequence 0, then those of sequence 1, ...
        positions: [N] int32, the place of each row in its sequence, rising within a sequence.
        cu_seqlens: [B+1] int32, the first row of each sequence; the last is N.
        length: L, the length of the padded batch.
    """

    __slots__ = ("__dict__", "cu_seqlens", "length", "positions", "values")

    def __init__(self, values: Tensor, positions: Tensor, cu_seqlens: Tensor, length: int) -> None:
        self.values = values
        self.positions = positions
        self.cu_seqlens = cu_seqlens
        self.length = length

    @cached_property
    def lengths(self) -> Tensor:
        """[B] int32, how many rows of each sequence were kept."""
        return self.cu_seqlens.diff()

    @cached_property
    def max_len(self) -> int:
        """The most rows kept in one sequence."""
        return int(self.lengths.max()) if len(self.lengths) else 0

    def __repr__(self) -> str:
        shape, lengths = list(self.values.shape), self.lengths[:8].tolist()
        more = ", ..." if len(self.lengths) > 8 else ""
        return f"Packed(values {shape} of {self.values.dtype}, lengths {lengths}{more}, length {self.length})"


def compact(x: Tensor, keep: Tensor, *, out: Tensor | None = None, impl: Impl = "auto") -> Packed:
    """Move the rows that ``keep`` keeps together, in their order; nothing is padded.

    Args:
        x: [B, L, ...] of any dtype; often hidden states [B, L, D].
        keep: [B, L] bool. A sequence may keep nothing.
        out: [M, ...] with M >= N, contiguous, in the dtype of ``x``: a workspace that the first N rows are
            written to, in place of fresh memory. Not differentiable.
        impl: ``auto`` goes by the device; an implementation asked for by name runs or raises.

    Returns:
        :class:`Packed`. Gradients reach ``x``. On a GPU the call waits for the device once, for N.

    Raises:
        InputError, InputTypeError: a shape, dtype or device is wrong.
        Unavailable: ``impl`` cannot run here.

    Source: hard deletion of MrT5 (Kallini et al., 2024), section 3.2; there padded to the longest sequence.
    """
    _check.dense("x", x, x, "x")
    if x.ndim < 2:
        raise InputError(f"x: expected [B, L, ...], got shape {list(x.shape)}")
    if _check.dense("keep", keep, x, "x").dtype != torch.bool:
        raise InputTypeError(f"keep: expected bool, got {keep.dtype}")
    if keep.shape != x.shape[:2]:
        raise InputError(f"keep: expected {list(x.shape[:2])}, got shape {list(keep.shape)}")
    if keep.numel() >= 2**31:
        raise InputError(f"keep: expected fewer than 2**31 rows, got {keep.numel()}")
    chosen = choose(impl, x.device, torch.float32)
    positions, cu_seqlens = torch.ops.pyfastlm.compact_index(keep, chosen)
    if out is None:
        values = torch.ops.pyfastlm.compact_gather(x, positions, cu_seqlens, chosen)
    else:
        values = _workspace("out", out, (len(positions), *x.shape[2:]), x)
        _kernel(chosen).gather(x.detach(), positions, cu_seqlens, values)
    return Packed(values, positions, cu_seqlens, x.shape[1])


def uncompact(
    packed: Packed,
    length: int | None = None,
    fill: float = 0.0,
    *,
    out: Tensor | None = None,
    impl: Impl = "auto",
) -> Tensor:
    """Put packed rows back to their positions.

    Args:
        packed: what :func:`compact` returns, perhaps with other ``values`` [N, ...].
        length: L of the result; None for that of the batch that was compacted.
        fill: what stands where no row was kept.
        out: [B, L, ...], contiguous, in the dtype of the values: written in place of fresh memory. Not
            differentiable.
        impl: ``auto`` goes by the device; an implementation asked for by name runs or raises.

    Returns:
        [B, L, ...] in the dtype of the values. Gradients reach ``packed.values``.

    Raises:
        InputError, InputTypeError: a shape or dtype is wrong, or (checked on CPU) a position lies outside
            [0, L) or does not rise within its sequence.
        Unavailable: ``impl`` cannot run here.
    """
    values, positions = packed.values, packed.positions
    length = packed.length if length is None else length
    _check.cu_seqlens("packed.cu_seqlens", packed.cu_seqlens, len(values), "packed.values", values)
    if _check.dense("packed.positions", positions, values, "packed.values").dtype != torch.int32:
        raise InputTypeError(f"packed.positions: expected int32, got {positions.dtype}")
    if positions.shape != values.shape[:1]:
        raise InputError(f"packed.positions: expected [{len(values)}], got shape {list(positions.shape)}")
    if length < 0:
        raise InputError(f"length: expected at least 0, got {length}")
    chosen = choose(impl, values.device, torch.float32)
    shape = (len(packed.cu_seqlens) - 1, length, *values.shape[1:])
    if out is None:
        return torch.ops.pyfastlm.compact_scatter(  # type: ignore[no-any-return]
            values, positions, packed.cu_seqlens, length, float(fill), chosen
        )
    result = _workspace("out", out, shape, values)
    _scatter_into(values.detach(), positions, packed.cu_seqlens, fill, chosen, result)
    return result


def _workspace(name: str, out: Tensor, shape: tuple[int, ...], like: Tensor) -> Tensor:
    """The first rows of ``out``, in the shape asked for."""
    _check.dense(name, out, like, "the input")
    if out.dtype != like.dtype:
        raise InputTypeError(f"{name}: expected {like.dtype}, got {out.dtype}")
    if not out.is_contiguous() or out.ndim != len(shape) or out.shape[1:] != shape[1:] or len(out) < shape[0]:
        raise InputError(f"{name}: expected a contiguous {list(shape)}, got shape {list(out.shape)}")
    if torch.is_grad_enabled() and (out.requires_grad or like.requires_grad):
        raise InputError(f"{name}: a workspace is not differentiable; use torch.no_grad() or leave it out")
    return out[: shape[0]]


# The torch operators: opaque to torch.compile, so that everything above traces. gather and scatter are each
# other's gradient.

_library = torch.library.Library("pyfastlm", "FRAGMENT")
_library.define("compact_index(Tensor keep, str impl) -> (Tensor, Tensor)")
_library.define("compact_gather(Tensor x, Tensor positions, Tensor cu_seqlens, str impl) -> Tensor")
_library.define(
    "compact_scatter(Tensor values, Tensor positions, Tensor cu_seqlens, SymInt length, float fill, "
    "str impl) -> Tensor"
)


def _kernel(impl: str) -> ModuleType:
    """The module behind an implementation, loaded when it is first used."""
    room = {
        "native": "pyfastlm.ops.native",
        "triton": "pyfastlm.kernels",
        "reference": "pyfastlm.ops.reference",
    }
    return importlib.import_module(f"{room[impl]}.compact")


def _index(keep: Tensor, impl: str) -> tuple[Tensor, Tensor]:
    return _kernel(impl).index(keep)  # type: ignore[no-any-return]


def _fake_index(keep: Tensor, impl: str) -> tuple[Tensor, Tensor]:
    kept = torch.library.get_ctx().new_dynamic_size()
    return keep.new_empty(kept, dtype=torch.int32), keep.new_empty(keep.shape[0] + 1, dtype=torch.int32)


def _gather(x: Tensor, positions: Tensor, cu_seqlens: Tensor, impl: str) -> Tensor:
    values = _fake_gather(x, positions, cu_seqlens, impl)
    _kernel(impl).gather(x, positions, cu_seqlens, values)
    return values


def _fake_gather(x: Tensor, positions: Tensor, cu_seqlens: Tensor, impl: str) -> Tensor:
    return x.new_empty((positions.shape[0], *x.shape[2:]))


def _scatter(
    values: Tensor, positions: Tensor, cu_seqlens: Tensor, length: int, fill: float, impl: str
) -> Tensor:
    x = _fake_scatter(values, positions, cu_seqlens, length, fill, impl)
    _scatter_into(values, positions, cu_seqlens, fill, impl, x)
    return x


def _scatter_into(
    values: Tensor, positions: Tensor, cu_seqlens: Tensor, fill: float, impl: str, x: Tensor
) -> None:
    try:
        _kernel(impl).scatter(values, positions, cu_seqlens, fill, x)
    except ValueError as error:
        raise InputError(f"packed.{error}") from None


def _fake_scatter(
    values: Tensor, positions: Tensor, cu_seqlens: Tensor, length: int, fill: float, impl: str
) -> Tensor:
    return values.new_empty((cu_seqlens.shape[0] - 1, length, *values.shape[1:]))


def _save_gather(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, positions, cu_seqlens, impl = inputs
    ctx.save_for_backward(positions, cu_seqlens)
    ctx.length, ctx.impl = x.shape[1], impl


def _gather_backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    positions, cu_seqlens = ctx.saved_tensors
    to_x = torch.ops.pyfastlm.compact_scatter(grad, positions, cu_seqlens, ctx.length, 0.0, ctx.impl)
    return to_x, None, None, None


def _save_scatter(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    _, positions, cu_seqlens, _, _, impl = inputs
    ctx.save_for_backward(positions, cu_seqlens)
    ctx.impl = impl


def _scatter_backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    positions, cu_seqlens = ctx.saved_tensors
    to_values = torch.ops.pyfastlm.compact_gather(grad, positions, cu_seqlens, ctx.impl)
    return to_values, None, None, None, None, None


_library.impl("compact_index", _index, "CompositeExplicitAutograd")
_library.impl("compact_gather", _gather, "CompositeExplicitAutograd")
_library.impl("compact_scatter", _scatter, "CompositeExplicitAutograd")
torch.library.register_fake("pyfastlm::compact_index", _fake_index, lib=_library)
torch.library.register_fake("pyfastlm::compact_gather", _fake_gather, lib=_library)
torch.library.register_fake("pyfastlm::compact_scatter", _fake_scatter, lib=_library)
torch.library.register_autograd(
    "pyfastlm::compact_gather", _gather_backward, setup_context=_save_gather, lib=_library
)
torch.library.register_autograd(
    "pyfastlm::compact_scatter", _scatter_backward, setup_context=_save_scatter, lib=_library
)
