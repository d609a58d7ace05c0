"""Real terms with real counts for the benchmarks of the index: wordfreq's lists, symspellpy's n-grams."""

from functools import cache
from importlib.resources import files

LANGUAGES = ("en", "de", "fr", "es", "it", "nl")
NGRAMS = ("frequency_dictionary_en_82_765.txt", "frequency_bigramdictionary_en_243_342.txt")


@cache
def terms() -> dict[str, float]:
    """Some 1.8 million terms; a count is what a corpus of a thousand million words would hold."""
    import wordfreq

    found: dict[str, float] = {}
    for language in LANGUAGES:
        for word, frequency in wordfreq.get_frequency_dict(language, wordlist="large").items():
            found[word] = max(found.get(word, 0.0), float(round(frequency * 1e9)))
    for name in NGRAMS:
        for line in files("symspellpy").joinpath(name).read_text("utf-8-sig").splitlines():
            term, _, count = line.rpartition(" ")
            found[term] = max(found.get(term, 0.0), float(int(count) // 1000))
    return found
