"""From what a model wrote to a query, and how much of it is the document's own words."""

import re

RUN = 4  # words in a row that count as copied
WORD = re.compile(r"\w+")
QUOTES = "\"'`“”‘’«»*"
LABEL = re.compile(r"^(?:query|question|search|answer)\s*:\s*", re.IGNORECASE)


def cleaned(text: str) -> str:
    """The first line that is not blank, without quotes around it, a label before it, or spare spaces."""
    line = next((line for line in text.splitlines() if line.strip()), "")
    line = LABEL.sub("", line.strip().strip(QUOTES).strip())
    return " ".join(line.strip(QUOTES).split())


def words(text: str) -> list[str]:
    """Words in small letters."""
    return WORD.findall(text.casefold())


def normal(text: str) -> str:
    """A text by its words alone: what is equal in this form counts as the same query or document."""
    return " ".join(words(text))


def copied(query: str, document: str) -> float:
    """Share of the runs of ``RUN`` words of the query that the document has too; 0 of shorter queries."""
    runs, own = _runs(words(query)), set(_runs(words(document)))
    return sum(run in own for run in runs) / len(runs) if runs else 0.0


def overlap(query: str, document: str) -> float:
    """Share of the different words of the query that the document has too; 0 without words."""
    asked = set(words(query))
    return len(asked & set(words(document))) / len(asked) if asked else 0.0


def _runs(of: list[str]) -> list[tuple[str, ...]]:
    return [tuple(of[at : at + RUN]) for at in range(len(of) - RUN + 1)]
