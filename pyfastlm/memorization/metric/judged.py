"""What one start gives, in each mode."""

from dataclasses import dataclass

from pyfastlm.memorization.metric.lengths import Flags, Lengths


@dataclass(frozen=True, eq=False)
class Judged:
    """Of each prefix of a course [P]; see :class:`pyfastlm.memorization.VerbatimLengths`."""

    lengths: Lengths
    limits: Lengths
    copied: Flags
    ties: Flags
    trivial: Flags
