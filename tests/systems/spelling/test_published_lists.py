"""The lists as they are published: as many pairs as their sources say, and known ones among them."""

from collections import Counter
from importlib.resources import files
from pathlib import Path

import pytest
from terms import osa

from pyfastlm.spelling import Pair, lowered, read_aligned, read_catalogue, read_pairs

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data" / "spelling"


def shared(name: str) -> Path:
    if not (SHARED / name).is_file():
        pytest.skip(f"{SHARED / name} is not there")
    return SHARED / name


@pytest.mark.parametrize(
    ("name", "count", "some", "near"),
    [
        ("codespell.pairs.tsv", 58_916, Pair("1nd", "1st"), 0.960),
        ("wikipedia.txt", 2_455, Pair("alot", "a lot"), 0.975),
        ("wikipedia_common_misspellings.csv", 5_712, Pair("abberant", "aberrant"), None),
        ("spell-testset1.txt", 270, Pair("begining", "beginning"), 0.989),
        ("symspell.noisy_query_en_1000.txt", 1_000, Pair("gutenberg", "gutenberg"), None),
    ],
)
def test_lists(name: str, count: int, some: Pair, near: float | None) -> None:
    pairs = read_pairs(shared(name))
    assert len(pairs) == count
    assert some in pairs
    if near is not None:
        every = pairs[:: max(len(pairs) // 2000, 1)]
        share = sum(osa(p.noisy.lower(), p.gold.lower())[-1] <= 2 for p in every) / len(every)
        assert share == pytest.approx(near, abs=0.01)


def test_distances_are_those_that_symspell_says() -> None:
    path = shared("symspell.noisy_query_en_1000.txt")
    said = [int(line.split()[2]) for line in path.read_text().splitlines()]
    assert Counter(said) == {0: 296, 1: 292, 2: 268, 3: 114, 4: 30}
    assert [osa(pair.noisy, pair.gold)[-1] for pair in read_pairs(path)] == said


def test_marco() -> None:
    pairs = read_aligned(shared("marco.queries.dev.small.typo1.tsv"), shared("marco.queries.dev.small.tsv"))
    assert len(pairs) == 6_980
    assert sum(noisy != gold for noisy, gold, _ in pairs) == 6_975
    small = lowered(pairs)
    assert all(
        " ".join(noisy.split()) == other.noisy for (noisy, _, _), other in zip(pairs, small, strict=True)
    )
    assert max(osa(noisy, gold)[-1] for noisy, gold, _ in small[:500]) == 1


def test_codespell_as_it_is_installed() -> None:
    codespell = pytest.importorskip("codespell_lib")
    path = Path(codespell.__file__).parent / "data" / "dictionary.txt"
    assert read_pairs(path) == read_pairs(shared("codespell.pairs.tsv"))


def test_symspell_dictionaries() -> None:
    pytest.importorskip("symspellpy")
    words = list(
        read_catalogue(str(files("symspellpy") / "frequency_dictionary_en_82_765.txt"), format="counts")
    )
    assert len(words) == 82_834  # the name of the file says otherwise
    assert words[0] == ("the", 23_135_851_162.0)
    pairs = read_catalogue(
        str(files("symspellpy") / "frequency_bigramdictionary_en_243_342.txt"), format="counts"
    )
    assert next(pairs) == ("abcs of", 10_956_800.0)
    assert sum(1 for _ in pairs) == 242_341
