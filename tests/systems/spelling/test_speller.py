"""The corrector that knows a catalogue: what it repairs, and above all what it leaves alone."""

import math
import random
import string
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.index import TermIndex
from pyfastlm.index.normalize import Normalizer
from pyfastlm.spelling import Speller, build_english, misspell

NAMES = {
    "wireless headphones": 50.0,
    "coffee maker": 30.0,
    "iphone 13": 40.0,
    "acme drill": 5.0,
    "zyrkon lamp": 3.0,
    "headset": 9.0,
    "notebook": 10.0,
    "blue kettle": 4.0,
    "garden chair": 6.0,
    "café table": 2.0,
}
WORDS = sorted({word for name in NAMES for word in name.split()})
# What is to be left as it is, whatever it is.
HOSTILE = (
    "",
    "   ",
    "\t\n\t",
    "a" * 10_240,
    "ketle " * 2_000,
    "\U0001f600",
    "\U0001f600 \U0001f600\U0001f600",
    "\x00",
    "\x00\x01\x02",
    "\x1b[31m",
    "кофе",
    "咖啡 机",
    "قهوة",
    "13",
    "13 14 15",
    "-- ++ %%",
    "\u202e\u200b",
    "é" * 300,
)


@pytest.fixture
def index(tmp_path: Path) -> TermIndex:
    return TermIndex.build(NAMES.items(), tmp_path / "names", normalizer="nfkc_casefold", similar=True)


@pytest.fixture(scope="module")
def speller(tmp_path_factory: pytest.TempPathFactory) -> Speller:
    path = tmp_path_factory.mktemp("speller") / "names"
    return Speller(TermIndex.build(NAMES.items(), path, normalizer="nfkc_casefold", similar=True))


@pytest.fixture(scope="module")
def english(tmp_path_factory: pytest.TempPathFactory) -> TermIndex:
    pytest.importorskip("symspellpy")
    return build_english(tmp_path_factory.mktemp("english") / "words")


@pytest.mark.parametrize(
    ("query", "meant"),
    [
        ("wirless headphones", "wireless headphones"),
        ("wireles hedphones", "wireless headphones"),
        ("coffe maker", "coffee maker"),
        (" coffe  maker ", "coffee maker"),
        ("COFFE Maker", "coffee maker"),
        ("ketle", "kettle"),
        ("ipone 13", "iphone 13"),
        ("\U0001f600 coffe maker", "\U0001f600 coffee maker"),
        ("chair for the gadren", "chair for the garden"),
        ("wirelessheadphones", "wireless headphones"),  # split
        ("note book", "notebook"),  # joined
        ("blue head set", "blue headset"),  # joined inside
        ("blue hed set", "blue headset"),
    ],
)
def test_it_repairs(speller: Speller, query: str, meant: str) -> None:
    found = speller.correct(query)
    assert (found.text, found.changed) == (meant, True)
    assert found.margin > speller.threshold
    assert speller.has_mistakes(query)
    if query.isascii():  # else the name without its emoji is near enough to end the search
        assert meant in [one.text for one in speller.suggest(query, 2)]
    assert found.candidates[0].text == meant
    assert found.candidates[0].cost > 0


@pytest.mark.parametrize("threshold", [-50.0, -0.5])
@pytest.mark.parametrize("query", [*NAMES, *WORDS, *map(str.upper, NAMES), "maker coffee", "kettle blue"])
def test_what_the_catalogue_has_is_never_changed(speller: Speller, query: str, threshold: float) -> None:
    found = Speller(speller.index, threshold=threshold).correct(query)
    assert (found.text, found.changed) == (query, False)
    assert not speller.has_mistakes(query)


