"""Real English words and pairs of words with their counts, from the PyPI package symspellpy."""

import importlib.util
from pathlib import Path

from pyfastlm.demo.texts import TextsMissing

MODULE = "symspellpy"
ABOUT = "English words and pairs of words with counts from web pages, PyPI package symspellpy (MIT)"
FILES = ("frequency_dictionary_en_82_765.txt", "frequency_bigramdictionary_en_243_342.txt")


def counts() -> dict[str, float]:
    """Some 325,000 terms, with how often they come in a thousand million words, or pairs of words.

    The two lists are of different corpora, so each is measured by its own sum.

    Raises:
        TextsMissing: the package is not installed, or not what is expected.
    """
    found = importlib.util.find_spec(MODULE)
    if found is None or not found.submodule_search_locations:
        raise TextsMissing("it is not installed")
    terms: dict[str, float] = {}
    try:
        for name in FILES:
            text = (Path(found.submodule_search_locations[0]) / name).read_text("utf-8-sig")
            lines = [line.rpartition(" ") for line in text.splitlines()]
            total = sum(float(count) for _, _, count in lines)
            terms |= {term: max(1.0, float(round(1e9 * float(count) / total))) for term, _, count in lines}
    except (OSError, ValueError) as error:
        raise TextsMissing(f"its counts cannot be read: {error}") from None
    return terms
