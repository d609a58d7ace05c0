"""What a text is here, and the texts that come with the package."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files


class TextsMissing(Exception):
    """A collection cannot be had here; the message says why."""


@dataclass(frozen=True, slots=True)
class Document:
    """One text; documents of the same ``key`` in one collection are translations of each other."""

    key: str
    text: str


@dataclass(frozen=True, slots=True)
class Source:
    """Documents in one language; ``code`` is its BCP 47 tag."""

    language: str
    code: str
    documents: tuple[Document, ...]

    @property
    def n_bytes(self) -> int:
        """Length of all documents in UTF-8."""
        return sum(len(document.text.encode()) for document in self.documents)


@dataclass(frozen=True, slots=True)
class Collection:
    """Sources that belong together; ``about`` says where they come from and under which licence,
    ``title`` is ``name`` in full.

    In a ``parallel`` collection every source has the same documents, in the same order, in its language.
    """

    name: str
    title: str
    about: str
    parallel: bool
    sources: tuple[Source, ...]


def own(count: int) -> Collection:
    """The first ``count`` of five paragraphs that were written for this package, in seven languages."""
    kept = json.loads(files("pyfastlm.demo").joinpath("own_texts.json").read_text("utf-8"))
    sources = (
        Source(
            language["name"],
            language["code"],
            tuple(Document(f"paragraph {n}", text) for n, text in enumerate(language["texts"][:count], 1)),
        )
        for language in kept["languages"]
    )
    return Collection("own", "Paragraphs written for pyfastlm", kept["about"], True, tuple(sources))


def sample(keys: Sequence[int], count: int, seed: int) -> list[int]:
    """``count`` of ``keys`` in their order: the first one always, the others drawn by ``seed``."""
    drawn = random.Random(f"{seed} sample").sample(keys[1:], count - 1)
    return [keys[0], *sorted(drawn)]
