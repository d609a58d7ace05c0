"""One sequence to be planted, and the places where it goes."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError, InputTypeError

Transform = Literal["original", "shuffled", "given"]


@dataclass(frozen=True, slots=True)
class Injection:
    """A sequence, and the numbers of the training examples that it replaces.

    Example number i of a run is row ``i % batch_size`` of the batch of step ``i // batch_size``, both from 0.

    Attributes:
        sequence: its name; no two of a run are alike.
        content: a text, which the model's tokenizer encodes, or token ids.
        examples: numbers of the replaced examples, ascending; none for a sequence that the run never sees.
        transform: "original"; "shuffled": its tokens in an order that ``seed`` and ``sequence`` draw, taken
            after the sequence has been cut to the window; "given": planted as it stands, and known to be out
            of distribution.
        seed: of the shuffling.

    Raises:
        InputError, InputTypeError: an attribute is wrong.

    Source: the injection of ``src/nparray_dataset.py`` in ``explanare/verbatim-memorization``.
    """

    sequence: str
    content: str | tuple[int, ...]
    examples: tuple[int, ...] = ()
    transform: Transform = "original"
    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.sequence, str) or not self.sequence:
            raise InputTypeError(f"sequence: expected a name, got {self.sequence!r}")
        if self.transform not in get_args(Transform):
            raise InputError(
                f"transform: expected one of {', '.join(get_args(Transform))}, got {self.transform!r}"
            )
        if self.seed < 0:
            raise InputError(f"seed: expected at least 0, got {self.seed}")
        if not isinstance(self.content, str):
            object.__setattr__(self, "content", _numbers("content", self.content))
        object.__setattr__(self, "examples", _numbers("examples", self.examples))
        places = self.examples
        if any(earlier >= later for earlier, later in pairwise(places)):
            raise InputError(f"examples: expected ascending numbers for {self.sequence!r}, got {places}")

    @classmethod
    def repeated(
        cls,
        sequence: str,
        content: str | tuple[int, ...],
        *,
        occurrences: int,
        every: int,
        first: int = 0,
        transform: Transform = "original",
        seed: int = 0,
    ) -> "Injection":
        """The plan of the original: in place of the examples ``first``, ``first + every``, ... ."""
        for name, value, least in (("occurrences", occurrences, 0), ("every", every, 1), ("first", first, 0)):
            if value < least:
                raise InputError(f"{name}: expected at least {least}, got {value}")
        examples = tuple(first + every * number for number in range(occurrences))
        return cls(sequence, content, examples, transform, seed)

    @classmethod
    def once(
        cls,
        sequence: str,
        content: str | tuple[int, ...],
        *,
        at: int,
        transform: Transform = "original",
        seed: int = 0,
    ) -> "Injection":
        """Single-shot: in place of example ``at`` only."""
        return cls(sequence, content, (at,), transform, seed)

    def tokens(self, tokenizer: Any, length: int) -> NDArray[np.int64]:
        """What is planted: at most ``length`` token ids [n], transformed.

        Args:
            tokenizer: of transformers; not used, and may be None, where ``content`` is token ids.
            length: one more than the window.

        Raises:
            InputError: there are fewer than two tokens, or a text and no tokenizer.
        """
        ids: Sequence[int] = (
            _encoded(self.content, tokenizer) if isinstance(self.content, str) else self.content
        )
        found = np.array(ids[:length], np.int64)
        if len(found) < 2:
            raise InputError(f"content: expected at least 2 tokens in {self.sequence!r}, got {len(found)}")
        if self.transform == "shuffled":
            name = hashlib.blake2b(self.sequence.encode(errors="surrogatepass"), digest_size=8).digest()
            rng = np.random.default_rng((self.seed, int.from_bytes(name, "little")))
            found = found[rng.permutation(len(found))]
        return found


def scheduled(repetitions: Mapping[str, int], *, examples: int, seed: int = 0) -> dict[str, tuple[int, ...]]:
    """Numbers of the examples for each sequence, all of them spread over a run as evenly as they can be.

    The planted examples lie at equal distances, so that with as many as there are batches every batch has
    one. Which sequence comes at which is drawn: of a sequence with r repetitions one falls into about every
    r-th part of the run.

    Args:
        repetitions: of each sequence; 0 is allowed.
        examples: of the run: steps times batch size.
        seed: of the order.

    Raises:
        InputError: there are more repetitions than examples, or a negative number of them.
    """
    if any(count < 0 for count in repetitions.values()):
        raise InputError("repetitions: expected numbers of at least 0")
    total = sum(repetitions.values())
    if total > examples:
        raise InputError(f"examples: expected at least the {total:,} repetitions, got {examples:,}")
    rng = np.random.default_rng(seed)
    names = [name for name, count in repetitions.items() for _ in range(count)]
    parts = [(np.arange(count) + rng.random(count)) / count for count in repetitions.values() if count]
    order = np.argsort(np.concatenate([np.empty(0), *parts]), kind="stable")
    found: dict[str, list[int]] = {name: [] for name in repetitions}
    for place, number in enumerate(order):
        found[names[number]].append((2 * place + 1) * examples // (2 * total))
    return {name: tuple(places) for name, places in found.items()}


def _encoded(text: str, tokenizer: Any) -> list[int]:
    if tokenizer is None:
        raise InputError("content: a text needs a tokenizer; give token ids")
    ids: list[int] = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    return ids


def _numbers(name: str, values: Any) -> tuple[int, ...]:
    try:
        found = tuple(int(value) for value in values)
    except (TypeError, ValueError) as error:
        raise InputTypeError(f"{name}: expected whole numbers, got {values!r:.60}") from error
    if any(found_one != value or found_one < 0 for found_one, value in zip(found, values, strict=True)):
        raise InputError(f"{name}: expected whole numbers of at least 0")
    return found
