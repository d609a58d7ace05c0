"""What every op refuses in the same words."""

import torch
from torch import Tensor

from pyfastlm.errors import InputError, InputTypeError

FLOATS = (torch.float32, torch.bfloat16, torch.float16, torch.float64)


def dense(name: str, tensor: object, like: Tensor, like_name: str) -> Tensor:
    """``tensor`` if it is a dense tensor on the device of ``like``."""
    if not isinstance(tensor, Tensor):
        raise InputTypeError(f"{name}: expected a torch tensor, got {type(tensor).__name__}")
    if isinstance(like, Tensor) and tensor.device != like.device:
        raise InputError(f"{name}: expected the device of {like_name}, {like.device}, got {tensor.device}")
    if tensor.layout != torch.strided:
        raise InputTypeError(f"{name}: expected a dense tensor, got layout {tensor.layout}")
    return tensor


def floating(name: str, tensor: object, like: Tensor, like_name: str) -> Tensor:
    """``tensor`` if it is dense, of floating point, and float64 exactly when ``like`` is."""
    found = dense(name, tensor, like, like_name)
    if found.dtype not in FLOATS:
        raise InputTypeError(f"{name}: expected float32, bfloat16, float16 or float64, got {found.dtype}")
    if (found.dtype == torch.float64) != (like.dtype == torch.float64):
        raise InputTypeError(
            f"{name}: expected float64 exactly when {like_name} is, got {found.dtype} beside {like.dtype}"
        )
    return found


def cu_seqlens(name: str, tensor: object, rows: int, rows_name: str, like: Tensor) -> Tensor:
    """``tensor`` if it is [B+1] int32 on the device of ``like``, and on a CPU if it rises from 0 to ``rows``.

    On other devices the numbers are not looked at: that would wait for the device.
    """
    found = dense(name, tensor, like, rows_name)
    if found.dtype != torch.int32:
        raise InputTypeError(f"{name}: expected int32, got {found.dtype}")
    if found.ndim != 1 or len(found) == 0:
        raise InputError(f"{name}: expected [B+1], got shape {list(found.shape)}")
    if found.device.type == "cpu" and not torch.compiler.is_compiling():
        starts = found.tolist()
        if starts[0] != 0 or starts[-1] != rows or sorted(starts) != starts:
            raise InputError(
                f"{name}: expected to rise from 0 to the {rows} rows of {rows_name}, "
                f"got {starts[:8]}{' ...' if len(starts) > 8 else ''}"
            )
    return found