def test_a_name_is_known_while_the_index_has_it(index: TermIndex) -> None:
    speller = Speller(index)
    assert speller.correct("hedset").text == "headset"
    index.add("hedset", 1.0)
    assert not speller.correct("hedset").changed
    assert not speller.correct("blue hedset").changed, "a word of a query"
    index.remove("hedset")
    assert speller.correct("hedset").text == "headset"
    index.remove("headset")
    assert not speller.correct("hedset").changed
    index.add("hedsett pro", 9.0)
    assert not speller.correct("hedsett").changed, "a word of a new name"
    index.merge()
    assert not speller.correct("hedsett").changed


def test_words_of_the_dictionary_are_known(index: TermIndex, english: TermIndex) -> None:
    alone, both = Speller(index), Speller(index, english=english)
    assert alone.correct("char").text == "chair"
    assert not both.correct("char").changed
    assert both.correct("recieve").text == "receive"
    assert both.correct("beautifull lamp").text == "beautiful lamp"
    assert both.correct("zyrkn").text == "zyrkon", "the catalogue is asked as well"
    assert both.correct("red hed set").text == "red headset", "one of two words is none"
    for query in (
        "receive",
        "the lamp",
        "red head set",
        "red note book",
        "zyrkon",
        "a beautiful wireless headset",
    ):
        assert not both.correct(query).changed


@pytest.mark.parametrize(
    ("query", "meant"),
    [
        ("iphone 14", "iphone 14"),
        ("ipone 14", "iphone 14"),
        ("iphon 13 14", "iphone 13 14"),
        ("iphone13", "iphone13"),
        ("headset2", "headset2"),
        ("1phone 13", "1phone 13"),
    ],
)
def test_numbers_never_change(speller: Speller, query: str, meant: str) -> None:
    assert speller.correct(query).text == meant
    figures = [letter for letter in query if letter.isdigit()]
    for one in speller.suggest(query, 50):
        assert [letter for letter in one.text if letter.isdigit()] == figures


def test_excluded_words_and_queries(index: TermIndex) -> None:
    assert Speller(index).correct("zyrk lamp").text == "zyrkon lamp"
    speller = Speller(index, exclude=["Zyrk", "coffe  MAKER"], threshold=-50.0)
    for query in ("zyrk", "zyrk lamp", "ZYRK Lamp", "coffe maker"):
        found = speller.correct(query)
        assert (found.text, found.changed) == (query, False)
    assert speller.correct("zyrk ketle").text == "zyrk kettle"
    assert all("zyrk" in one.text.split() for one in speller.suggest("zyrk lmap", 50))
    assert speller.correct("a coffe maker").changed, "the query was excluded, and not its words"


@pytest.mark.parametrize("query", ["ke", "x", "lp", "ke lp", "a ke"])
def test_short_words_are_left(speller: Speller, query: str) -> None:
    assert speller.correct(query).text == query


@pytest.mark.parametrize("query", ["hedset", "headset", "xyz", "", "wirless hedphones", "Coffe Makr", "13"])
@pytest.mark.parametrize("k", [1, 2, 3, 10])
def test_suggestions(speller: Speller, query: str, k: int) -> None:
    found = speller.suggest(query, k)
    texts = [one.text for one in found]
    assert 1 <= len(texts) <= k
    assert len(set(texts)) == len(texts)
    assert k == 1 or query in texts
    scores = [one.score for one in found]
    assert scores == sorted(scores, reverse=True)
    assert all(one.score == one.cost == 0 for one in found if one.text == query)
    assert query in [one.text for one in speller.correct(query).candidates]


def test_a_query_that_is_less_likely_than_many_is_still_one_of_two(tmp_path: Path) -> None:
    names = [(f"headset{letter}", 5.0) for letter in string.ascii_lowercase]
    speller = Speller(TermIndex.build(names, tmp_path / "i", similar=True), threshold=-30.0)
    everything = speller.suggest("heedset", 30)
    assert everything[-1].text == "heedset"
    assert len(everything) > 3
    assert speller.suggest("heedset", 2) == [everything[0], everything[-1]]
    assert speller.suggest("heedset", 1) == everything[:1]


