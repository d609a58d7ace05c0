"""Real English words and pairs of words with their counts, from the PyPI package symspellpy."""

import importlib.util
from pathlib import Path

from pyfastlm.demo.texts import TextsMissing

MODULE = "symspellpy"
ABOUT = "English words and pairs of words with counts from web pages, PyPI package symspellpy (MIT)"
FILES = ("frequency_dictionary_en_82_765.txt", "frequency_bigramdictionary_en_243_342.txt")


def counts() -> dict[str, float]:
    """Some 325,000 terms with their counts.

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
            for line in text.splitlines():
                term, _, count = line.rpartition(" ")
                terms[term] = float(count)
    except (OSError, ValueError) as error:
        raise TextsMissing(f"its counts cannot be read: {error}") from None
    return terms
