"""Guards: nothing of the queries that choose and report gets into what is trained on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pyfastlm.errors import InputError
from pyfastlm.ir.collection import Collection
from pyfastlm.ir.examples import RankingExample
from pyfastlm.ir.generation.cleaning import normal
from pyfastlm.ir.generation.prompts import Prompt

SHORTEST = 3  # words of a gold query that a prompt must not quote; single words come by chance


class Leak(InputError):
    """Something held out is in what should be trained on, or in a prompt."""


@dataclass(frozen=True)
class HeldOut:
    """What training must not see. Texts are compared by their words, in small letters.

    Attributes:
        queries: texts of the gold and the test queries.
        documents: ids of the documents of the gold queries: their pools, or where the pool is the whole
            corpus, those that are relevant.
        texts: of these documents, so that a copy under another id counts as well.
    """

    queries: frozenset[str]
    documents: frozenset[str]
    texts: frozenset[str]

    @classmethod
    def of(cls, gold: Collection, *tests: Collection) -> "HeldOut":
        """What is held out for ``gold`` to choose by and ``tests`` to report.

        Documents of the test queries may be written queries for: without their judgements they are only
        documents, as they are for BM25. Their queries are held out.
        """
        documents: set[str] = set()
        for query, judged in gold.qrel.items():
            whole = not gold.pooled or len(judged) == len(gold.corpus)
            documents |= gold.relevant(query) if whole else judged.keys()
        texts = {normal(gold.corpus[document]) for document in documents}
        queries = {normal(text) for task in (gold, *tests) for text in task.query.values()}
        return cls(frozenset(queries), frozenset(documents), frozenset(texts - {""}))

    def has_document(self, document: str, text: str) -> bool:
        """Whether a document is held out, by its id or its words."""
        return document in self.documents or normal(text) in self.texts

    def has_query(self, text: str) -> bool:
        """Whether a query is held out."""
        return normal(text) in self.queries

    def sources(self, corpus: Mapping[str, str]) -> dict[str, str]:
        """The documents that may be trained on, in their order."""
        return {name: text for name, text in corpus.items() if not self.has_document(name, text)}

    def check_prompt(self, prompt: Prompt) -> None:
        """Look for gold queries and documents in a prompt.

        Raises:
            Leak: one of three words or more is in it.
        """
        said = [f" {normal(text)} " for text in prompt.texts()]
        for held in sorted(self.queries | self.texts):
            if held.count(" ") >= SHORTEST - 1 and any(f" {held} " in text for text in said):
                raise Leak(f"prompt: it quotes a held-out query or document: {held[:80]!r}")

    def check(self, examples: Iterable[RankingExample]) -> None:
        """Look for held-out queries and documents in examples.

        Raises:
            Leak: names the first one.
        """
        for number, example in enumerate(examples):
            if self.has_query(example.query):
                raise Leak(f"examples[{number}]: {example.query[:80]!r} is a held-out query")
            for document, text in zip(example.documents, example.texts, strict=True):
                if self.has_document(document, text):
                    raise Leak(f"examples[{number}]: document {document!r} is held out")
