"""The log of a training run: means over the steps between two entries, as JSON lines."""

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pyfastlm._durable import replacing


@dataclass(frozen=True, slots=True)
class Logged:
    """Means over the steps since the entry before; ``step`` counts from 1.

    ``loss`` is the cross entropy alone, in nats for each target byte, ``bits_per_byte`` the same in bits;
    ``regularizer`` is its value before alpha weighs it (0 without; of a model that pools by boundaries, their
    loss), ``alpha`` its weight, ``deleted`` the fraction of the non-pad input that the gates deleted or would
    delete, or by which pooling made it shorter, ``lr`` the learning rate of the last step, ``seconds`` the
    wall time of training so far, all runs together.
    """

    step: int
    loss: float
    bits_per_byte: float
    regularizer: float
    alpha: float
    deleted: float
    lr: float
    seconds: float


@dataclass(slots=True)
class Sums:
    """What has come together since the last entry; float64."""

    batches: int = 0
    loss: float = 0.0
    regularizer: float = 0.0
    alpha: float = 0.0
    deleted: int = 0
    total: int = 0

    def add(self, loss: float, regularizer: float, alpha: float, deleted: int, total: int) -> None:
        """Note one micro-batch."""
        self.batches += 1
        self.loss += loss
        self.regularizer += regularizer
        self.alpha += alpha
        self.deleted += deleted
        self.total += total

    def entry(self, step: int, lr: float, seconds: float) -> Logged:
        """The means, as one entry."""
        loss = self.loss / self.batches
        return Logged(
            step=step,
            loss=loss,
            bits_per_byte=loss / math.log(2),
            regularizer=self.regularizer / self.batches,
            alpha=self.alpha / self.batches,
            deleted=self.deleted / self.total,
            lr=lr,
            seconds=seconds,
        )


def read(path: Path, last_step: int) -> list[Logged]:
    """The entries up to ``last_step``; a line that a kill has torn ends the list."""
    found: list[Logged] = []
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return found
    for line in lines:
        try:
            entry: dict[str, Any] = json.loads(line)
        except json.JSONDecodeError:
            break
        if entry["step"] > last_step:
            break
        found.append(Logged(**entry))
    return found


def write(path: Path, entries: Iterable[Logged]) -> None:
    """Replace the log by ``entries``, atomically."""
    with replacing(path, path.with_suffix(".tmp")) as file:
        for entry in entries:
            file.write(_line(entry))


def append(path: Path, entry: Logged) -> None:
    """Add one entry. The log is a convenience: what a power cut takes from it, a resumed run writes again."""
    with open(path, "ab") as file:
        file.write(_line(entry))


def _line(entry: Logged) -> bytes:
    return json.dumps(asdict(entry)).encode() + b"\n"
