"""Queries, documents and judgements of a task."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.ir.measures.ranking import check_qrel
from pyfastlm.lm.encoding import utf8_length


@dataclass(frozen=True, eq=False)
class Collection:
    """A task of ranking.

    Attributes:
        name: of the task.
        query: text by id of the query.
        corpus: text by id of the document; may be empty.
        qrel: relevance by ids of query and document; above 0 is relevant. Queries without judgements are no
            part of the task, and not in ``query`` either.
        pooled: whether the documents of a query's judgements are the candidates that are to be ordered. Else
            all documents are.

    Raises:
        InputError, InputTypeError: a text or an id is no string, a query is empty, a judgement is of a query
            or a document that is not there, or no whole number.
    """

    name: str
    query: Mapping[str, str]
    corpus: Mapping[str, str]
    qrel: Mapping[str, Mapping[str, int]]
    pooled: bool

    def __post_init__(self) -> None:
        for field, texts in (("query", self.query), ("corpus", self.corpus)):
            if not isinstance(texts, Mapping):
                raise InputTypeError(
                    f"{field}: expected a mapping of ids to texts, got {type(texts).__name__}"
                )
            if not texts:
                raise InputError(f"{field}: expected at least one text, got none")
            for key, text in texts.items():
                if not utf8_length(key, f"{field}: id"):
                    raise InputError(f"{field}: expected ids that are not empty")
                utf8_length(text, f"{field}[{key!r}]")
        for key, text in self.query.items():
            if not text.strip():
                raise InputError(f"query[{key!r}]: expected a text, got none")
        check_qrel(self.qrel)
        if self.qrel.keys() != self.query.keys():
            odd = next(iter(self.qrel.keys() ^ self.query.keys()))
            where = "query but not in qrel" if odd in self.query else "qrel but not in query"
            raise InputError(f"qrel: expected judgements of exactly the queries; {odd!r} is in {where}")
        for key, judged in self.qrel.items():
            for document in judged:
                if document not in self.corpus:
                    raise InputError(f"qrel: query {key!r}: document {document!r} is not in the corpus")

    @property
    def fingerprint(self) -> str:
        """32 hexadecimal digits over the queries, the documents and the judgements."""
        parts = [self.pooled, *({k: of[k] for k in sorted(of)} for of in (self.query, self.corpus))]
        parts.append({key: dict(sorted(judged.items())) for key, judged in sorted(self.qrel.items())})
        return hashlib.sha256(json.dumps(parts, default=int).encode()).hexdigest()[:32]

    def candidates(self, query: str) -> list[str]:
        """Ids of the documents to be ordered for a query, in the order of the judgements or the corpus."""
        return list(self.qrel[query] if self.pooled else self.corpus)

    def relevant(self, query: str) -> set[str]:
        """Documents judged above 0."""
        return {document for document, relevance in self.qrel[query].items() if relevance > 0}

    def only(self, queries: Iterable[str], name: str | None = None) -> "Collection":
        """The same task with some of its queries; the corpus stays whole.

        Raises:
            InputError: there is no such query, or none is left.
        """
        chosen = list(dict.fromkeys(queries))
        for key in chosen:
            if key not in self.query:
                raise InputError(f"queries: there is no query {key!r}")
        return replace(
            self,
            name=name or self.name,
            query={key: self.query[key] for key in chosen},
            qrel={key: self.qrel[key] for key in chosen},
        )

    def some(self, count: int, *, seed: int = 0) -> "Collection":
        """At most ``count`` of the queries, drawn by ``seed``, in their order.

        Raises:
            InputError: ``count`` is below 1.
        """
        if count < 1:
            raise InputError(f"count: expected at least 1 query, got {count}")
        drawn = set(np.random.default_rng(seed).permutation(len(self.query))[:count].tolist())
        return self.only(key for number, key in enumerate(self.query) if number in drawn)

    def split(self, gold: int = 10, *, seed: int = 0) -> "Split":
        """``gold`` queries to choose by and the others to report, drawn by ``seed``.

        Queries without a relevant document are left out of both: no ranking is better than another for them.

        Raises:
            InputError: there are not so many, and one more.
        """
        usable = [key for key in self.query if self.relevant(key)]
        if gold < 1 or gold >= len(usable):
            raise InputError(
                f"gold: expected 1 to {len(usable) - 1} of the {len(usable)} queries with a relevant "
                f"document, got {gold}"
            )
        order = np.random.default_rng(seed).permutation(len(usable)).tolist()
        drawn = set(order[:gold])
        return Split(
            self.only((key for n, key in enumerate(usable) if n in drawn), f"{self.name} gold"),
            self.only((key for n, key in enumerate(usable) if n not in drawn), f"{self.name} test"),
        )


class Split(NamedTuple):
    """Queries to choose prompts by, and queries that only the report sees; the corpus is the same."""

    gold: Collection
    test: Collection
