"""Odds as files of JSON, with the threshold that was chosen for them."""

import math
import os
from typing import NamedTuple

from pyfastlm.errors import InputError
from pyfastlm.lm.files.inputs import StrPath
from pyfastlm.spelling.candidates.odds import Odds
from pyfastlm.spelling.json_files import read_json, write_json

FORMAT = "pyfastlm spelling odds 1"


class SavedOdds(NamedTuple):
    """Odds, and the threshold of a speller that uses them."""

    odds: Odds
    threshold: float


def write_odds(path: StrPath, odds: Odds, threshold: float) -> None:
    """Write ``odds`` and their threshold to ``path``; the file appears whole or not at all.

    Raises:
        InputError: the threshold is not finite.
        OSError: it cannot be written.
    """
    if not math.isfinite(threshold):
        raise InputError(f"threshold: expected a finite number, got {threshold!r}")
    write_json(path, FORMAT, {"threshold": threshold, **odds.as_dict()}, indent=1)


def read_odds(path: StrPath) -> SavedOdds:
    """What :func:`write_odds` wrote: ``Speller(index, odds=saved.odds, threshold=saved.threshold)``.

    Raises:
        InputError: it is no such file, or damaged.
    """
    name = os.fspath(path)
    value = read_json(path, FORMAT, "has no odds that write_odds wrote")
    threshold = value.get("threshold")
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not abs(threshold) < math.inf:
        raise InputError(f"path: {name!r}: threshold: expected a finite number, got {threshold!r:.40}")
    try:
        return SavedOdds(Odds.of_dict(value), float(threshold))
    except (InputError, OverflowError) as error:
        raise InputError(f"path: {name!r}: {error}") from None
