"""Spaces that are missing or too much, made from what people write together: for spelling_recall.py.

Joined: two words of one of the most frequent pairs of English (symspellpy's list), written as one, which is
no word of the dictionary, as "alot" and "infront" are. Split: a word of the dictionary that is made of two
others, written as those, as "note book" is; where several cuts give two words, the one whose words are most
frequent. Both are drawn evenly.
"""

import random
from collections.abc import Mapping
from importlib.resources import files

from pyfastlm.spelling import Pair

BIGRAMS = "frequency_bigramdictionary_en_243_342.txt"
FREQUENT = 20_000  # pairs, and words, that are drawn from
SHORTEST = 3  # letters of the parts of a word that is split
COMMON = 20_000.0  # of each of these parts, in a thousand million words


def bigram_file() -> str:
    return str(files("symspellpy").joinpath(BIGRAMS))


def joined(words: Mapping[str, float]) -> list[Pair]:
    """Of frequent pairs of words."""
    with open(bigram_file(), encoding="utf-8-sig") as lines:
        counted = [line.split() for line in lines]
    counted.sort(key=lambda cells: -int(cells[2]))
    pairs = [
        Pair(first + second, f"{first} {second}", "joined")
        for first, second, _ in counted[:FREQUENT]
        if first in words and second in words and first + second not in words
    ]
    return sorted(set(pairs))


def divided(words: Mapping[str, float]) -> list[Pair]:
    """Of frequent words that are made of two."""
    pairs = []
    for word in sorted(words, key=lambda word: (-words[word], word))[:FREQUENT]:
        cuts = [(word[:at], word[at:]) for at in range(SHORTEST, len(word) - SHORTEST + 1)]
        cuts = [cut for cut in cuts if min(words.get(cut[0], 0.0), words.get(cut[1], 0.0)) >= COMMON]
        if cuts:
            first, second = max(cuts, key=lambda cut: words[cut[0]] * words[cut[1]])
            pairs.append(Pair(f"{first} {second}", word, "split"))
    return sorted(pairs)


def made(words: Mapping[str, float], count: int) -> list[Pair]:
    """``count`` of them, half of each sort."""
    rng = random.Random("0 spaces")
    half = count // 2
    return rng.sample(joined(words), half) + rng.sample(divided(words), count - half)
