"""The errors and the measures against a corrector whose weaknesses are known: SymSpell, two edits at most."""

from importlib.resources import files

import pytest

from pyfastlm.spelling import candidate_recall, misspell, read_catalogue
from pyfastlm.spelling.noise.misspelling import KINDS

symspellpy = pytest.importorskip("symspellpy")


def words(count: int) -> list[str]:
    path = files("symspellpy") / "frequency_dictionary_en_82_765.txt"
    found = [entry.name for entry in read_catalogue(str(path), format="counts")]
    return [word for word in found if len(word) > 7][:count]


def test_recall_by_class_is_that_of_two_edits() -> None:
    names = words(4000)
    symspell = symspellpy.SymSpell(max_dictionary_edit_distance=2)
    for name in names:
        symspell.create_dictionary_entry(name, 1)

    def suggest(query: str, k: int) -> list[str]:
        return [item.term for item in symspell.lookup(query, symspellpy.Verbosity.ALL, 2)[:k]]

    pairs = misspell(names[::10], per_text=8, avoid=set(names))
    found = candidate_recall(suggest, pairs, 1000)
    of = {part.kind: part.at_k for part in found.by_kind}
    assert set(of) == set(KINDS)
    # Everything within two edits is found, and of what is further away nothing.
    assert of["kb"] == of["transposition"] == of["sp"] == of["kb+kb"] == of["sp+kb"] == 1.0
    assert of["ph"] > 0.95
    assert 0.8 < of["ph+kb"] < 1.0
    assert of["kb3"] < 0.15
    assert {part.n for part in found.by_kind} <= set(range(395, 406))
