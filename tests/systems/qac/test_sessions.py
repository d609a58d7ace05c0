"""Made-up sessions: what they look like, and that a seed fixes them."""

import random
from collections import Counter, defaultdict
from itertools import pairwise

import pytest
from searches import TERMS, sample_rows

from pyfastlm.errors import InputError
from pyfastlm.qac import Habits, Row, generate
from pyfastlm.qac.sessions import typing

CAREFUL = Habits(slip=0.0, accept=0.0)


def by_session(rows: list[Row]) -> list[list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row.session_id].append(row)
    return list(found.values())


def test_a_seed_fixes_everything() -> None:
    assert sample_rows(50, seed=1) == sample_rows(50, seed=1)
    assert sample_rows(50, seed=1) != sample_rows(50, seed=2)


def test_rows_come_by_time_and_popularity_counts_them_all() -> None:
    rows = sample_rows(300, seed=0)
    assert [row.time for row in rows] == sorted(row.time for row in rows)
    assert Counter(row.term for row in rows) == {row.term: row.popularity for row in rows}
    assert len({row.query_id for row in rows}) == len(rows)
    assert len({row.session_id for row in rows}) == 300
    assert all(row.typed < row.time for row in rows)
    assert {row.term for row in rows} <= set(TERMS)


def test_terms_are_drawn_by_their_counts() -> None:
    rows = generate({"a": 900.0, "b": 90.0, "c": 10.0, "never": 0.0}.items(), 3000, seed=0,
                    habits=Habits(more=0.0))  # fmt: skip
    share = {term: count / 3000 for term, count in Counter(row.term for row in rows).items()}
    assert share["a"] == pytest.approx(0.9, abs=0.02)
    assert share["b"] == pytest.approx(0.09, abs=0.02)
    assert "never" not in share


def test_sessions_stay_with_their_subject() -> None:
    """Neighbours in a session share a word more often than those of sessions that do not care."""

    def related(habits: Habits) -> float:
        sessions = by_session(generate(TERMS.items(), 600, seed=3, habits=habits))
        pairs = [(a.term, b.term) for session in sessions for a, b in pairwise(session) if a.term != b.term]
        return sum(bool(set(a.split()) & set(b.split())) for a, b in pairs) / len(pairs)

    assert related(Habits(stay=0.9)) > related(Habits(stay=0.0)) + 0.3


def test_careful_people_type_the_term_key_by_key() -> None:
    assert typing("a café", random.Random(0), CAREFUL) == ["a", "a ", "a c", "a ca", "a caf", "a café"]


def test_each_key_adds_or_takes_away_one_letter() -> None:
    rng = random.Random(5)
    clumsy = Habits(slip=0.2, notice=0.7, accept=0.02)
    slips = deletions = 0
    for _ in range(500):
        term = rng.choice(sorted(TERMS))
        states = typing(term, rng, clumsy)
        for before, after in pairwise(["", *states]):
            assert abs(len(after) - len(before)) == 1 or (len(before) == 1 and len(after) == 1)
            longer, shorter = sorted((before, after), key=len, reverse=True)
            assert longer.startswith(shorter) or len(before) == len(after)
            deletions += len(after) < len(before)
        slips += not term.startswith(states[-1])
    assert slips > 50
    assert deletions > 100


def test_without_anything_to_draw_from() -> None:
    with pytest.raises(InputError, match="terms: expected at least one with a count above 0"):
        generate([("a", 0.0), ("", 3.0)], 5)
    with pytest.raises(InputError, match="sessions: expected 1 or more, got 0"):
        generate([("a", 1.0)], 0)
