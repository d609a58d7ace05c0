"""One rule for every op: which implementation runs, and a clear refusal where it cannot."""

from functools import cache
from typing import Literal

import torch

from pyfastlm._backends import interpreting, native_status, triton_status
from pyfastlm.errors import InputError, Unavailable

Impl = Literal["auto", "native", "triton", "reference"]
IMPLS: tuple[Impl, ...] = ("auto", "native", "triton", "reference")


def choose(impl: Impl, device: torch.device, dtype: torch.dtype) -> str:
    """Resolve ``impl`` for tensors on ``device`` to ``"native"``, ``"triton"`` or ``"reference"``.

    ``auto`` goes by the device: CPU to native, CUDA to triton, anything else to the reference, and float64
    on CUDA to the reference too.

    Raises:
        InputError: ``impl`` is not one of :data:`IMPLS`.
        Unavailable: the implementation cannot run on ``device`` here; the message says why.
    """
    if impl not in IMPLS:
        raise InputError(f"impl: expected one of {', '.join(IMPLS)}; got {impl!r}")
    by_device = {"cpu": "native", "cuda": "triton"}.get(device.type, "reference")
    if by_device == "triton" and dtype == torch.float64:
        by_device = "reference"
    chosen = by_device if impl == "auto" else impl
    if chosen == "triton" and dtype == torch.float64:
        raise Unavailable("impl='triton' has no float64; use impl='reference'")
    if chosen != "reference" and (obstacle := _obstacle(chosen, device.type, interpreting())):
        raise Unavailable(f"impl={chosen!r} {obstacle}")
    return chosen


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _obstacle(chosen: str, device: str, interpreted: bool) -> str:
    """Why ``chosen`` cannot run on this type of device; empty where it can. A constant to torch.compile."""
    return _find_obstacle(chosen, device, interpreted)


@cache
def _find_obstacle(chosen: str, device: str, interpreted: bool) -> str:
    if chosen == "native":
        if device != "cpu":
            return f"needs CPU tensors, got {device}"
        status = native_status()
    else:
        if device != "cuda" and not interpreted:
            return f"needs CUDA tensors (or TRITON_INTERPRET=1), got {device}"
        status = triton_status()
    return "" if status.available else f"cannot run: {status.detail}"
