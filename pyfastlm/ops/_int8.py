"""Numbers in 8 bits for :func:`int8_linear`: rotated, so that an outlier is everybody's, then rounded."""

from typing import NamedTuple

import torch
from torch import Tensor

from pyfastlm.errors import InputError, InputTypeError, Unavailable
from pyfastlm.ops import _check
from pyfastlm.ops._dispatch import Impl, choose
from pyfastlm.ops.reference import int8_linear as reference

DEEPEST = 1 << 17  # sums of more products might leave 32 bits
ROW_DTYPES = (torch.float32, torch.bfloat16, torch.float16)


class Int8Rows(NamedTuple):
    """Rows of activations: ``(values - zero) * scale`` are the rotated rows.

    ``values`` [..., 8 ceil(D / 8)] uint8 in [1, 2 zero - 1]; ``scale`` [...] float32, NaN where a number of
    the row is not finite; ``zero`` is 97 for sums of 16 bits and 128 for 32. ``dim`` is D, ``dtype`` that of
    the rows. ``kept`` is None, or the places [..., M] int32 of numbers that count as 0 above, -1 behind the
    last of a row, and the numbers [..., M] float32.
    """

    values: Tensor
    scale: Tensor
    zero: int
    dim: int
    dtype: torch.dtype
    kept: tuple[Tensor, Tensor] | None = None


class Int8Weight(NamedTuple):
    """Weights of a linear layer, ``values * scale`` of its rotated rows.

    ``panels`` [16-column panels, 2 ceil(D / 8), 16, 4] int8 in [-127, 127]; zeros fill the last of 64 columns
    and of D. ``scale`` [columns] float32; ``sum`` [columns] int32, of a column's values. ``zero`` is that of
    the rows they are for, ``shape`` (V, D); ``source`` are the weights themselves, for what is kept of
    the rows.
    """

    panels: Tensor
    scale: Tensor
    sum: Tensor
    zero: int
    shape: tuple[int, int]
    source: Tensor


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def native_sum_bits() -> int:
    """Bits in which this processor adds products of 8 bits at full speed: 32 with AVX-512 VNNI, else 16.

    Four products fit into 16 bits only if numbers are smaller: activations up to 96, and four weights of one
    sign up to 169 together.
    """
    from pyfastlm import _native

    return 32 if _native.int8_fours() else 16


def int8_rows(
    x: Tensor, *, sum_bits: int | None = None, keep: float | None = None, impl: Impl = "auto"
) -> Int8Rows:
    """Quantise rows of activations, each by itself: its largest rotated number becomes 127, or 96.

    Args:
        x: [..., D] float32, bfloat16 or float16; no gradient goes through.
        sum_bits: 32 for numbers up to 127, 16 for numbers up to 96; :func:`native_sum_bits` by default for
            CPU tensors, 32 elsewhere. Both work everywhere; weights have to be made for the same.
        keep: numbers of more than this share of their row's length (the root of its sum of squares) are not
            rounded with the rest: :func:`int8_linear` multiplies them in float32. They would leave the others
            few digits. In [0.05, 1]; None keeps none.
        impl: ``auto`` is native for CPU tensors, torch elsewhere. The same bits by both. There is no
            ``triton``.

    Raises:
        InputError, InputTypeError: a shape or dtype is wrong.
        Unavailable: ``impl`` cannot run here.
    """
    _check.floating("x", x, x, "x")
    if x.ndim == 0:
        raise InputError("x: expected [..., D], got a single number")
    _check_numbers("x", x)
    chosen = _chosen(impl, x)
    zero = _zero(sum_bits, x)
    if keep is not None and not 0.05 <= keep <= 1:
        raise InputError(f"keep: expected a number in [0.05, 1] or None, got {keep}")
    share = 0.0 if keep is None else float(keep)
    values, scale, places, numbers = torch.ops.pyfastlm.int8_rows(x.detach(), zero, share, chosen)
    kept = None if keep is None else (places, numbers)
    return Int8Rows(values, scale, zero, x.shape[-1], x.dtype, kept)


def int8_weight(weight: Tensor, *, sum_bits: int | None = None, impl: Impl = "auto") -> Int8Weight:
    """Quantise the weights of a linear layer, each row by itself: its largest rotated number becomes 127, or
    less where sums of 16 bits ask for it.

    Args:
        weight: [V, D] float32, bfloat16 or float16.
        sum_bits, impl: as for :func:`int8_rows`.

    Raises:
        InputError, InputTypeError: a shape or dtype is wrong.
        Unavailable: ``impl`` cannot run here.
    """
    _check.floating("weight", weight, weight, "weight")
    if weight.ndim != 2:
        raise InputError(f"weight: expected [V, D], got shape {list(weight.shape)}")
    _check_numbers("weight", weight)
    source = weight.detach()
    zero = _zero(sum_bits, weight)
    panels, scale, total = torch.ops.pyfastlm.int8_weight(source, zero, _chosen(impl, weight))
    return Int8Weight(panels, scale, total, zero, (weight.shape[0], weight.shape[1]), source)


