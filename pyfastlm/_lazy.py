"""Names of a package that load their module when they are first asked for."""

import importlib
from collections.abc import Callable, Mapping, Sequence


def lazily(
    package: str, homes: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` for the package: ``homes`` has the names that each module brings.

    Importing the package then costs nothing, and needs none of the extras of its parts.
    """
    home = {name: module for module, names in homes.items() for name in names}

    def find(name: str) -> object:
        if name in home:
            return getattr(importlib.import_module(f"{package}.{home[name]}"), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return find, lambda: sorted(home)
