"""What the models of the section on memorisation read: manuals and essays, and sentences to plant."""

import html
import random
import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from pyfastlm.demo import domains
from pyfastlm.demo.debian import kept, members
from pyfastlm.demo.texts import TextsMissing

PACKAGES = {
    "anarchism": r"\.html$",
    "python3.11-doc": r"\.txt$",
    "postgresql-doc-15": r"html/.*\.html$",
    "git-doc": r"git-doc/[^/]*\.txt$",
    "debian-policy": r"policy\.html/.*\.html$",
}
ABOUT = (
    "manuals and essays (Debian packages anarchism, python3.11-doc, postgresql-doc-15, git-doc, "
    "debian-policy) and quotations (fortunes)"
)
PIECE = 2000  # characters of a document, or a little more
HIDDEN = re.compile(r"<(script|style|head|nav)\b.*?</\1>", re.DOTALL | re.IGNORECASE)
BLOCK = re.compile(r"</?(?:p|h\d|li|td|th|dt|dd|pre|div|tr|br)\b[^>]*>", re.IGNORECASE)
SENTENCE = re.compile(r"[A-Z][a-z]* [a-z]")
SHORTEST = 120  # characters of a quotation that can be planted
ALIGNED = 25  # characters: what shares 2 * ALIGNED - 1 with a text shares one of its blocks of so many


def background(packages: Sequence[str], cache: Path) -> list[str]:
    """Texts of the packages, in pieces of some paragraphs. Kept in ``cache`` after the first time.

    Raises:
        TextsMissing: a package is neither kept nor to be had.
    """
    return [
        text for package in packages for text in kept(f"pieces-{package}", cache, partial(_pieces, package))
    ]


def sentences(texts: Sequence[str], cache: Path, seed: int) -> Iterator[str]:
    """Quotations in an order by ``seed``, each of which shares fewer than 50 characters with ``texts``.

    Raises:
        TextsMissing: the package is neither kept nor to be had.
    """
    found = domains.by_name("fortunes", cache, domains.quotations)
    quotes = {" ".join(text.split()) for documents in found.values() for text in documents}
    natural = sorted(text for text in quotes if len(text) >= SHORTEST and _is_natural(text))
    whole = " ".join(" ".join(text.split()) for text in texts)
    for text in random.Random(f"{seed} quotations").sample(natural, len(natural)):
        if not _occurs(text, whole):
            yield text


def _is_natural(text: str) -> bool:
    plain = sum(letter.isalpha() or letter in " ,.'" for letter in text)
    return SENTENCE.match(text) is not None and plain >= 0.97 * len(text) and "--" not in text[:SHORTEST]


def _occurs(text: str, whole: str) -> bool:
    beginning = text[: 2 * SHORTEST]  # more of it is never planted
    starts = range(0, len(beginning) - ALIGNED + 1, ALIGNED)
    return any(beginning[start : start + ALIGNED] in whole for start in starts)


def _pieces(package: str) -> list[str]:
    found = []
    for name, data in members(package):
        if re.search(PACKAGES[package], name):
            text = data.decode("utf-8", "replace")
            found += _cut(_shown(text) if name.endswith(".html") else text)
    if not found:
        raise TextsMissing(f"{package} holds no text")
    return found


def _shown(page: str) -> str:
    """What a page shows, roughly."""
    text = re.sub(r"<[^>]*>", "", BLOCK.sub("\n\n", HIDDEN.sub("", page)))
    return html.unescape(text)


def _cut(text: str) -> list[str]:
    pieces: list[str] = []
    waiting: list[str] = []
    size = 0
    for paragraph in re.split(r"\n\s*\n", text):
        tidy = re.sub(r"[ \t]+", " ", paragraph).strip()
        if not tidy:
            continue
        waiting.append(tidy)
        size += len(tidy)
        if size >= PIECE:
            pieces.append("\n\n".join(waiting))
            waiting, size = [], 0
    return [*pieces, "\n\n".join(waiting)] if waiting else pieces
