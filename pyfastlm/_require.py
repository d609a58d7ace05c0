"""Import an optional dependency, or say which extra brings it."""

import importlib
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
        raise MissingExtra(f'{top} is not installed; run: pip install "pyfastlm[{extra}]"') from error
