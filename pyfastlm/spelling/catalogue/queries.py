"""Searches of a shop, made up from the names of its products and the words that go with them."""

import random
from bisect import bisect
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from pyfastlm.errors import InputError
from pyfastlm.spelling.catalogue.entry import Entry, entries_of

# Words that go with most things that a shop sells.
ATTRIBUTES = (
    "black", "white", "red", "blue", "green", "grey", "small", "large", "mini", "xl", "wooden",
    "metal", "cotton", "leather", "plastic", "cheap", "best", "new", "set", "pack", "kids", "men", "women",
    "outdoor", "portable",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Habits:
    """How people ask for a product; shares of the searches.

    Attributes:
        partial: of a name of several words not all are written: the first ones, or one is left out.
        attribute: a word such as a colour or a size is added.
        second: of those, with a second one.
        before: an attribute stands before the name and not after it.
        swapped: two words beside each other change places.
        small: everything is in small letters.
    """

    partial: float = 0.3
    attribute: float = 0.5
    second: float = 0.2
    before: float = 0.4
    swapped: float = 0.1
    small: float = 0.9


def queries(
    names: Iterable[str | tuple[str, float]],
    attributes: Sequence[str] = ATTRIBUTES,
    count: int = 10_000,
    *,
    seed: int = 0,
    habits: Habits = Habits(),
) -> list[Entry]:
    """What ``count`` searches ask for, each query once, with how often it came: the most frequent first.

    What a corrector gains here from the names is what this generator put there: say so beside numbers.

    Args:
        names: or pairs (name, popularity): products are drawn by their popularity.
        attributes: words that go with any product, such as colours, sizes and materials; may be empty.
        count: searches, not different queries.
        seed: equal seeds give equal queries.
        habits: of the people.

    Raises:
        InputError: no name has a popularity above 0, or an argument is not what it should be.
    """
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise InputError(f"count: expected a whole number >= 1, got {count!r}")
    known = [entry for entry in entries_of(names) if entry.popularity > 0]
    if not known:
        raise InputError("names: expected at least one with a popularity above 0")
    upto = list(accumulate(entry.popularity for entry in known))
    rng = random.Random(f"{seed} queries")
    found: Counter[str] = Counter()
    for _ in range(count):
        place = min(bisect(upto, rng.random() * upto[-1]), len(known) - 1)
        found[_query(known[place].name, attributes, habits, rng)] += 1
    ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return [Entry(text, float(times)) for text, times in ordered]


def _query(name: str, attributes: Sequence[str], habits: Habits, rng: random.Random) -> str:
    words = name.split()
    if len(words) > 1 and rng.random() < habits.partial:
        if rng.random() < 0.5:
            words = words[: rng.randrange(1, len(words))]
        else:
            del words[rng.randrange(len(words))]
    if attributes and rng.random() < habits.attribute:
        wanted = min(1 + (rng.random() < habits.second), len(attributes))
        for word in rng.sample(attributes, wanted):
            words.insert(0 if rng.random() < habits.before else len(words), word)
    if len(words) > 1 and rng.random() < habits.swapped:
        at = rng.randrange(1, len(words))
        words[at - 1 : at + 1] = words[at], words[at - 1]
    text = " ".join(words)
    return text.lower() if rng.random() < habits.small else text
