"""Weighted edits are those of a slow recursion; with all prices one they are plain edits."""

import copy
import math
import pickle
from functools import cache

import pytest
import terms as slow
from hypothesis import given, settings
from hypothesis import strategies as st

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.index import EditCosts

BAND = 4  # as the docstring of `cost` says
LETTERS = st.text("abcsk éA日\0\U0001f600", max_size=8)
FEW = st.text("ab ", max_size=8)
PRICE = st.sampled_from([0.0, 0.25, 0.5, 1.0, 3.0]) | st.floats(0, 4)
REWRITE = st.tuples(st.text("ab k", max_size=3), st.text("ab s日", max_size=3), PRICE).filter(
    lambda one: one[0] or one[1]
)
COSTS = st.builds(
    EditCosts,
    **dict.fromkeys(
        ("substitution", "near_key", "insertion", "omission", "doubling", "transposition", "space", "first"),
        PRICE,
    ),
    keyboard=st.sampled_from([None, "qwerty"]),
    rewrites=st.lists(REWRITE, max_size=6).map(tuple),
)
PLAIN = EditCosts(1, 1, 1, 1, 1, 1, 1, 1, keyboard=None, rewrites=())


def slow_cost(costs: EditCosts, written: str, meant: str, apart: int) -> float:
    """By recursion from the ends; positions more than ``apart`` from each other lead nowhere."""

    def touching(a: str, b: str) -> bool:
        a, b = (each.lower() if each.isascii() else each for each in (a, b))
        return costs.keyboard is not None and b in slow.QWERTY.get(a, "")

    def alone(text: str, i: int, usual: float) -> float:
        if text[i - 1] == " ":
            return costs.space
        return costs.doubling if text[:i][-2:] == 2 * text[i - 1] else usual

    @cache
    def least(i: int, j: int) -> float:
        if abs(i - j) > apart:
            return math.inf
        if i == j == 0:
            return 0.0
        ways = [math.inf]
        factor = costs.first if max(i, j) == 1 else 1.0
        if i:
            ways.append(least(i - 1, j) + factor * alone(written, i, costs.insertion))
        if j:
            ways.append(least(i, j - 1) + factor * alone(meant, j, costs.omission))
        if i and j:
            a, b = written[i - 1], meant[j - 1]
            other = costs.near_key if touching(a, b) else costs.substitution
            ways.append(least(i - 1, j - 1) + (0 if a == b else factor * other))
        if min(i, j) > 1 and written[i - 2 : i] == meant[j - 2 : j][::-1]:
            ways.append(least(i - 2, j - 2) + costs.transposition)
        for one, other, cost in costs.rewrites:
            if written[:i].endswith(one) and meant[:j].endswith(other):
                ways.append(least(i - len(one), j - len(other)) + cost)
        return min(ways)

    return least(len(written), len(meant))


@settings(max_examples=400, deadline=None)
@given(COSTS, LETTERS | FEW, LETTERS | FEW)
def test_any_costs(costs: EditCosts, written: str, meant: str) -> None:
    found = costs.cost(written, meant)
    apart = BAND + abs(len(written) - len(meant))
    assert found == pytest.approx(slow_cost(costs, written, meant, apart), rel=1e-5, abs=1e-6)
    least = slow_cost(costs, written, meant, 99)
    assert found >= least * (1 - 1e-5) - 1e-6
    if max(len(written), len(meant)) <= BAND:
        assert found == pytest.approx(least, rel=1e-5, abs=1e-6)


@settings(max_examples=300, deadline=None)
@given(LETTERS | FEW | st.text(max_size=8), LETTERS | FEW | st.text(max_size=8))
def test_plain_edits(written: str, meant: str) -> None:
    assert PLAIN.cost(written, meant) == slow.osa(written, meant)[-1]


