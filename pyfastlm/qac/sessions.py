"""Sessions made up from real terms and counts, in the form of AmazonQAC.

For tests, demos and load, where the data set is not at hand. What an engine gains from context here is what
this generator put there: say so beside every number.
"""

import random
from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate

from pyfastlm.errors import InputError
from pyfastlm.qac.rows import Row

KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
FIRST_DAY = datetime(2023, 9, 1)


@dataclass(frozen=True, slots=True)
class Habits:
    """How people search. Shares are of searches, or of keys pressed.

    Attributes:
        days: over which sessions are spread.
        more: another search follows in the session.
        repeat: that one is for the same term again.
        stay: else, it is for a term that shares a word with the last one.
        slip: a key is another than was meant: a neighbour, two keys in the wrong order, one left out.
        notice: a slip is seen at once and deleted.
        accept: at each key from the second on, the rest is not typed any more.
    """

    days: int = 30
    more: float = 0.6
    repeat: float = 0.1
    stay: float = 0.6
    slip: float = 0.015
    notice: float = 0.6
    accept: float = 0.05


def generate(
    terms: Iterable[tuple[str, float]], sessions: int, *, seed: int = 0, habits: Habits = Habits()
) -> list[Row]:
    """Rows of the train split of so many sessions, by time, drawn by the counts of ``terms``.

    ``popularity`` is how often a term was searched in all of them, days to come included, as in the data set.

    Args:
        terms: pairs (term, count).
        sessions: how many.
        seed: equal seeds give equal rows.
        habits: of the people.
    """
    if sessions < 1:
        raise InputError(f"sessions: expected 1 or more, got {sessions}")
    rng = random.Random(seed)
    wishes = _Wishes(terms)
    rows: list[Row] = []
    for number in range(sessions):
        clock = FIRST_DAY + timedelta(days=habits.days * rng.random())
        for term in _searches(wishes, rng, habits):
            states = typing(term, rng, habits)
            started = _milliseconds(clock)
            for _ in states:
                clock += timedelta(seconds=rng.lognormvariate(-1.6, 0.5))
            clock += timedelta(seconds=rng.lognormvariate(0, 0.5))
            rows.append(
                Row(
                    str(len(rows)),
                    f"s{seed}-{number}",
                    (),
                    tuple(states),
                    started,
                    term,
                    _milliseconds(clock),
                    0,
                )
            )
            clock += timedelta(seconds=rng.lognormvariate(3.5, 1))
    counts = Counter(row.term for row in rows)
    rows.sort(key=lambda row: (row.time, int(row.query_id)))
    return [row._replace(popularity=counts[row.term]) for row in rows]


def typing(term: str, rng: random.Random, habits: Habits) -> list[str]:
    """What stands in the box after each key, deletions included, until the rest is accepted or typed."""
    box, states = "", []
    place = 0
    while place < len(term):
        typed, meant = term[place], 1
        if rng.random() < habits.slip:
            typed, meant = _slip(term[place : place + 2], rng)
        for letter in typed:
            box += letter
            states.append(box)
        place += meant
        if box != term[:place] and typed and rng.random() < habits.notice:
            for _ in typed:
                box = box[:-1]
                if box:
                    states.append(box)
            place -= meant
        if len(states) > 1 and rng.random() < habits.accept:
            break
    return states or [term]


def _slip(ahead: str, rng: random.Random) -> tuple[str, int]:
    """What is typed instead of the next letters, and for how many of them it stands."""
    kind = rng.randrange(3)
    if kind == 0 and len(ahead) == 2:
        return ahead[::-1], 2
    if kind == 1 and len(ahead) == 2:
        return "", 1
    for row in KEYS:
        if ahead[0] in row:
            place = row.index(ahead[0])
            return rng.choice(row[max(place - 1, 0) : place] + row[place + 1 : place + 2]), 1
    return ahead[0] * 2, 1


def _searches(wishes: "_Wishes", rng: random.Random, habits: Habits) -> Iterator[str]:
    term = wishes.any(rng)
    yield term
    while rng.random() < habits.more:
        chance = rng.random()
        if chance >= habits.repeat:
            related = chance < habits.repeat + (1 - habits.repeat) * habits.stay
            term = wishes.related(term, rng) if related else wishes.any(rng)
        yield term


class _Wishes:
    """Terms to be drawn by their counts, all of them or those that share a word."""

    def __init__(self, terms: Iterable[tuple[str, float]]) -> None:
        pairs = [(term, count) for term, count in terms if term and count > 0]
        if not pairs:
            raise InputError("terms: expected at least one with a count above 0")
        self._all = _Weighted([term for term, _ in pairs], [count for _, count in pairs])
        topics: dict[str, list[tuple[str, float]]] = defaultdict(list)
        for term, count in pairs:
            for word in set(term.split()):
                topics[word].append((term, count))
        self._topics = {
            word: _Weighted([term for term, _ in found], [count for _, count in found])
            for word, found in topics.items()
            if len(found) > 1
        }

    def any(self, rng: random.Random) -> str:
        return self._all.draw(rng)

    def related(self, term: str, rng: random.Random) -> str:
        topics = [word for word in sorted(set(term.split())) if word in self._topics]
        return self._topics[rng.choice(topics)].draw(rng) if topics else self.any(rng)


class _Weighted:
    def __init__(self, terms: Sequence[str], counts: Sequence[float]) -> None:
        self._terms = terms
        self._upto = list(accumulate(counts))

    def draw(self, rng: random.Random) -> str:
        return self._terms[min(bisect(self._upto, rng.random() * self._upto[-1]), len(self._terms) - 1)]


def _milliseconds(time: datetime) -> datetime:
    return time.replace(microsecond=time.microsecond // 1000 * 1000)
