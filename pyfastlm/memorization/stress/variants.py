"""The prompts of a stress test."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from pyfastlm.memorization.stress.substitutes import Substitutes
from pyfastlm.memorization.stress.words import find_words, replaced
from pyfastlm.memorization.token_ids import Ids

Kind: TypeAlias = Literal["original", "shifted", "other length", "one word", "several words"]
KINDS: tuple[Kind, ...] = ("original", "shifted", "other length", "one word", "several words")
SHARE = 1 / 3  # of the words, in prompts where several are changed


class Variant(NamedTuple):
    """Another way into a sequence.

    Attributes:
        kind: "original", "shifted" (begins later), "other length" (also begins later, or not), "one word" or
            "several words" (of the original are others).
        prompt: [p] token ids.
        shift: where in the sequence the prompt begins.
        start: where in the sequence the true continuation begins.
        changes: pairs of a word and what stands in its place.
    """

    kind: Kind
    prompt: Ids
    shift: int
    start: int
    changes: tuple[tuple[str, str], ...] = ()


def moved(tokens: Ids, prefix_length: int, shifts: int, prefix_lengths: Sequence[int]) -> list[Variant]:
    """The original, and all prompts from starts 0 to ``shifts`` and of all lengths that leave a token."""
    found = []
    lengths = [prefix_length, *(length for length in prefix_lengths if length != prefix_length)]
    for length in lengths:
        for shift in range(shifts + 1):
            start = shift + length
            if start < len(tokens):
                kind: Kind = "other length" if length != prefix_length else "shifted" if shift else "original"
                found.append(Variant(kind, tokens[shift:start], shift, start))
    return found


def substituted(
    tokens: Ids,
    prefix_length: int,
    source: Substitutes,
    tokenizer: Any,
    *,
    substitutes: int,
    draws: int,
    seed: int,
) -> list[Variant]:
    """The original with one word changed, each to ``substitutes`` others, and with several, in ``draws``."""
    prompt = tokens[:prefix_length]
    offered = [
        (word, others)
        for word in find_words(prompt, tokenizer)
        if (others := source.of(word, prompt, substitutes))
    ]
    plans: list[tuple[Kind, list[Any]]] = [
        ("one word", [(word, other)]) for word, others in offered for other in others
    ]
    rng = np.random.default_rng(seed)
    count = round(SHARE * len(offered))
    for _ in range(draws if count >= 2 else 0):
        which = sorted(rng.choice(len(offered), count, replace=False).tolist())
        drawn = [
            (offered[place][0], offered[place][1][rng.integers(len(offered[place][1]))]) for place in which
        ]
        plans.append(("several words", drawn))
    found, seen = [], {tuple(prompt.tolist())}
    for kind, changes in plans:
        made = replaced(prompt, changes, tokenizer)
        if made is not None and (key := tuple(made.tolist())) not in seen:
            seen.add(key)
            words = tuple((word.text, other) for word, other in changes)
            found.append(Variant(kind, made, 0, prefix_length, words))
    return found