def rows_for(weight: object, x: Tensor | Int8Rows, name: str, impl: Impl) -> Int8Rows:
    """Rows of ``x``, called ``name``, that ``weight`` of :func:`int8_weight` can be multiplied with.

    Raises:
        InputError, InputTypeError: the two do not fit, or a gradient is asked for.
    """
    if not isinstance(weight, Int8Weight):
        raise InputTypeError(f"weight: expected what int8_weight returns, got {type(weight).__name__}")
    of_weight = _SUM_BITS[weight.zero]
    if isinstance(x, Tensor):
        if torch.is_grad_enabled() and x.requires_grad:
            raise InputError(f"{name}: expected no gradient to be asked for; use torch.no_grad() or float32")
        x = int8_rows(x, sum_bits=of_weight, impl="reference" if impl == "reference" else "auto")
    if weight.shape[1] != x.dim:
        raise InputError(f"weight: expected [V, {x.dim}], got shape {list(weight.shape)}")
    if weight.zero != x.zero:
        raise InputError(f"weight: expected sum_bits={_SUM_BITS[x.zero]}, as {name} has, got {of_weight}")
    _check.dense("weight", weight.panels, x.values, name)
    return x


_SUM_BITS = {reference.ZERO_16: 16, reference.ZERO_32: 32}


def _zero(sum_bits: int | None, tensor: Tensor) -> int:
    """The byte that stands for 0 in rows."""
    if sum_bits is None:
        sum_bits = native_sum_bits() if tensor.device.type == "cpu" else 32
    if sum_bits not in _SUM_BITS.values():
        raise InputError(f"sum_bits: expected 16 or 32, got {sum_bits}")
    return reference.ZERO_16 if sum_bits == 16 else reference.ZERO_32


def _check_numbers(name: str, tensor: Tensor) -> None:
    if tensor.dtype not in ROW_DTYPES:
        raise InputTypeError(f"{name}: expected float32, bfloat16 or float16, got {tensor.dtype}")
    if not 1 <= tensor.shape[-1] <= DEEPEST:
        raise InputError(f"{name}: expected 1 to {DEEPEST} numbers in a row, got {tensor.shape[-1]}")


def _chosen(impl: Impl, tensor: Tensor) -> str:
    if impl == "auto" and tensor.device.type != "cpu":
        return "reference"
    if impl == "triton":
        raise Unavailable("impl='triton' does not quantise; use impl='reference'")
    return choose(impl, tensor.device, tensor.dtype)


# The torch operators: opaque to torch.compile.

_library = torch.library.Library("pyfastlm", "FRAGMENT")
_library.define("int8_rows(Tensor x, int zero, float share, str impl) -> (Tensor, Tensor, Tensor, Tensor)")
_library.define("int8_weight(Tensor weight, int zero, str impl) -> (Tensor, Tensor, Tensor)")


def _fake_rows(x: Tensor, zero: int, share: float, impl: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Values, scales, places and numbers of the right shape, unwritten."""
    padded = reference.padded(x.shape[-1], reference.GROUP)
    kept = (*x.shape[:-1], reference.most_kept(share))
    return (
        x.new_empty((*x.shape[:-1], padded), dtype=torch.uint8),
        x.new_empty(x.shape[:-1], dtype=torch.float32),
        x.new_empty(kept, dtype=torch.int32),
        x.new_empty(kept, dtype=torch.float32),
    )


def _fake_weight(weight: Tensor, zero: int, impl: str) -> tuple[Tensor, Tensor, Tensor]:
    """Panels, scales and sums of the right shape, unwritten."""
    columns = reference.padded(weight.shape[0], reference.WIDEST)
    steps = reference.padded(weight.shape[1], reference.GROUP) // reference.DEEP
    panels = (columns // reference.PANEL, steps, reference.PANEL, reference.DEEP)
    return (
        weight.new_empty(panels, dtype=torch.int8),
        weight.new_empty(columns, dtype=torch.float32),
        weight.new_empty(columns, dtype=torch.int32),
    )


def _rows(x: Tensor, zero: int, share: float, impl: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    if impl == "reference":
        return reference.rows(x.float(), zero, share)
    from pyfastlm.ops.native import _int8 as native

    made = _fake_rows(x, zero, share, impl)
    native.rows(x, *made, zero, share)
    return made


def _weight(weight: Tensor, zero: int, impl: str) -> tuple[Tensor, Tensor, Tensor]:
    if impl == "reference":
        return reference.weight(weight.float(), zero)
    from pyfastlm.ops.native import _int8 as native

    made = _fake_weight(weight, zero, impl)
    native.weight(weight, *made, zero)
    return made


_library.impl("int8_rows", _rows, "CompositeExplicitAutograd")
_library.impl("int8_weight", _weight, "CompositeExplicitAutograd")
torch.library.register_fake("pyfastlm::int8_rows", _fake_rows, lib=_library)
torch.library.register_fake("pyfastlm::int8_weight", _fake_weight, lib=_library)
