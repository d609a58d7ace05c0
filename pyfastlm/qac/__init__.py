"""Query autocompletion: what somebody is about to search for, from the first letters and the session so far.

``serve`` gives a page to type in and a JSON endpoint over a :class:`pyfastlm.index.TermIndex`.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyfastlm.qac.server import serve

__all__ = ["serve"]

_HOME = {"serve": "server"}


def __getattr__(name: str) -> object:
    # Late, because each needs other extras.
    if name in _HOME:
        return getattr(importlib.import_module(f"pyfastlm.qac.{_HOME[name]}"), name)
    raise AttributeError(f"module 'pyfastlm.qac' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