@pytest.mark.parametrize(
    ("written", "meant", "cost"),
    [
        ("same", "same", 0),
        ("", "", 0),
        ("hause", "house", 0.6),  # a rewrite
        ("teh", "the", 0.5),
        ("fone", "phone", 0.6),
        ("phone", "fone", 0.6),
        ("runing", "running", 0.4),
        ("runnning", "running", 0.4),
        ("newyork", "new york", 0.5),
        ("new york", "newyork", 0.5),
        ("housw", "house", 0.8),  # a near key
        ("houwe", "house", 0.8),
        ("houpe", "house", 1.0),
        ("ouse", "house", 0.5 * 1.1),
        ("xhouse", "house", 0.8 * 1.1),
        ("pouse", "house", 1.0 * 1.1),
        ("Aouse", "aouse", 1.0 * 1.1),
        ("日本", "本日", 0.5),
        ("日", "本", 1.0 * 1.1),
    ],
)
def test_usual_costs(written: str, meant: str, cost: float) -> None:
    assert EditCosts().cost(written, meant) == pytest.approx(cost)


def test_every_rewrite_is_looked_at() -> None:
    """As many as there may be; their numbers are bits of one word."""
    rewrites = tuple((chr(0x100 + i), chr(0x200 + i) * 2, i / 100) for i in range(64))
    costs = EditCosts(rewrites=rewrites)
    for written, meant, cost in rewrites:
        assert costs.cost(f"a{written}b", f"a{meant}b") == pytest.approx(cost)


def test_long_texts() -> None:
    costs = EditCosts()
    text = "abcdefgh日" * 40
    assert costs.cost(text, text) == 0
    assert costs.cost(text, text[:200] + "x" + text[200:]) == pytest.approx(0.5)
    assert costs.cost("", text) == pytest.approx(360 * 0.5 + 0.05)


def test_copies_cost_the_same() -> None:
    costs = EditCosts(keyboard="azerty", rewrites=(("a", "o", 0.25),))
    assert costs.cost("a", "o") == 0.25
    for other in (copy.deepcopy(costs), pickle.loads(pickle.dumps(costs))):
        assert other == costs
        assert other.cost("a", "o") == 0.25


@pytest.mark.parametrize("name", [*list(EditCosts.__dataclass_fields__)[:8]])
@pytest.mark.parametrize("cost", [-1e-9, math.inf, -math.inf, math.nan, 1e7])
def test_costs_that_are_none(name: str, cost: float) -> None:
    with pytest.raises(InputError, match=f"{name}: expected a cost from 0 to 1,000,000, got "):
        EditCosts(**{name: cost})


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"omission": "1"}, InputTypeError, "omission: expected a number as cost, got '1'"),
        ({"first": None}, InputTypeError, "first: expected a number as cost, got None"),
        ({"space": True}, InputTypeError, "space: expected a number as cost, got True"),
        ({"keyboard": "dvorak"}, InputError, "keyboard: expected None, 'qwerty', 'qwertz' or 'azerty'"),
        ({"rewrites": (("a", "b", 1.0),) * 65}, InputError, "rewrites: expected 64 at most, got 65"),
        ({"rewrites": (("a", "b", -1.0),)}, InputError, "rewrites: expected a cost from 0 to 1,000,000"),
        ({"rewrites": (("a", "b", math.nan),)}, InputError, "rewrites: expected a cost from 0 to 1,000,000"),
        ({"rewrites": (("a", "b", "c"),)}, InputTypeError, "rewrites: expected a number as cost, got 'c'"),
        ({"rewrites": (("a", 1, 1.0),)}, InputTypeError, "rewrites: expected triples"),
        ({"rewrites": (("a", "b"),)}, InputTypeError, "rewrites: expected triples"),
        ({"rewrites": ("ab",)}, InputTypeError, "rewrites: expected triples"),
        ({"rewrites": (("", "", 1.0),)}, InputError, "rewrites: expected a text, got two empty ones"),
    ],
)
def test_bad_options(options, error, message) -> None:
    with pytest.raises(error, match=message):
        EditCosts(**options)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: EditCosts().cost("\ud800", "a"), InputError, "written: .*surrogate"),
        (lambda: EditCosts().cost("a", "\ud800"), InputError, "meant: .*surrogate"),
        (lambda: EditCosts().cost(1, "a"), InputTypeError, "written: expected a string, got int"),
        (lambda: EditCosts().cost("a", b"a"), InputTypeError, "meant: expected a string, got bytes"),
        (
            lambda: EditCosts(rewrites=(("\ud800", "a", 1.0),)).cost("", ""),
            InputError,
            "rewrites: .*surrogate",
        ),
    ],
)
def test_bad_texts(call, error, message) -> None:
    with pytest.raises(error, match=message):
        call()
