"""The second pass: the texts of the pages that a budget takes, and what is counted of them."""

import json
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from pyfastlm.errors import InputError
from pyfastlm.lm.files.job import START_AFRESH
from pyfastlm.selection.filtering.applied_report import CutPage, DomainShare
from pyfastlm.selection.filtering.choice import Choice
from pyfastlm.selection.filtering.counting import Counter
from pyfastlm.selection.filtering.scored import Columns, Digest, Scored, grouped, reason
from pyfastlm.selection.filtering.writing import Taken
from pyfastlm.selection.pages import Page, Pages


class Corpus(NamedTuple):
    """The pages of a job: their texts, to be read again, and what the first pass found of them.

    ``cutter`` cuts the last page; None leaves it out.
    """

    pages: Pages
    found: Scored
    columns: Columns
    cutter: Counter | None


class Taking:
    """Goes through the corpus once more and gives the pages taken.

    Afterwards ``pages`` and ``tokens`` of the output, ``cut``, ``rejected`` and ``shares`` are known.
    """

    def __init__(self, corpus: Corpus, choice: Choice, rejects: BinaryIO) -> None:
        self._corpus, self._choice, self._rejects = corpus, choice, rejects
        self._shares: dict[str, list[int]] = {}
        self.pages = self.tokens = self.rejected = 0
        self.cut: CutPage | None = None

    def __iter__(self) -> Iterator[Taken]:
        _, found, columns, cutter = self._corpus
        taken, _, candidates, _ = self._choice
        wanted = set(candidates) if cutter is not None else set()
        held: dict[int, Page] = {}
        for number, page in enumerate(self._unchanged()):
            why = reason(page, float(found.scores[number]), columns)
            if why is not None:
                self._reject(page, why)
                continue
            self._share(page, 0, int(found.tokens[number]))
            if taken[number]:
                yield self._taken(page, page.text or "", number, int(found.tokens[number]))
            elif number in wanted:
                held[number] = page
        yield from self._cut(held)

    def _unchanged(self) -> Iterator[Page]:
        """The pages, if they are those of the first pass."""
        digest = Digest()
        for part in grouped(self._corpus.pages):
            digest.add(part)
            if digest.pages > len(self._corpus.found.scores):
                break
            yield from part.pages
        if digest.text() != self._corpus.found.digest:
            raise InputError(f"inputs: they changed while they were read; {START_AFRESH}")

    @property
    def shares(self) -> tuple[DomainShare, ...]:
        """Each domain, by name."""
        return tuple(DomainShare(name, *counts) for name, counts in sorted(self._shares.items()))

    def _cut(self, held: dict[int, Page]) -> Iterator[Taken]:
        left, cutter = self._choice.left, self._corpus.cutter
        for number in self._choice.candidates if cutter is not None else ():
            page = held[number]
            text = cutter.cut(page.text or "", left) if cutter is not None else None
            if text:
                tokens = int(self._corpus.found.tokens[number])
                self.cut = CutPage(self._name(page), page.row, tokens, left)
                yield self._taken(page, text, number, left)
                return

    def _taken(self, page: Page, text: str, number: int, tokens: int) -> Taken:
        self.pages += 1
        self.tokens += tokens
        self._share(page, 2, tokens)
        domain = self._domain(page)
        score = float(self._corpus.found.scores[number])
        return Taken(page.id, text, domain, score, tokens, self._name(page), page.row)

    def _share(self, page: Page, place: int, tokens: int) -> None:
        domain = self._domain(page)
        if domain is not None:
            counts = self._shares.setdefault(domain, [0, 0, 0, 0])
            counts[place] += 1
            counts[place + 1] += tokens

    def _reject(self, page: Page, why: str) -> None:
        self.rejected += 1
        line = {"source": self._name(page), "row": page.row, "id": page.id, "reason": why}
        self._rejects.write(json.dumps(line).encode() + b"\n")

    def _domain(self, page: Page) -> str | None:
        place = self._corpus.columns.domain
        domain: str | None = None if place is None else page.fields[place]
        return domain

    def _name(self, page: Page) -> str:
        return self._corpus.pages.sources[page.source].name
