"""Odds as files of JSON, with the threshold that was chosen for them."""

import json
import math
import os
from pathlib import Path
from typing import NamedTuple

from pyfastlm._durable import replacing
from pyfastlm.errors import InputError
from pyfastlm.lm.files.inputs import StrPath
from pyfastlm.spelling.candidates.odds import Odds

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
    value = {"format": FORMAT, "threshold": threshold, **odds.as_dict()}
    target = Path(path)
    with replacing(target, target.with_name(f".{target.name}-{os.getpid()}")) as file:
        file.write(json.dumps(value, indent=1, allow_nan=False).encode() + b"\n")


def read_odds(path: StrPath) -> SavedOdds:
    """What :func:`write_odds` wrote: ``Speller(index, odds=saved.odds, threshold=saved.threshold)``.

    Raises:
        InputError: it is no such file, or damaged.
    """
    name = os.fspath(path)
    try:
        value = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise InputError(f"path: cannot read {name!r}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"path: {name!r} is no JSON: {error}") from None
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise InputError(f"path: {name!r} has no odds that write_odds wrote")
    threshold = value.get("threshold")
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not abs(threshold) < math.inf:
        raise InputError(f"path: {name!r}: threshold: expected a finite number, got {threshold!r:.40}")
    try:
        return SavedOdds(Odds.of_dict(value), float(threshold))
    except (InputError, OverflowError) as error:
        raise InputError(f"path: {name!r}: {error}") from None
