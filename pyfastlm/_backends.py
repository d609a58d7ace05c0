"""What can run here, and why something cannot. Loads neither torch nor triton."""

import importlib
import importlib.util
import os
from typing import NamedTuple


class Status(NamedTuple):
    """Whether an implementation can run here; ``detail`` says how, or why not."""

    available: bool
    detail: str


class Backends(NamedTuple):
    """The implementations behind every op: ``native`` (C++, CPU), ``triton`` (GPU), ``reference`` (torch)."""

    native: Status
    triton: Status
    reference: Status


def interpreting() -> bool:
    """True where ``TRITON_INTERPRET=1``: Triton kernels then run on CPU tensors, for tests."""
    return os.environ.get("TRITON_INTERPRET") == "1"


def native_status() -> Status:
    """State of the C++ extension; its detail names the instruction set chosen at run time."""
    try:
        native = importlib.import_module("pyfastlm._native")
    except ImportError as error:
        return Status(False, f"the extension pyfastlm._native does not load: {error}")
    try:
        return Status(True, f"instruction set {native.isa()}")
    except ValueError as error:  # PYFASTLM_ISA names one that is not there
        return Status(False, str(error))


def triton_status() -> Status:
    """State of Triton: needs the package, and a CUDA device unless the interpreter is on."""
    if importlib.util.find_spec("triton") is None:
        return Status(False, 'triton is not installed; run: pip install "pyfastlm[triton]"')
    if interpreting():
        return Status(True, "interpreter on the CPU (TRITON_INTERPRET=1)")
    return Status(True, "needs tensors on a CUDA device")


def backends() -> Backends:
    """Report which implementations can run here.

    >>> backends().reference.available
    True
    """
    return Backends(native_status(), triton_status(), Status(True, "plain torch"))
