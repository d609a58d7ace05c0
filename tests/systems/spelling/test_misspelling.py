"""Misspellings: that they are what their class says, always errors, and nothing but errors."""

import re
import unicodedata
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from terms import QWERTY, osa

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.spelling import Pair, misspell
from pyfastlm.spelling.noise.keyboards import KEYBOARDS, neighbours_of
from pyfastlm.spelling.noise.misspelling import KINDS, SHORTEST, STEPS
from pyfastlm.spelling.noise.phonetic import Rewrite

NAMES = (
    "wireless bluetooth headphones", "philips led light", "phone charger cable", "stainless steel kettle",
    "organic face cream", "quilted winter jacket", "scented candle jar", "knitted baby blanket",
)  # fmt: skip
WORDS = [f"{a} {b}" for a in " ".join(NAMES).split() for b in " ".join(NAMES).split() if a != b]


def distance(pair: Pair) -> int:
    return osa(pair.noisy, pair.gold)[-1]


def test_every_class_is_drawn_and_is_as_far_as_it_says() -> None:
    found: dict[str, Counter[int]] = {kind: Counter() for kind in KINDS}
    for pair in misspell(WORDS, per_text=8):
        found[pair.kind][distance(pair)] += 1
    # A class that found nothing new in its tries gives way to another.
    assert all(abs(of.total() - len(WORDS)) < 5 for of in found.values())
    for kind in ("kb", "transposition", "sp"):
        assert set(found[kind]) == {1}
    assert set(found["ph"]) <= {1, 2, 3}
    # Edits far from each other may still be fewer together: "bab" is one letter from "aba", not two.
    for kind, edits in (("kb+kb", 2), ("sp+kb", 2), ("kb3", 3)):
        assert max(found[kind]) == edits
        assert found[kind][edits] / len(WORDS) > 0.9
    assert found["ph+kb"][1] / len(WORDS) < 0.05


def test_classes_are_drawn_as_often() -> None:
    drawn = Counter(pair.kind for pair in misspell(WORDS, seed=5))
    assert drawn.total() == len(WORDS)
    assert max(abs(drawn[kind] / len(WORDS) - 1 / len(KINDS)) for kind in KINDS) < 0.05


def test_the_keyboard_is_that_of_the_desk() -> None:
    assert {letter: set(beside) for letter, beside in KEYBOARDS["qwerty"].items()} == {
        letter: set(beside) for letter, beside in QWERTY.items()
    }
    for table in KEYBOARDS.values():
        assert all(letter in table[other] for letter, beside in table.items() for other in beside)
    assert set(KEYBOARDS["qwertz"]["z"]) == set("tugh")
    assert "q" in KEYBOARDS["azerty"]["a"]


def test_keys_are_those_beside_the_right_one() -> None:
    """Every single error of the keyboard is a letter gone, doubled, or one of the letters beside it."""
    ways = Counter()
    for pair in misspell(WORDS, kinds=("kb",), per_text=20):
        noisy, gold = pair.noisy, pair.gold
        at = next((place for place, (a, b) in enumerate(zip(noisy, gold, strict=False)) if a != b), len(gold))
        if len(noisy) < len(gold):
            ways["left out"] += 1
        elif len(noisy) == len(gold):
            assert noisy[at] in QWERTY[gold[at]]
            ways["instead"] += 1
        elif noisy[at] == noisy[at - 1]:
            ways["twice"] += 1
        else:
            # Where the letter beside is the next one of the text too, it seems to stand after that one.
            before = {gold[place] for place in (at - 1, at - 2) if place >= 0}
            assert any(noisy[at] in QWERTY.get(letter, "") for letter in before)
            ways["after"] += 1
    assert min(ways.values()) / ways.total() > 0.2


def test_sounds_are_alike() -> None:
    noisy = {pair.noisy for pair in misspell(("phone knight jacket",), kinds=("ph",), per_text=99)}
    assert {"fone knight jacket", "phone night jacket", "phone knight jaket"} <= noisy
    only = misspell(("Phone PHONE phone",), kinds=("ph",), rewrites=(Rewrite("ph", "f"),), per_text=9)
    assert {pair.noisy for pair in only} == {"Fone PHONE phone", "Phone FONE phone", "Phone PHONE fone"}


def test_spaces() -> None:
    pairs = list(misspell(("ab light tv",), kinds=("sp",), per_text=20))
    assert {pair.noisy for pair in pairs} == {
        "ablight tv", "ab lighttv", "ab l ight tv", "ab li ght tv", "ab lig ht tv", "ab ligh t tv",
    }  # fmt: skip


def test_equal_seeds_give_equal_errors_whatever_else_there_is() -> None:
    alone = [list(misspell([text], seed=3)) for text in WORDS]
    assert [pair for found in alone for pair in found] == list(misspell(WORDS, seed=3))
    assert list(misspell(WORDS, seed=4)) != list(misspell(WORDS, seed=3))
    first = list(misspell(WORDS, seed=3, per_text=1))
    assert first == list(misspell(WORDS, seed=3, per_text=3))[::3]


def test_several_of_a_text_are_different_and_of_all_classes() -> None:
    pairs = list(misspell(NAMES, per_text=24))
    assert len({(pair.noisy, pair.gold) for pair in pairs}) == len(pairs) == 24 * len(NAMES)
    assert all(sum(pair.kind == kind for pair in pairs) == 3 * len(NAMES) for kind in KINDS)


def test_short_texts_get_what_they_have_room_for() -> None:
    assert list(misspell(["", "a", "tv", "4k t", "123456", "!!!", "🎧🎧🎧", " "], per_text=50)) == []
    assert {pair.kind for pair in misspell(["lamp"], per_text=80)} == {"kb", "transposition", "ph", "sp"}
    assert {pair.kind for pair in misspell(["lampe"], per_text=80)} == set(KINDS) - {"kb3"}
    # "aaa" can lose a letter or get another, and no more than that can be had of it.
    of_one = {pair.noisy for pair in misspell(["aaa"], per_text=1000)}
    assert "aa" in of_one
    assert "aaaa" in of_one
    assert len(of_one) < 100


def test_what_is_to_be_avoided_does_not_come_out() -> None:
    some = {pair.noisy for pair in misspell(WORDS, per_text=4)}
    assert some.isdisjoint(pair.noisy for pair in misspell(WORDS, per_text=4, avoid=some))


def test_the_first_letter_is_missed_less_often() -> None:
    texts = [f"charger{tail}" for tail in "abcdefghijklmnopqrstuvwxyz"]
    pairs = list(misspell(texts, kinds=("kb",), per_text=40))
    # One letter of eight, in those errors that take one away: .06 and more were all letters missed as often.
    assert 0.003 < sum(pair.noisy[0] != "c" for pair in pairs) / len(pairs) < 0.04


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=12), st.integers(0, 3))
def test_any_text_comes_out_whole(text: str, seed: int) -> None:
    """What is no letter and no mark stays, in its order."""

    def rest(of: str) -> list[str]:
        return [sign for sign in of if sign != " " and unicodedata.category(sign)[0] not in "LM"]

    for pair in misspell([text], seed=seed, per_text=4):
        assert pair.noisy != pair.gold == text
        assert rest(pair.noisy) == rest(text)


@pytest.mark.parametrize(
    "text",
    ["日本語の扇風機", "наушники беспроводные", "סמארטפון", "हिन्दी किताब", "नमस्ते दुनिया", "naïve café crème",
     "iphone 13 🎧 case 👩‍👩‍👧", "cafe\u0301 cre\u0300me bru\u0302le\u0301e", "1️⃣ number one"],
)  # fmt: skip
def test_other_scripts_and_emojis_survive(text: str) -> None:
    pairs = [pair for seed in range(20) for pair in misspell([text], seed=seed, per_text=3)]
    assert pairs
    for pair in pairs:
        assert pair.noisy.encode().decode() == pair.noisy
        signs = [sign for sign in text if unicodedata.category(sign)[0] in "SNC"]
        assert [sign for sign in pair.noisy if unicodedata.category(sign)[0] in "SNC"] == signs
        # Nothing came apart: a mark stands where one did, after the same letter.
        clusters = set(re.findall(r".[\u0300-\u036f\u0900-\u0903\u093a-\u094f\ufe0f\u20e3]+", text))
        found = set(re.findall(r".[\u0300-\u036f\u0900-\u0903\u093a-\u094f\ufe0f\u20e3]+", pair.noisy))
        assert found <= clusters


def test_capitals_stay() -> None:
    for pair in misspell(["PHILIPS LIGHT", "PHILIPS LAMPE"], per_text=60):
        assert pair.noisy.isupper()
    swapped = {pair.noisy for pair in misspell(["The"], kinds=("transposition",), per_text=9)}
    assert swapped == {"Hte", "Teh"}
    for pair in misspell([name.title() for name in WORDS], kinds=("kb",)):
        if len(pair.noisy) == len(pair.gold):
            assert pair.noisy.istitle()


def test_it_is_lazy() -> None:
    given = iter(NAMES)
    found = misspell(given)
    assert next(found).gold == NAMES[0]
    assert next(given) == NAMES[1]


def test_other_keyboards_and_tables() -> None:
    table = neighbours_of(("abc", "def", "ghi"))
    noisy = {pair.noisy for pair in misspell(["aaaaaaaa"], kinds=("kb",), keyboard=table, per_text=99)}
    assert set("".join(noisy)) <= set("a") | set(table["a"])
    assert set("".join(p.noisy for p in misspell(["яблоко"], kinds=("kb",), per_text=30))) <= set("яблоко")


def test_every_number_of_errors_has_a_shortest_text() -> None:
    assert max(map(len, STEPS.values())) == len(SHORTEST)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kinds": ("kb", "typo")}, "kinds: expected some of kb, .*, got 'typo'"),
        ({"kinds": ()}, "kinds: expected one or more, each once, got none"),
        ({"kinds": ("kb", "kb")}, "kinds: expected one or more, each once, got kb, kb"),
        ({"seed": -1}, "seed: expected a whole number >= 0, got -1"),
        ({"seed": 1.5}, "seed: expected a whole number"),
        ({"per_text": 0}, "per_text: expected a whole number >= 1, got 0"),
        ({"keyboard": "dvorak"}, "keyboard: expected one of qwerty, qwertz, azerty or a table, got 'dvorak'"),
        ({"keyboard": 3}, "keyboard: expected a name or a table, got int"),
        ({"keyboard": {"ab": "c"}}, "keyboard: expected letters and strings of letters"),
        ({"rewrites": (Rewrite("(", "x"),)}, "rewrites: expected patterns, got '\\('"),
        ({"rewrites": (Rewrite("a", r"\1"),)}, "rewrites: expected patterns, got 'a'"),
    ],
)
def test_wrong_arguments(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        misspell(NAMES, **options)  # type: ignore[arg-type]


def test_wrong_texts() -> None:
    with pytest.raises(InputTypeError, match="texts: expected several, got one string"):
        misspell("phone")
    with pytest.raises(InputTypeError, match="texts: expected strings, got int"):
        list(misspell([3]))  # type: ignore[list-item]
