"""What an evaluation found, in rows."""

import math
from dataclasses import dataclass
from typing import Literal

Mode = Literal["full", "soft", "hard", "hard+bias", "random", "fixed", "boundary", "convolution", "control"]
COLUMNS = ("mode", "language", "examples", "bits/byte", "deleted", "length", "ms/example")


@dataclass(frozen=True, slots=True)
class Row:
    """One way to run the model over the examples of one language; ``language`` None is all of them.

    - ``bits_per_byte``: cross entropy in bits for each *target* id: the bytes of the labels, their sentinels
      and EOS: ``nats / targets / ln 2``, sums in float64. It is not bits per byte of the whole text: only
      what was masked is predicted. (The original averages over batches; with labels of one length that is
      equal.)
    - ``deleted``: fraction of the non-pad input ids at or below the threshold; with pooling, 1 - length left
      / length.
    - ``length``: mean number of ids that are left, EOS included. With soft deletion nothing gets shorter:
      then it is what would be left.
    - ``seconds_per_example``: wall time of the forward pass, encoder and decoder with the labels given. The
      time of a batch is shared evenly among its examples.
    """

    mode: Mode
    language: str | None
    examples: int
    targets: int
    nats: float
    bits_per_byte: float
    deleted: float
    length: float
    seconds_per_example: float


@dataclass(frozen=True, slots=True)
class Report:
    """All rows: for each mode all languages together first, then each of them, as they came."""

    rows: tuple[Row, ...]
    batch_size: int
    seed: int

    def row(self, mode: Mode, language: str | None = None) -> Row:
        """The row of this mode and language.

        Raises:
            KeyError: there is none.
        """
        for row in self.rows:
            if (row.mode, row.language) == (mode, language):
                return row
        raise KeyError((mode, language))

    def cells(self) -> list[list[str]]:
        """The rows as text under ``COLUMNS``."""
        return [
            [
                row.mode,
                "all" if row.language is None else row.language,
                f"{row.examples:,}",
                f"{row.bits_per_byte:.4f}",
                f"{row.deleted:.1%}",
                f"{row.length:.1f}",
                f"{1000 * row.seconds_per_example:.2f}",
            ]
            for row in self.rows
        ]


@dataclass(slots=True)
class Tally:
    """What comes together for one row."""

    examples: int = 0
    targets: int = 0
    nats: float = 0.0
    kept: int = 0
    total: int = 0
    seconds: float = 0.0

    def row(self, mode: Mode, language: str | None) -> Row:
        """The row it makes."""
        return Row(
            mode=mode,
            language=language,
            examples=self.examples,
            targets=self.targets,
            nats=self.nats,
            bits_per_byte=self.nats / self.targets / math.log(2) if self.targets else math.nan,
            deleted=1 - self.kept / self.total if self.total else math.nan,
            length=self.kept / self.examples,
            seconds_per_example=self.seconds / self.examples,
        )
