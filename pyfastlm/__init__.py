"""pyfastlm: native kernels and published systems for people who train and study language models.

Importing this package loads neither torch nor triton nor transformers; each room loads what it needs
when it is first touched.
"""

import importlib
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyfastlm import demo, errors, index, lm, mrt5, ops, qac, selection
    from pyfastlm._backends import backends

__version__ = version("pyfastlm")
__all__ = ["__version__", "backends", "demo", "errors", "index", "lm", "mrt5", "ops", "qac", "selection"]

_ROOMS = frozenset({"demo", "errors", "index", "lm", "mrt5", "ops", "qac", "selection"})


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"pyfastlm.{name}")
    if name == "backends":
        return importlib.import_module("pyfastlm._backends").backends
    raise AttributeError(f"module 'pyfastlm' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
