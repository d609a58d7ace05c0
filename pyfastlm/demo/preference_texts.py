"""Sentences of docstrings: some with an error that a rule finds and mends, and plain ones to misspell."""

import functools
import random
import re
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from pyfastlm.demo.texts import TextsMissing
from pyfastlm.preference.pairs import PreferencePair
from pyfastlm.spelling.noise.misspelling import misspell

PACKAGES = ("torch", "transformers")  # installed wherever the demo runs
KINDS = ("kb", "transposition", "ph")  # of misspellings: one error of a sentence

DOCSTRING = re.compile(
    r'^ *(?:async )?(?:def|class) (?P<name>\w+)|:\n +r?"""(?P<text>.*?)"""', re.MULTILINE | re.DOTALL
)
END = re.compile(r"(?<=[.!?])\s+")
PLAIN = re.compile(r"[A-Z][a-z]+(?: [a-z]+(?:-[a-z]+)?,?){4,10}\.")
ANY = re.compile(r"[A-Z][^:<>=\[\]{}()\\*|]{38,108}\.")  # of 40 to 110 characters, and no formula

# Only where a rule is sure: not before names and code, nor where a vowel is read as a consonant.
_WORD = r"(?=[a-z]+\b(?![-_(=/]|\.\w))"
_NO_NOUN = r"(?!(?:and|are|url|imports)\b|eu|on[ce]|u[nrst][aeiou]|u[bt])"
RULES = (
    (re.compile(rf"\ba {_NO_NOUN}(?=[aeiou][a-z]{{2}}){_WORD}"), "an "),
    (re.compile(rf"\ban (?=[bcdgjkpqtvwz][aeiou]|[bcdgkpt][lrw])(?=[a-z]{{4}}){_WORD}"), "a "),
    (re.compile(rf"\b(the|an|of|to|in|and|for|by|with) \1 {_WORD}"), r"\1 "),
)


class Sentence(NamedTuple):
    """A sentence of the docstring of ``name``, a function or class."""

    name: str
    text: str

    @property
    def prompt(self) -> str:
        """What it is an answer to."""
        return f"What does `{self.name}` do?"


def mend(text: str) -> str:
    """``text`` with the right one of "a" and "an", and without a small word twice."""
    for wrong, right in RULES:
        text = wrong.sub(right, text)
    return text


@functools.cache
def sentences(packages: tuple[str, ...] = PACKAGES) -> tuple[tuple[Sentence, ...], tuple[Sentence, ...]]:
    """Those with an error that :func:`mend` finds, and first sentences of nothing but words, without one.

    In the order of the files; in both a text comes once, in the second a name too. Sources are read, and not
    imported.

    Raises:
        TextsMissing: the sources of a package are not there.
    """
    flawed: dict[str, Sentence] = {}
    plain: dict[str, Sentence] = {}
    names: set[str] = set()
    for name, docstring in (each for package in packages for each in _docstrings(package)):
        for number, text in enumerate(_texts(docstring)):
            if ANY.fullmatch(text) and mend(text) != text:
                flawed.setdefault(text, Sentence(name, text))
            elif number or name.startswith("_") or name in names or text in plain:
                continue
            elif PLAIN.fullmatch(text) and mend(text) == text:
                names.add(name)
                plain[text] = Sentence(name, text)
    return tuple(flawed.values()), tuple(plain.values())


def misspelt(given: Sequence[Sentence], *, seed: int) -> list[PreferencePair]:
    """Each sentence preferred to itself with one misspelling; no pair where no rule fits."""
    prompts = {each.text: each.prompt for each in given}
    made = misspell(prompts, kinds=KINDS, seed=seed)
    return [PreferencePair(prompts[each.gold], each.gold, each.noisy) for each in made]


def drawn(given: Sequence[Sentence], count: int, seed: int) -> list[Sentence]:
    """At most ``count`` of them, by ``seed``."""
    return random.Random(f"{seed} docstrings").sample(given, min(count, len(given)))


def _texts(docstring: str) -> Iterator[str]:
    """Its sentences."""
    for paragraph in docstring.split("\n\n"):
        yield from END.split(" ".join(paragraph.split()))


def _docstrings(package: str) -> Iterator[tuple[str, str]]:
    """Names and docstrings as a pattern finds them."""
    found = find_spec(package)
    root = Path(found.submodule_search_locations[0]) if found and found.submodule_search_locations else None
    paths = sorted(root.rglob("*.py")) if root else []
    if not paths:
        raise TextsMissing(f"{package}: its sources are not installed")
    for path in paths:
        name = ""
        for part in DOCSTRING.finditer(path.read_text("utf-8", "replace")):
            if part["name"]:
                name = part["name"]
            elif name:
                yield name, part["text"]
                name = ""
