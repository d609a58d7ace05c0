"""Import an optional dependency, or say which extra brings it."""

import importlib
import importlib.util
from collections.abc import Iterable
from types import ModuleType

from pyfastlm.errors import MissingExtra


def require(module: str, extra: str) -> ModuleType:
    """Return ``module``; raise :class:`MissingExtra` naming ``extra`` where it is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        top = module.partition(".")[0]
        if error.name != top:
            raise
        raise _missing(top, extra) from error


def expect(modules: Iterable[str], extra: str) -> None:
    """Raise :class:`MissingExtra` where one of ``modules`` is not installed; nothing is imported.

    For the beginning of long work that needs a module only at its end.
    """
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise _missing(module, extra)


def _missing(module: str, extra: str) -> MissingExtra:
    return MissingExtra(f'{module} is not installed; run: pip install "pyfastlm[{extra}]"')
