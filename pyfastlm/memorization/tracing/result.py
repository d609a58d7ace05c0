"""What a trace found."""

from dataclasses import dataclass
from typing import Union

import numpy as np
from numpy.typing import NDArray

from pyfastlm.memorization.token_ids import Ids

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Trace:
    """Interchange interventions on one sequence: P prompt tokens, then H tokens whose probability is watched.

    Level 0 of the stream is what enters the first block (the embeddings), level l what leaves block l.
    Everything is a mean over the corrupted prompts; ``dependency`` and ``restored`` have a twin in nats.

    Attributes:
        tokens: [P + H] the sequence.
        corrupted: [draws, P] the other prompts.
        layers: the L levels at which states were exchanged.
        positions: the N places in the prompt at which they were.
        logp: [H] nats, of each token after the clean prompt (and the true tokens before it).
        corrupted_logp: [draws, H] the same after each corrupted prompt.
        greedy: [H] whether the clean run prefers the token to all others.
        dependency: [L, N, H] the drop of the token's probability when the state of the clean run at this
            level and position is replaced by that of the corrupted run; negative where the probability rises.
        dependency_nats: the drop of its log-probability.
        restored: [L, N, H] the rise of the probability in the corrupted run when this one state is replaced
            by that of the clean run.
        restored_nats: the rise of its log-probability.
        whole: [L, H] as ``dependency``, with the states of all P positions replaced together.
        threshold: a drop of the probability above it counts as a dependency.
        control: the same for a text that is not memorised, followed by what the model writes after it; None
            where none was asked for.
    """

    tokens: Ids
    corrupted: Ids
    layers: tuple[int, ...]
    positions: tuple[int, ...]
    logp: Floats
    corrupted_logp: Floats
    greedy: Flags
    dependency: Floats
    dependency_nats: Floats
    restored: Floats
    restored_nats: Floats
    whole: Floats
    threshold: float
    control: Union["Trace", None] = None

    @property
    def prefix_length(self) -> int:
        """P."""
        return int(self.corrupted.shape[1])

    @property
    def horizon(self) -> int:
        """H."""
        return len(self.logp)

    @property
    def peak(self) -> Floats:
        """[H] the largest drop by a single state."""
        found: Floats = self.dependency.max((0, 1))
        return found

    @property
    def total(self) -> Floats:
        """[H] the drop when the whole prompt is corrupted."""
        found: Floats = np.exp(self.logp) - np.exp(self.corrupted_logp).mean(0)
        return found

    @property
    def depends(self) -> Flags:
        """[H] whether some single state, or the prompt as a whole, makes a drop above the threshold.

        False: with the true tokens before it given, the token is as probable after another prompt. Several
        states may carry the same information; then no single one makes a drop, but all together do.
        """
        found: Flags = np.maximum(self.peak, self.total) > self.threshold
        return found

    def strongest(self, token: int) -> tuple[int, int]:
        """Level and position of the single state that the generated ``token`` (0..H-1) depends on most."""
        drop = self.dependency[:, :, token]
        level, position = np.unravel_index(int(drop.argmax()), drop.shape)
        return self.layers[int(level)], self.positions[int(position)]
