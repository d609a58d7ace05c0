"""One rule for every op: which implementation runs, and a clear refusal where it cannot."""

from typing import Literal

import torch

from pyfastlm._backends import interpreting, native_status, triton_status
from pyfastlm.errors import InputError, Unavailable

Impl = Literal["auto", "native", "triton", "reference"]
IMPLS: tuple[Impl, ...] = ("auto", "native", "triton", "reference")


def choose(impl: Impl, device: torch.device) -> str:
    """Resolve ``impl`` for tensors on ``device`` to ``"native"``, ``"triton"`` or ``"reference"``.

    ``auto`` goes by the device alone: CPU to native, CUDA to triton, anything else to the reference.

    Raises:
        InputError: ``impl`` is not one of :data:`IMPLS`.
        Unavailable: the implementation cannot run on ``device`` here; the message says why.
    """
    if impl not in IMPLS:
        raise InputError(f"impl: expected one of {', '.join(IMPLS)}; got {impl!r}")
    if impl == "auto":
        chosen = {"cpu": "native", "cuda": "triton"}.get(device.type, "reference")
    else:
        chosen = impl
    if chosen == "native":
        if device.type != "cpu":
            raise Unavailable(f"impl='native' needs CPU tensors, got {device}")
        if not (status := native_status()).available:
            raise Unavailable(f"impl='native': {status.detail}")
    elif chosen == "triton":
        if not (status := triton_status()).available:
            raise Unavailable(f"impl='triton': {status.detail}")
        if device.type != "cuda" and not interpreting():
            raise Unavailable(f"impl='triton' needs CUDA tensors (or TRITON_INTERPRET=1), got {device}")
    return chosen
