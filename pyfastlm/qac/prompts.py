"""What a language model reads before a search term: earlier searches, and what was typed."""

from collections.abc import Sequence

REMEMBERED = 5  # earlier searches
END = "\n"  # what ends a term


def prompt(past: Sequence[str], typed: str | None = None) -> str:
    """The text before a search term; a term follows after a space, and :data:`END` after the term.

    Args:
        past: earlier searches of the session, oldest first; the last ``REMEMBERED`` are shown.
        typed: what stands in the search box, for models that were trained to read it.
    """
    shown = [" ".join(term.split()) for term in past[-REMEMBERED:]]
    before = f"Past searches: {'; '.join(shown)}\n" if shown else ""
    box = "" if typed is None else f"Typed: {typed}\n"
    return f"{before}{box}Next search:"


def completion(term: str) -> str:
    """A term as it follows :func:`prompt`."""
    return f" {term}{END}"
