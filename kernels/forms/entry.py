"""One line of the manifest."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One specialisation of one kernel.

    ``kernel``: "module:function". ``signature``: Triton types of run-time arguments; one that is missing is
    ``None`` in this form, unless ``constants`` gives it a value. ``constants``: what the compiler sees as
    constants. ``divisible``: run-time arguments, pointers and integers alike, that are multiples of 16.
    ``shared``: budget of shared memory in bytes.
    """

    kernel: str
    form: str
    signature: Mapping[str, str]
    constants: Mapping[str, int | bool]
    divisible: frozenset[str]
    warps: int
    stages: int
    shared: int
    fp_fusion: bool = True
