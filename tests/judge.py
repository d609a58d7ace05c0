"""How the error of a kernel is judged."""

import torch
from torch import Tensor


def assert_no_worse(got: list[Tensor], naive: list[Tensor], truth: list[Tensor]) -> None:
    """Each error against float64 is at most that of the same-dtype torch version, plus eight roundings."""
    for ours, theirs, exact in zip(got, naive, truth, strict=True):
        assert (ours.shape, ours.dtype) == (exact.shape, theirs.dtype)
        if not ours.numel():
            continue
        error, allowed = ((t.double() - exact).abs().max().item() for t in (ours, theirs))
        rounding = torch.finfo(ours.dtype).eps * max(1.0, exact.abs().max().item())  # inputs are of size 1
        assert error <= allowed + 8 * rounding, (error, allowed)


def weighed(results: list[Tensor], place: int, summands: int) -> list[Tensor]:
    """Results of which one sums so many numbers of either sign, and their roundings: over its root."""
    return [t / summands**0.5 if i == place else t for i, t in enumerate(results)]
