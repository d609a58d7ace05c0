"""What a model learns correction from: misspelled and clean names, with names to use and names to ignore."""

import random
from collections.abc import Container, Iterable, Sequence
from typing import NamedTuple, Protocol

from pyfastlm.errors import InputError
from pyfastlm.spelling.context.retriever import Retriever


class Misspelled(Protocol):
    """A text as it was typed, and what was meant."""

    @property
    def noisy(self) -> str:
        """As typed."""
        ...

    @property
    def gold(self) -> str:
        """What was meant."""
        ...


class TrainingRow(NamedTuple):
    """A query with the names that the model reads, if any, and the correction.

    ``kind``: ``"noisy known"``, ``"clean known"``, ``"noisy unknown"`` or ``"clean unknown"``: whether the
    query is the correction already, and whether the correction is in the catalogue.
    """

    query: str
    context: tuple[str, ...] | None
    gold: str
    kind: str


def training_rows(
    pairs: Iterable[Misspelled],
    catalogue: Container[str],
    retriever: Retriever,
    *,
    gold_share: float = 0.75,
    copy_share: float = 0.5,
    context_share: float = 1.0,
    k: int = 10,
    seed: int,
) -> list[TrainingRow]:
    """A row for each pair, and for some of them another one whose query is spelled right; in random order.

    Rows of unknown words come of pairs whose gold is not in the catalogue, so give some. The names are what
    the retriever finds for the query. Of the rows with names and a known gold, ``gold_share`` (rounded) have
    it among the names, at a random place where the retriever does not find it; from the others it is taken
    out. So the model learns both to use names and not to trust them.

    Args:
        pairs: misspelled texts, from other names than those to be judged by.
        catalogue: says which names are known: a set, or a :class:`pyfastlm.index.TermIndex`.
        retriever: over the catalogue.
        gold_share: of the rows with names and a known gold; 0.6 to 0.9 is sensible.
        copy_share: of the pairs that are also asked without misspelling.
        context_share: of the rows that have names at all; 0 for a model that is to read none.
        k: names at most.
        seed: of everything that is drawn.

    Raises:
        InputError: a share is not between 0 and 1, or there is no pair.
    """
    shares = {"gold_share": gold_share, "copy_share": copy_share, "context_share": context_share}
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise InputError(f"{name}: expected a number from 0 to 1, got {share!r}")
    rng = random.Random(f"{seed} training rows")
    given = [(pair.noisy, pair.gold) for pair in pairs]
    if not given:
        raise InputError("pairs: expected at least one, got none")
    asked = given + [(gold, gold) for _, gold in rng.sample(given, round(copy_share * len(given)))]
    rng.shuffle(asked)
    read = _some(range(len(asked)), context_share, rng)
    found = retriever.retrieve([asked[place][0] for place in read], k + 1) if read else []
    contexts = dict(zip(read, found, strict=True))
    known = [gold in catalogue for _, gold in asked]
    shown = set(_some([place for place in read if known[place]], gold_share, rng))
    rows = []
    for place, (query, gold) in enumerate(asked):
        kind = f"{'clean' if query == gold else 'noisy'} {'known' if known[place] else 'unknown'}"
        context = None
        if place in contexts:
            context = _context(contexts[place], gold, place in shown, k, rng)
        rows.append(TrainingRow(query, context, gold, kind))
    return rows


def _some(places: Sequence[int], share: float, rng: random.Random) -> list[int]:
    return sorted(rng.sample(places, round(share * len(places))))


def _context(names: Sequence[str], gold: str, shown: bool, k: int, rng: random.Random) -> tuple[str, ...]:
    others = [name for name in names if name != gold]
    if not shown:
        return tuple(others[:k])
    others = others[: k - 1]
    place = names.index(gold) if gold in names[:k] else rng.randint(0, len(others))
    return (*others[:place], gold, *others[place:])
