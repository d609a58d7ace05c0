"""Names that look like brands: new words, which a dictionary takes for misspellings."""

import random
from collections.abc import Iterable

from pyfastlm.errors import InputError

SHORTEST, LONGEST = 5, 14  # letters


def brand_like(
    names: Iterable[str],
    words: Iterable[str],
    *,
    count: int | None = None,
    seed: int = 0,
    shortest: int = SHORTEST,
    longest: int = LONGEST,
) -> list[str]:
    """Names of one word of letters that no dictionary has, in small letters, each once, sorted.

    A corrector that changes one of them damages it. Hold them out of its catalogue, else the question is
    none.

    Args:
        names: such as those of packages; others than single words of letters are passed over.
        words: the dictionary, of any case.
        count: draw so many, evenly; by default all.
        seed: of the draw.
        shortest, longest: letters that a name has.

    Raises:
        InputError: fewer than ``count`` are found, or an argument is not what it should be.
    """
    if not 1 <= shortest <= longest:
        raise InputError(f"shortest: expected 1 to longest ({longest}), got {shortest}")
    small = (name.casefold() for name in names)
    found = {name for name in small if shortest <= len(name) <= longest and name.isalpha()}
    found.difference_update(word.casefold() for word in words)
    if count is None:
        return sorted(found)
    if not 1 <= count <= len(found):
        raise InputError(f"count: expected 1 to {len(found):,}, as many as were found, got {count!r}")
    return sorted(random.Random(f"{seed} brands").sample(sorted(found), count))
