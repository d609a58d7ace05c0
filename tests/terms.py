"""What a term index is judged by: every term compared with every query, slowly."""

import itertools
import math
import random
from collections import Counter
from collections.abc import Iterable, Mapping

ALPHABET = "abcdeé日\0\xff "


def osa(query: str, term: str) -> list[int]:
    """Edits from ``query`` to each beginning of ``term``, the empty one first (optimal string alignment)."""
    rows = [list(range(len(term) + 1))]
    for i, a in enumerate(query, 1):
        row = [i]
        for j, b in enumerate(term, 1):
            best = min(rows[i - 1][j] + 1, row[j - 1] + 1, rows[i - 1][j - 1] + (a != b))
            if i > 1 and j > 1 and a == term[j - 2] and b == query[i - 2]:
                best = min(best, rows[i - 2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return rows[-1]


QWERTY = {
    "q": "wa", "w": "qeas", "e": "wrsd", "r": "etdf", "t": "ryfg", "y": "tugh", "u": "yihj", "i": "uojk",
    "o": "ipkl", "p": "ol", "a": "qwsz", "s": "weadzx", "d": "ersfxc", "f": "rtdgcv", "g": "tyfhvb",
    "h": "yugjbn", "j": "uihknm", "k": "iojlm", "l": "opk", "z": "asx", "x": "sdzc", "c": "dfxv",
    "v": "fgcb", "b": "ghvn", "n": "hjbm", "m": "jkn",
}  # fmt: skip


def osa_qwerty(query: str, term: str) -> list[tuple[int, int]]:
    """The same as (edits, those of them that are substitutions of keys that do not touch)."""
    rows = [[(j, 0) for j in range(len(term) + 1)]]
    for i, a in enumerate(query, 1):
        row = [(i, 0)]
        for j, b in enumerate(term, 1):
            far = int(b.lower() not in QWERTY.get(a.lower(), ""))
            ways = [
                (rows[i - 1][j][0] + 1, rows[i - 1][j][1]),
                (row[j - 1][0] + 1, row[j - 1][1]),
                rows[i - 1][j - 1] if a == b else (rows[i - 1][j - 1][0] + 1, rows[i - 1][j - 1][1] + far),
            ]
            if i > 1 and j > 1 and a == term[j - 2] and b == query[i - 2]:
                ways.append((rows[i - 2][j - 2][0] + 1, rows[i - 2][j - 2][1]))
            row.append(min(ways))
        rows.append(row)
    return rows[-1]


def matches_qwerty(
    terms: Mapping[str, float], query: str, *, edits: int, fix_first: bool, whole: bool
) -> list[tuple[int, str, float]]:
    """As ``matches``, far substitutions after those of keys that touch."""
    found = []
    for term, score in terms.items():
        steps = osa_qwerty(query, term)
        distance, far = steps[-1] if whole else min(steps)
        if distance > edits or (fix_first and query and term[:1] != query[:1]):
            continue
        found.append((distance, far, -score, term.encode(), term, score))
    return [(distance, term, score) for distance, _, _, _, term, score in sorted(found)]


def matches(
    terms: Mapping[str, float], query: str, *, edits: int, fix_first: bool, whole: bool
) -> list[tuple[int, str, float]]:
    """All (distance, term, score) in the order of an answer."""
    found = []
    for term, score in terms.items():
        steps = osa(query, term)
        distance = steps[-1] if whole else min(steps)
        if distance > edits or (fix_first and query and term[:1] != query[:1]):
            continue
        found.append((distance, -score, term.encode(), term, score))
    return [(distance, term, score) for distance, _, _, term, score in sorted(found)]


def completions(terms: Mapping[str, float], prefix: str, k: int) -> list[tuple[str, float]]:
    found = [(term, score) for term, score in terms.items() if term.startswith(prefix)]
    return sorted(found, key=lambda item: (-item[1], item[0].encode()))[:k]


def completions_near(
    terms: Mapping[str, float], prefix: str, k: int, *, edits: int, fix_first: bool = True
) -> list[tuple[str, float]]:
    found = matches(terms, prefix, edits=edits, fix_first=fix_first, whole=False)
    return [(term, score) for _, term, score in found[:k]]


def words_of(text: str) -> list[str]:
    return [word for word in text.split(" ") if word]


def has_words(term: str, query: str) -> bool:
    """Whether a term has the words of a query, the last one as a beginning where no space follows it."""
    whole = words_of(query)
    partial = whole.pop() if whole and not query.endswith(" ") else ""
    further = Counter(words_of(term))
    for word in whole:
        if further[word] == 0:
            return False
        further[word] -= 1
    return partial == "" or any(word.startswith(partial) for word in further.elements())


def conjunctions(terms: Mapping[str, float], query: str, k: int) -> list[tuple[str, float]]:
    found = [(term, score) for term, score in terms.items() if has_words(term, query)]
    return sorted(found, key=lambda item: (-item[1], item[0].encode()))[:k]


def word_edits(term: str, query: str, *, fix_first: bool) -> float:
    """The least edits of all ways to give each word of a query a word of the term of its own."""
    words, others = words_of(query), words_of(term)
    partial = len(words) - 1 if words and not query.endswith(" ") else None

    def edits(i: int, other: str) -> float:
        if fix_first and words[i][0] != other[0]:
            return math.inf
        steps = osa(words[i], other)
        return min(steps) if i == partial else steps[-1]

    ways = itertools.permutations(others, len(words))
    return min((sum(edits(i, other) for i, other in enumerate(way)) for way in ways), default=math.inf)


def conjunctions_near(
    terms: Mapping[str, float], query: str, k: int, *, edits: int, fix_first: bool = True
) -> list[tuple[str, float]]:
    found = [(word_edits(term, query, fix_first=fix_first), term, score) for term, score in terms.items()]
    within = [hit for hit in found if hit[0] <= edits]
    return [hit[1:] for hit in sorted(within, key=lambda hit: (hit[0], -hit[2], hit[1].encode()))[:k]]


def some_phrases(count: int, seed: int) -> dict[str, float]:
    """One to five words out of few, some of them twice, spaces where they should not be, and many ties."""
    rng = random.Random(seed)
    words = ["".join(rng.choices("abcé日\0\xff", k=rng.randrange(1, 4))) for _ in range(60)]
    common = [1 / (1 + i) for i in range(len(words))]
    terms = {
        rng.choice(["", "", "", " "])
        + rng.choice([" ", " ", " ", "  "]).join(rng.choices(words, common, k=rng.randrange(6)))
        + rng.choice(["", "", "", " "])
        for _ in range(count)
    }
    return {term: rng.randrange(40) / 7 - 1 for term in sorted(terms)}


def some_word_queries(terms: Iterable[str], count: int, seed: int) -> list[str]:
    """Words of terms in any order, the last one cut or not, some of them of another term."""
    rng = random.Random(seed)
    known = sorted(terms)
    queries = ["", " ", "zz", "zz a", "a zz"]
    while len(queries) < count:
        words = words_of(rng.choice(known)) + words_of(rng.choice(known))[: rng.randrange(2)]
        rng.shuffle(words)
        words = words[: rng.randrange(1, 4)]
        if words:
            words[-1] = words[-1][: rng.randrange(1, len(words[-1]) + 1)]
        queries.append(rng.choice([" ", " ", "  "]).join(words) + rng.choice(["", "", " "]))
    return queries


def some_terms(count: int, seed: int, *, alphabet: str = ALPHABET, most: int = 9) -> dict[str, float]:
    """Short terms of few letters with few scores: long shared prefixes, many neighbours, many ties."""
    rng = random.Random(seed)
    terms = {"".join(rng.choices(alphabet, k=rng.randrange(most))) for _ in range(count)}
    return {term: rng.randrange(40) / 7 - 1 for term in sorted(terms)}


def some_queries(terms: Iterable[str], count: int, seed: int) -> list[str]:
    """Beginnings of terms, whole terms, both with an edit, and strings that begin no term."""
    rng = random.Random(seed)
    known = sorted(terms)
    queries = ["", "zz"]
    while len(queries) < count:
        term = list(rng.choice(known) if known else "abc")[: rng.randrange(10)]
        if rng.random() < 0.6 and len(term) > 1:
            i = rng.randrange(len(term) - 1)
            change = rng.randrange(4)
            if change == 0:
                term[i], term[i + 1] = term[i + 1], term[i]
            elif change == 1:
                del term[i]
            else:
                term[i : i + change - 1] = rng.choice("abcxé")
        queries.append("".join(term))
    return queries
