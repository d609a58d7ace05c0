"""How often what was meant is among ten candidates: TermIndex.similar beside symspellpy with two edits.

    python benchmarks/spelling_recall.py [QUERIES]

Dictionary of all: Debian's wamerican-huge in small letters, with wordfreq's counts. Misspellings: of
codespell, Wikipedia, Norvig and MS MARCO (synthetic), of single words that the dictionary has into words that
it does not have; those of these lists where a space is missing or too much, which are few, and more of them
from what is written together (spelling_spaces.py), so many that spaces are a tenth of the union of all; and
made-up ones by class. At most QUERIES of each, 5,000 by default, drawn with a seed.

symspellpy's look-up of a term knows nothing of spaces; its look-up of compounds, with its list of pairs of
words, does, but gives one text. "both" is the two together by their distance, the compound first. Writes
benchmarks/results/spelling_recall.json. Needs `apt-get update` once.
"""

import json
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import spelling_names
import spelling_spaces
from spelling_odds import CACHE, REAL, single, typos
from spelling_peers import SymSpellPeer

from pyfastlm.cli import show
from pyfastlm.index import TermIndex
from pyfastlm.spelling import Candidate, Pair, candidate_recall, lowered, misspell, read_pairs

RESULTS = Path(__file__).parent / "results" / "spelling_recall.json"
QUERIES = 5_000
K = 10
SPACES = 0.1  # of the union
Suggest = Callable[[str, int], Sequence[Candidate | str]]


def dictionary() -> dict[str, float]:
    """Words with how often they come in a thousand million; 1 at least."""
    import wordfreq

    counts = wordfreq.get_frequency_dict("en", wordlist="large")
    words = {word.lower() for word in spelling_names.american(CACHE)}
    return {word: max(1.0, round(counts.get(word, 0.0) * 1e9)) for word in sorted(words)}


def spaced(pairs: Sequence[Pair], words: dict[str, float]) -> list[Pair]:
    """Those whose space is missing or too much, of words that the dictionary has."""
    return sorted(
        {
            pair
            for pair in lowered(pairs)
            if pair.noisy.count(" ") != pair.gold.count(" ") <= 1  # similar joins two words, not three
            and pair.noisy not in words
            and all(word in words for word in pair.gold.split())
        }
    )


def some(pairs: Sequence[Pair], count: int, name: str) -> list[Pair]:
    return random.Random(f"0 {name}").sample(list(pairs), min(count, len(pairs)))


def both(terms: SymSpellPeer, compound: SymSpellPeer) -> Suggest:
    """The terms by their distance, and the compound before those that are as near."""

    def suggest(query: str, k: int) -> list[Candidate]:
        found = [*compound.suggest(query, 1), *terms.suggest(query, k)]
        return sorted(found, key=lambda one: one.cost)

    return suggest


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else QUERIES
    CACHE.mkdir(exist_ok=True)
    words = dictionary()
    known = set(words)
    published = {
        "codespell": read_pairs(REAL / "codespell.pairs.tsv"),
        "Wikipedia": read_pairs(REAL / "wikipedia.txt"),
        "Norvig 1": read_pairs(REAL / "spell-testset1.txt"),
        "MS MARCO": typos(),
    }
    tasks = {name: some(single(pairs, known), count, name) for name, pairs in published.items()}
    spaces = sorted({pair for pairs in published.values() for pair in spaced(pairs, words)})
    others = len({pair for pairs in tasks.values() for pair in pairs})
    tasks["spaces, of the lists"] = some(spaces, count, "spaces")
    more = round(others * SPACES / (1 - SPACES)) - len(tasks["spaces, of the lists"])
    tasks["spaces, made up"] = spelling_spaces.made(words, more)
    tasks["together"] = sorted({pair for pairs in tasks.values() for pair in pairs})
    share = sum(pair.noisy.count(" ") != pair.gold.count(" ") for pair in tasks["together"])
    drawn = random.Random("0 synthetic").sample([word for word in words if len(word) > 6], max(count // 8, 1))
    tasks["synthetic"] = list(misspell(drawn, per_text=8, avoid=known))

    found: dict[str, Any] = {
        "words": len(words), "k": K, "spaces": share / len(tasks["together"]), "lists": {}
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as directory:
        index = TermIndex.build(words.items(), Path(directory) / "words", similar=True)
        terms = SymSpellPeer(words.items(), how="all")
        compound = SymSpellPeer(words.items(), how="compound", bigrams=spelling_spaces.bigram_file())
        engines: dict[str, Suggest] = {
            "similar": lambda query, k: [one.term for one in index.similar(query, k)],
            "symspellpy": terms.suggest,
            "compound": compound.suggest,
            "both": both(terms, compound),
        }
        for name, pairs in tasks.items():
            recalls = {engine: candidate_recall(suggest, pairs, K) for engine, suggest in engines.items()}
            found["lists"][name] = {engine: [one.n, one.at_1, one.at_k] for engine, one in recalls.items()}
            if name in ("synthetic", "spaces, made up"):
                for parts in zip(*(one.by_kind for one in recalls.values()), strict=True):
                    found["lists"][f"{name}, {parts[0].kind}"] = {
                        engine: list(part[1:]) for engine, part in zip(recalls, parts, strict=True)
                    }
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    rows = [
        [name, f"{of['similar'][0]:,}", *(f"{at_1:.3f} {at_10:.3f}" for _, at_1, at_10 in of.values())]
        for name, of in found["lists"].items()
    ]
    title = (
        f"Recall of candidates at 1 and {K}, {len(words):,} words; spaces: {found['spaces']:.1%} of the union"
    )
    show.table(title, ["misspellings", "queries", *engines], rows)


if __name__ == "__main__":
    main()
