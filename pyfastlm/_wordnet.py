"""Nouns of WordNet's database files: senses, definitions, counted words, and what lies above."""

from dataclasses import dataclass
from pathlib import Path

from pyfastlm.errors import InputError

LARGEST = 100 << 20  # bytes of a file; WordNet 3.0 has 15 MB
UP = ("@", "@i")  # pointers to a hypernym
EXAMPLES = '; "'  # begins the examples behind a definition


@dataclass(frozen=True, slots=True)
class Nouns:
    """Nouns.

    Attributes:
        senses: the synsets of each word, by their offsets, the most frequent one first.
        counted: words that occur in the texts whose senses were counted.
        hypernyms: of each synset.
        definitions: of each synset, without examples.
    """

    senses: dict[str, tuple[str, ...]]
    counted: frozenset[str]
    hypernyms: dict[str, tuple[str, ...]]
    definitions: dict[str, str]

    @property
    def first(self) -> dict[str, str]:
        """The most frequent synset of each word."""
        return {word: senses[0] for word, senses in self.senses.items()}

    def above(self, synset: str) -> set[str]:
        """The synset and all that lies above it."""
        found: set[str] = set()
        todo = [synset]
        while todo:
            here = todo.pop()
            if here not in found:
                found.add(here)
                todo += self.hypernyms.get(here, ())
        return found


def read_nouns(directory: Path) -> Nouns:
    """Read ``data.noun`` and ``index.noun``.

    Raises:
        InputError: one is not there, is too large, or has a line of another form.
    """
    hypernyms, definitions = {}, {}
    for number, line in _lines(directory / "data.noun"):
        try:
            before, _, gloss = line.partition(" | ")
            fields = before.split()
            pointers = 4 + 2 * int(fields[3], 16)
            starts = [pointers + 1 + 4 * which for which in range(int(fields[pointers]))]
            hypernyms[fields[0]] = tuple(
                fields[at + 1] for at in starts if fields[at] in UP and fields[at + 2] == "n"
            )
            definitions[fields[0]] = gloss.partition(EXAMPLES)[0].strip()
        except (LookupError, ValueError):
            raise _damaged(directory / "data.noun", number) from None
    senses, counted = {}, set()
    for number, line in _lines(directory / "index.noun"):
        try:
            fields = line.split()
            kinds = int(fields[3])
            if not fields[6 + kinds :]:
                raise LookupError
            senses[fields[0]] = tuple(fields[6 + kinds :])
            if int(fields[5 + kinds]):
                counted.add(fields[0])
        except (LookupError, ValueError):
            raise _damaged(directory / "index.noun", number) from None
    return Nouns(senses, frozenset(counted), hypernyms, definitions)


def _lines(path: Path) -> list[tuple[int, str]]:
    """Lines with their numbers, without the licence at the top."""
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(f"directory: {str(path)!r} is larger than {LARGEST >> 20} MiB")
        text = path.read_text("ascii")
    except OSError as error:
        raise InputError(
            f"directory: cannot read {str(path)!r}: {error.strerror}; Debian's package wordnet-base has it"
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"directory: {str(path)!r} is not a file of WordNet") from error
    return [(number, line) for number, line in enumerate(text.split("\n"), 1) if line and line[0] != " "]


def _damaged(path: Path, number: int) -> InputError:
    return InputError(f"directory: {str(path)!r}, line {number}: not a line of WordNet's database")
