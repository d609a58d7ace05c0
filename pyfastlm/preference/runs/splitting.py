"""Which pairs are learnt from, and which are only scored."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pyfastlm.errors import InputError
from pyfastlm.preference.pairs import PreferencePair


class Split(NamedTuple):
    """Pairs to learn from and pairs held out, in the order they had; no prompt is in both."""

    learnt: list[PreferencePair]
    held_out: list[PreferencePair]


def split(pairs: Sequence[PreferencePair], share: float, *, seed: int = 0) -> Split:
    """Hold out a share of the prompts, at least one, with all their pairs.

    Args:
        pairs: of two prompts or more.
        share: of the prompts, between 0 and 1.
        seed: of the draw.

    Raises:
        InputError: the share is not between 0 and 1, or there are fewer than two prompts.
    """
    if not 0 < share < 1:
        raise InputError(f"share: expected a number between 0 and 1, got {share}")
    prompts = [*dict.fromkeys(pair.prompt for pair in pairs)]
    if len(prompts) < 2:
        raise InputError(f"pairs: expected at least 2 prompts, to hold one out, got {len(prompts)}")
    count = min(len(prompts) - 1, max(1, round(share * len(prompts))))
    drawn = np.random.default_rng(seed).permutation(len(prompts))[:count]
    apart = {prompts[number] for number in drawn}
    return Split(
        [pair for pair in pairs if pair.prompt not in apart], [pair for pair in pairs if pair.prompt in apart]
    )


def shuffled(pairs: Sequence[PreferencePair], *, seed: int = 0) -> list[PreferencePair]:
    """The same with chosen and rejected exchanged in a random half (rounded down) of them: a control that
    has nothing to teach about which answer is better."""
    drawn = np.random.default_rng(seed).permutation(len(pairs))[: len(pairs) // 2]
    exchanged = {int(number) for number in drawn}
    return [
        PreferencePair(pair.prompt, pair.rejected, pair.chosen) if number in exchanged else pair
        for number, pair in enumerate(pairs)
    ]
