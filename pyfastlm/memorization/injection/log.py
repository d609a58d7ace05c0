"""What a run writes down every so many steps."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Logged:
    """Numbers of the steps since the entry before; ``step`` counts the steps done.

    ``loss`` is the mean over these steps, in nats for each target token, ``lr`` and ``gradient`` (its norm
    before it was clipped) those of the last one; None in the first entry, which is from before any step.
    ``planted`` is how many examples have been replaced since the run began. ``validation`` is in nats for
    each token of the validation stream, ``bits_per_byte`` the same in bits for each byte of its text; None
    without such a stream, or where the bytes of the tokens are not known.
    """

    step: int
    loss: float | None
    lr: float | None
    gradient: float | None
    planted: int
    validation: float | None
    bits_per_byte: float | None


@dataclass(slots=True)
class Sums:
    """What has come together since the last entry."""

    steps: int = 0
    loss: float = 0.0
    gradient: float = 0.0

    def add(self, loss: float, gradient: float) -> None:
        """Note one step."""
        self.steps += 1
        self.loss += loss
        self.gradient = gradient
