"""What the estimators are given, checked: numpy arrays in the end, whatever they came as."""

import sys
from collections.abc import Iterable, Iterator
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pyfastlm._threads import num_threads
from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.selection.closed_forms import Doubles, Ties
from pyfastlm.selection.column_blocks import Blocks, default_size, slices
from pyfastlm.selection.ranking import Floats

Missing = Literal["raise", "mask"]


def is_tensor(value: Any) -> bool:
    """True for a torch tensor; never loads torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def as_numpy(value: Any, name: str) -> NDArray[Any]:
    """``value`` as an array of numbers; of a tensor a view where that is possible."""
    if is_tensor(value):
        value = value.detach().cpu()
        value = (value.float() if value.is_floating_point() and value.element_size() < 4 else value).numpy()
    try:
        array: NDArray[Any] = np.asanyarray(value)
    except ValueError:
        raise InputError(f"{name}: expected an array, got rows of different lengths") from None
    if array.dtype.kind not in "fiu":
        raise InputTypeError(f"{name}: expected numbers, got dtype {array.dtype}")
    return array


def floats(x: NDArray[Any]) -> Floats:
    """float32 or float64, native: halves become float32, whole and longer numbers float64."""
    short = x.dtype.kind == "f" and x.dtype.itemsize <= 4
    return np.asarray(x, np.float32 if short else np.float64)


def errors_of(y: Any, missing: Missing) -> tuple[Doubles, bool]:
    """``y`` [N] or [N, K] as [N, K] float64, and whether it was [N]."""
    array = as_numpy(y, "y").astype(np.float64)
    if array.ndim not in (1, 2) or array.size == 0:
        raise InputError(f"y: expected [N] or [N, K], got shape {list(array.shape)}")
    columns = array.reshape(len(array), -1)
    if len(columns) < 2:
        raise InputError("y: expected two models or more, got 1")
    _check_numbers(columns, "y", 0, missing)
    return columns, array.ndim == 1


def blocks_of(
    x: Any, models: int, missing: Missing, threads: int, size: int | None = None
) -> Iterator[Floats]:
    """Checked column blocks of ``x``: an array [N, D], or an iterable of arrays [N, d]."""
    if _is_whole(x):
        x = as_numpy(x, "X")
        if x.ndim != 2:
            raise InputError(f"X: expected [N, D], got shape {list(x.shape)}")
        x = slices(x, size or default_size(x, threads))
    done = 0
    for part in x:
        block = as_numpy(part, "X")
        if block.ndim != 2 or len(block) != models:
            raise InputError(f"X: expected [{models}, D], a row for each of y, got shape {list(block.shape)}")
        if not block.shape[1]:
            continue
        for piece in slices(block, size or default_size(block, threads)):
            ready = floats(piece)
            _check_numbers(ready, "X", done, missing)
            yield ready
            done += ready.shape[1]
    if not done:
        raise InputError("X: expected one domain or more, got none")


def first_of(x: Any) -> tuple[Any, Any]:
    """The first block of ``x`` (or ``x`` itself), which says what kind of array the answer is; and ``x``."""
    if isinstance(x, Blocks) or _is_whole(x):
        return x, x
    if isinstance(x, list | tuple):
        first = x[0] if x else None
        if (isinstance(first, np.ndarray) and first.ndim == 2) or is_tensor(first):
            return first, x
        array = as_numpy(x, "X")
        return array, array
    stream = iter(x)
    first = next(stream, None)
    return first, () if first is None else _again(first, stream)


def like(result: NDArray[Any], given: Any) -> Any:
    """``result`` as a tensor on its device where ``given`` is one."""
    if not is_tensor(given):
        return result
    return sys.modules["torch"].from_numpy(result).to(given.device)


def check_options(ties: Ties, missing: Missing, threads: int | None) -> int:
    """The number of threads; refuses options that are unknown or do not go together."""
    if ties not in get_args(Ties):
        raise InputError(f"ties: expected one of {', '.join(get_args(Ties))}, got {ties!r}")
    if missing not in get_args(Missing):
        raise InputError(f"missing: expected one of {', '.join(get_args(Missing))}, got {missing!r}")
    if missing == "mask" and ties == "reference":
        raise InputError("ties: the reference has no missing values; use ties='average' with missing='mask'")
    return num_threads(threads)


def _is_whole(x: Any) -> bool:
    """True for an array of any library (also a table), and for what is no stream of blocks at all."""
    return is_tensor(x) or hasattr(x, "__array__") or not isinstance(x, Iterable)


def _again(first: Any, stream: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from stream


def _check_numbers(block: Floats, name: str, done: int, missing: Missing) -> None:
    """Refuses infinities, and NaN unless it is ``"mask"``; rows and columns are counted from 0."""
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(block.sum(axis=0)).all():
            return
    bad = np.isinf(block) if missing == "mask" else ~np.isfinite(block)
    if not bad.any():
        return
    column = int(np.flatnonzero(bad.any(axis=0))[0])
    row = int(np.flatnonzero(bad[:, column])[0])
    place = f"row {row}, column {done + column}"
    if np.isnan(block[row, column]):
        raise InputError(f"{name}: {place} is NaN; pass missing='mask', or leave the model or the column out")
    raise InputError(f"{name}: expected finite numbers, got {block[row, column]} in {place}")