@pytest.mark.parametrize("query", HOSTILE)
@pytest.mark.parametrize("normalizer", ["nfkc_casefold", "none"])
def test_what_is_no_search_stays(query: str, normalizer: Normalizer, tmp_path: Path) -> None:
    index = TermIndex.build(NAMES.items(), tmp_path / "i", normalizer=normalizer, similar=True)
    speller = Speller(index, threshold=-50.0)
    found = speller.correct(query)
    assert (found.text, found.changed) == (query, False)
    assert query in [one.text for one in speller.suggest(query)]


@pytest.mark.parametrize("ask", ["correct", "suggest", "has_mistakes", "correct_all"])
def test_what_is_no_text_is_refused(speller: Speller, ask: str) -> None:
    def asked(query: object) -> object:
        return getattr(speller, ask)([query] if ask == "correct_all" else query)

    for query in ("\ud800", "coffe \udcff maker"):
        with pytest.raises(InputError, match=r"^query: expected Unicode, got a lone surrogate in it"):
            asked(query)
    for query in (None, 5, b"coffe"):
        with pytest.raises(InputTypeError, match=r"^query: expected a text, got "):
            asked(query)


def test_wrong_arguments(speller: Speller, tmp_path: Path) -> None:
    index = speller.index
    plain = TermIndex.build(NAMES.items(), tmp_path / "plain")
    with pytest.raises(InputError, match=r"^index: expected an index built with similar=True"):
        Speller(plain)
    with pytest.raises(InputError, match=r"^english: expected an index built with similar=True"):
        Speller(index, english=tmp_path / "plain")
    for threshold in (math.nan, math.inf, -math.inf):
        with pytest.raises(InputError, match=r"^threshold: expected a finite number"):
            Speller(index, threshold=threshold)
    with pytest.raises(InputTypeError, match=r"^exclude: expected several texts, got one string"):
        Speller(index, exclude="lamp")
    with pytest.raises(InputTypeError, match=r"^queries: expected several texts, got one string"):
        speller.correct_all("lamp")
    for k in (0, -1, True, 2.0):
        with pytest.raises(InputError, match=r"^k: expected a whole number >= 1"):
            speller.suggest("lamp", k)  # type: ignore[arg-type]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("normalizer", ["nfkc_casefold", "none"])
def test_together_as_one_by_one(normalizer: Normalizer, threads: int, tmp_path: Path) -> None:
    index = TermIndex.build(NAMES.items(), tmp_path / "i", normalizer=normalizer, similar=True)
    speller = Speller(index, threads=threads)
    queries = [pair.noisy for pair in misspell(NAMES, per_text=8)] + [*NAMES, *HOSTILE, "Coffe MAKER"]
    together = speller.correct_all(queries)
    assert together == [speller.correct(query) for query in queries]
    assert speller.correct_all(iter(queries)) == together  # type: ignore[arg-type]
    assert speller.correct_all([]) == []
    assert sum(found.text in NAMES for found in together[: 8 * len(NAMES)]) / (8 * len(NAMES)) > 0.7


def test_a_sure_name_ends_the_search(speller: Speller) -> None:
    """Its words are not looked at then, so nothing is made of them."""
    sure, unsure = "wireless headphonees", "wireles hedphones"
    assert [one.text for one in speller.correct(sure).candidates] == ["wireless headphones", sure]
    made = {one.text for one in speller.correct(unsure).candidates}
    assert {"wireless headphones", "wireless hedphones", unsure} <= made


def test_words_inside_a_name_are_not_joined(tmp_path: Path) -> None:
    names = [
        ("note book shelf", 1.0),
        ("notebook", 9.0),
        ("head lamp", 2.0),
        ("set top", 2.0),
        ("headset", 9.0),
    ]
    index = TermIndex.build(names, tmp_path / "i", similar=True)
    assert not Speller(index, threshold=-5.0).correct("note book shelf").changed
    # Nor are words that both are known.
    assert not Speller(index).correct("top head set").changed
    assert Speller(index).correct("top hed set").text == "top headset"


