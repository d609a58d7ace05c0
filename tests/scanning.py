"""What a corpus index must answer, by going through all documents."""

from collections import Counter
from collections.abc import Sequence

Units = Sequence[int]


def places(documents: Sequence[Units], pattern: Units, *, across: bool = False) -> list[tuple[int, int]]:
    """(document, offset) of all occurrences, overlapping ones too."""
    wanted = tuple(pattern)
    whole = tuple(unit for document in documents for unit in document)
    found = []
    begin = 0
    for number, document in enumerate(documents):
        for offset in range(len(document)):
            text, at = (whole, begin + offset) if across else (tuple(document), offset)
            if text[at : at + len(wanted)] == wanted:
                found.append((number, offset))
        begin += len(document)
    return found


def longest(
    documents: Sequence[Units], query: Units, most: int, *, across: bool = False
) -> list[tuple[int, int]]:
    """(length, count) of the longest match that begins at each unit of the query."""
    found = []
    for begin in range(len(query)):
        best = (0, 0)
        for length in range(1, min(most, len(query) - begin) + 1):
            count = len(places(documents, query[begin : begin + length], across=across))
            if count == 0:
                break
            best = (length, count)
        found.append(best)
    return found


def following(documents: Sequence[Units], prefix: Units, *, across: bool = False) -> tuple[Counter[int], int]:
    """What follows a prefix, and how often nothing does; an empty prefix comes before every unit."""
    whole = [unit for document in documents for unit in document]
    starts = [0]
    for document in documents:
        starts.append(starts[-1] + len(document))
    after: Counter[int] = Counter()
    ends = 0
    for number, offset in places(documents, prefix, across=across):
        text, at = (whole, starts[number] + offset) if across else (documents[number], offset)
        if at + len(prefix) < len(text):
            after[text[at + len(prefix)]] += 1
        else:
            ends += 1
    return after, ends
