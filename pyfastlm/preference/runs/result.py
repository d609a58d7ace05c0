"""The file ``result.json`` of a run."""

import json
import math
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from pyfastlm._durable import replacing
from pyfastlm.errors import InputError
from pyfastlm.preference.options import TrainingOptions
from pyfastlm.preference.runs.changes import Change, Interval

RESULT = "result.json"


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run came to.

    Attributes:
        model: what it began with, by name.
        fingerprint: of that model's weights.
        digest: of the tokens that were held out.
        options: of the training.
        shuffled: whether half of the pairs were learnt the wrong way round, as a control.
        learnt: changes of the pairs learnt from, as they were taught.
        held_out: changes of the others.
        bits_before, bits_after: bits per byte of the other texts; None without.
        seconds: of all steps.
    """

    model: str
    fingerprint: str
    digest: str
    options: TrainingOptions
    shuffled: bool
    learnt: Change
    held_out: Change
    bits_before: float | None
    bits_after: float | None
    seconds: float

    @property
    def drift(self) -> float | None:
        """Change of the other texts, in bits per byte; None without."""
        if self.bits_before is None or self.bits_after is None:
            return None
        return self.bits_after - self.bits_before


def write_result(result: RunResult, directory: Path) -> Path:
    """Write it; returns the file.

    Raises:
        OSError: it cannot be written.
    """
    path = directory / RESULT
    with replacing(path, directory / f".{RESULT}.{os.getpid()}") as file:
        file.write(json.dumps(asdict(result), indent=1, allow_nan=False).encode() + b"\n")
    return path


def read_result(directory: "str | os.PathLike[str]") -> RunResult:
    """The result of a run that has ended.

    Raises:
        InputError: there is none in ``directory``, or it is damaged.
    """
    path = Path(directory) / RESULT
    try:
        given = json.loads(path.read_bytes())
        return RunResult(
            model=_text(given["model"]),
            fingerprint=_text(given["fingerprint"]),
            digest=_text(given["digest"]),
            options=TrainingOptions(**given["options"]),
            shuffled=bool(given["shuffled"]),
            learnt=_change(given["learnt"]),
            held_out=_change(given["held_out"]),
            bits_before=_bits(given["bits_before"]),
            bits_after=_bits(given["bits_after"]),
            seconds=_number(given["seconds"]),
        )
    except FileNotFoundError as error:
        raise InputError(f"runs: no {RESULT} in {str(directory)!r}; is that run at its end?") from error
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise InputError(f"runs: {str(path)!r} is damaged; run the same command again") from error


def _change(given: Any) -> Change:
    found: dict[str, Any] = {}
    for field in fields(Change):
        value = given[field.name]
        found[field.name] = Interval(*map(_number, value)) if isinstance(value, list) else _number(value)
    named = ("chosen", "rejected", "margin", "accuracy")
    if not all(isinstance(found[name], Interval) for name in named):
        raise ValueError("an interval is none")
    return Change(**found | {"pairs": int(found["pairs"])})


def _bits(value: Any) -> float | None:
    return None if value is None else _number(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"no finite number: {value!r:.40}")
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"no text: {value!r:.40}")
    return value