def test_scores_are_fits_and_the_margin_of_a_word_is_of_no_threshold(tmp_path: Path) -> None:
    names = [("headset", 9.0), ("headlet", 3.0), ("headsets", 2.0), ("headless", 1.0)]
    index = TermIndex.build(names, tmp_path / "i", similar=True)
    low, middle, high = (Speller(index, threshold=threshold) for threshold in (-9.0, -0.5, 3.0))
    fits = {one.term: one.fit for one in index.similar("haedset")}
    others = [one for one in low.suggest("haedset") if one.text != "haedset"]
    assert len(others) > 2
    assert [one.score - others[0].score for one in others] == pytest.approx(
        [fits[one.text] - fits[others[0].text] for one in others]
    )
    for query in ("haedset", "hedset", "headlets", "heedles"):
        margin = middle.correct(query).margin
        assert low.correct(query).margin == pytest.approx(margin)
        assert high.correct(query).margin == pytest.approx(margin)


def test_case_is_kept_without_a_normalizer(tmp_path: Path) -> None:
    index = TermIndex.build([("Coffee Maker", 3.0), ("Kettle", 2.0)], tmp_path / "i", similar=True)
    speller = Speller(index)
    assert speller.correct("Cofee Maker").text == "Coffee Maker"
    assert not speller.correct("Kettle").changed


def test_a_higher_threshold_never_changes_more(speller: Speller) -> None:
    queries = [pair.noisy for pair in misspell(NAMES, per_text=4, seed=1)]
    queries += ["setting", "lamps", "hats head set", "zyrk lamp", "gardener chairs"]
    before = [True] * len(queries)
    counts = []
    for threshold in (-20.0, -5.0, -2.0, -0.5, 0.0, 1.0, 2.0, 4.0, 8.0, 50.0):
        found = Speller(speller.index, threshold=threshold).correct_all(queries)
        changed = [one.changed for one in found]
        assert all(b for a, b in zip(changed, before, strict=True) if a)
        assert all(one.changed == (one.margin > threshold) for one in found)
        before = changed
        counts.append(sum(changed))
    assert counts[0] > counts[4] > counts[-1] == 0


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    query=st.text(st.sampled_from(" aehdstkl3\u00e9\u212a\t"), max_size=14)
    | st.text(max_size=20).filter(lambda text: not any("\ud800" <= letter <= "\udfff" for letter in text))
)
def test_any_text_has_one_consistent_answer(speller: Speller, query: str) -> None:
    found = speller.correct(query)
    assert found.changed == (found.margin > speller.threshold)
    assert query in [one.text for one in found.candidates]
    assert found.changed or found.text == query
    assert found.text in [one.text for one in found.candidates]
    assert list(found.candidates) == sorted(found.candidates, key=lambda one: -one.score)
    assert speller.correct(query) == found


def test_random_names_are_safe_once_they_are_added(index: TermIndex) -> None:
    rng = random.Random(0)
    speller = Speller(index, threshold=-50.0)
    for name in ("".join(rng.choices(string.ascii_lowercase, k=rng.randrange(3, 12))) for _ in range(50)):
        index.add(name, 1.0)
        assert not speller.correct(name).changed


LIGHT = """
import sys
from pyfastlm.index import TermIndex
from pyfastlm.spelling import Speller
index = TermIndex.build([("headset", 1.0)], sys.argv[1], normalizer="nfkc_casefold", similar=True)
assert Speller(index).correct("hedset").text == "headset"
print(*(name for name in ("torch", "transformers", "sklearn", "symspellpy", "rich") if name in sys.modules))
"""


def test_using_one_loads_nothing_heavy(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LIGHT, str(tmp_path / "i")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == []
