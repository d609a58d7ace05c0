"""Pictures in files, drawn by matplotlib: complete or not there, and the same bytes for the same figure."""

import contextlib
import importlib
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyfastlm._durable import replacing
from pyfastlm._require import expect, require
from pyfastlm.errors import InputError

LEFT_OUT = {".png": "Software", ".svg": "Date", ".pdf": "CreationDate"}  # else files of one figure differ
SETTINGS = {"svg.hashsalt": "pyfastlm", "text.parse_math": False, "font.size": 9}  # a name may hold a $


def check_picture(path: "str | os.PathLike[str]", extra: str) -> Path:
    """``path``, where a picture can be written to; ``extra`` brings matplotlib along.

    Raises:
        InputError: it has another suffix than .png, .svg or .pdf, or is in no directory.
        MissingExtra: matplotlib is not installed.
    """
    target = Path(path)
    if target.suffix not in LEFT_OUT:
        raise InputError(f"picture: expected a name ending in {', '.join(LEFT_OUT)}, got {str(target)!r}")
    if not target.parent.is_dir():
        raise InputError(f"picture: no such directory: {str(target.parent)!r}")
    expect(["matplotlib"], extra)
    return target


@contextlib.contextmanager
def picture(
    path: "str | os.PathLike[str]", size: tuple[float, float], extra: str, **settings: Any
) -> Iterator[Any]:
    """An empty figure, which is written to ``path`` where the block ends well.

    Args:
        path: ``.png``, ``.svg`` or ``.pdf``.
        size: width and height, in inches.
        extra: that brings matplotlib along.
        settings: of matplotlib, ``_`` in their names for ``.``.

    Raises:
        InputError, MissingExtra: as :func:`check_picture`.
        OSError: the file cannot be written.
    """
    target = check_picture(path, extra)
    matplotlib, figures = require("matplotlib", extra), require("matplotlib.figure", extra)
    changes = {name.replace("_", ".", 1): value for name, value in settings.items()}
    with matplotlib.rc_context(SETTINGS | changes), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # a name may be in any script
        figure = figures.Figure(figsize=size, layout="constrained")
        yield figure
        with replacing(target, target.with_name(f".{target.name}.{os.getpid()}.tmp")) as file:
            metadata = {LEFT_OUT[target.suffix]: None}
            figure.savefig(file, format=target.suffix[1:], dpi=150, metadata=metadata)


def logarithmic(axes: Any) -> None:
    """Make the horizontal axis logarithmic, with plain numbers (1, 2, 5, 10) where matplotlib has TeX."""
    axes.set_xscale("log", subs=())
    axes.xaxis.set_major_locator(importlib.import_module("matplotlib.ticker").LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
