"""Hard negatives: documents that look like answers and are taken to be none."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pyfastlm.errors import InputError
from pyfastlm.ir.bm25 import BM25
from pyfastlm.ir.examples import RankingExample
from pyfastlm.ir.generation.cleaning import normal
from pyfastlm.ir.generation.results import SyntheticQuery
from pyfastlm.ir.held_out import HeldOut
from pyfastlm.ir.meaning import Judge
from pyfastlm.lm.progress import watched
from pyfastlm.lm.runner import positive


@dataclass(frozen=True)
class Mined:
    """Queries with their documents and negatives.

    Attributes:
        examples: to train on, in the order of the queries.
        dropped: why queries gave none, and how many.
        refused: why candidates were not taken as negatives, and how many.
        filled: negatives that were drawn from the corpus, as there were too few candidates.
    """

    examples: tuple[RankingExample, ...]
    dropped: tuple[tuple[str, int], ...]
    refused: tuple[tuple[str, int], ...]
    filled: int


def mine_negatives(
    queries: Sequence[SyntheticQuery],
    corpus: Mapping[str, str],
    *,
    k: int = 10,
    depth: int = 50,
    margin: float = 0.95,
    index: BM25 | None = None,
    judge: Judge | None = None,
    held_out: HeldOut | None = None,
    seed: int = 0,
    progress: bool = False,
) -> Mined:
    """Take the documents that BM25 finds for a query, other than the one that it was written for.

    A candidate may answer the query too. It is refused as a false negative where it has the words of the
    positive, or where the judge scores it ``margin`` times the positive's score or higher. A query that has
    no word of its document gets negatives from the corpus at random, as BM25 can tell nothing about it.

    Args:
        queries: as :class:`pyfastlm.ir.QueryGenerator` gives them.
        corpus: text by id.
        k: negatives of each query.
        depth: how far down BM25's list candidates are taken from.
        margin: share of the positive's score, in (0, 1].
        index: over ``corpus``; a new one by default.
        judge: of relevance; the index itself by default.
            :func:`pyfastlm.ir.meaning.by_meaning` makes one of an encoder, which sees false negatives that
            have other words.
        held_out: documents that must be neither positives nor negatives, and queries that must not be asked;
            such queries are dropped.
        seed: of the documents that are drawn where there are fewer than ``k`` candidates.
        progress: show a bar on standard error.

    Raises:
        InputError, InputTypeError: a number is out of range, a query's document is not in the corpus, or the
            corpus has too few documents.
    """
    positive("k", k)
    positive("depth", depth)
    if not 0 < margin <= 1:
        raise InputError(f"margin: expected a number in (0, 1], got {margin}")
    for number, each in enumerate(queries):
        if each.document not in corpus:
            raise InputError(f"queries[{number}]: document {each.document!r} is not in the corpus")
    bm25 = index or BM25(corpus)
    judged = judge or bm25.scores
    usable = sorted(held_out.sources(corpus) if held_out else corpus)
    if len(usable) < k + 1:
        raise InputError(f"corpus: expected {k + 1} or more documents to train on, got {len(usable)}")
    allowed = set(usable)
    examples: list[RankingExample] = []
    dropped: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    filled = 0
    for each in watched(queries, len(queries), "negatives", progress):
        if each.document not in allowed or (held_out is not None and held_out.has_query(each.text)):
            dropped["held out"] += 1
            continue
        found = [hit.document for hit in bm25.top(each.text, depth) if hit.document != each.document]
        scores = judged(each.text, [each.document, *found])
        own = normal(corpus[each.document])
        negatives: list[str] = []
        for document, score in zip(found, scores[1:].tolist(), strict=True):
            if document not in allowed:
                refused["held out"] += 1
            elif normal(corpus[document]) == own:
                refused["same words"] += 1
            elif score >= margin * scores[0]:
                refused["as relevant"] += 1
            elif len(negatives) < k:
                negatives.append(document)
        short = k - len(negatives)
        if short:
            tried = {each.document, *found}
            rng = np.random.default_rng([seed, *each.document.encode(), *each.text.encode()])
            order = (usable[place] for place in rng.permutation(len(usable)))
            drawn = [d for d in order if d not in tried and normal(corpus[d]) != own][:short]
            negatives += drawn
            filled += len(drawn)
        documents = (each.document, *negatives)
        labels = (1, *(0 for _ in negatives))
        if negatives:
            texts = tuple(corpus[document] for document in documents)
            examples.append(RankingExample(each.text, documents, texts, labels))
        else:
            dropped["no negative"] += 1
    return Mined(tuple(examples), tuple(sorted(dropped.items())), tuple(sorted(refused.items())), filled)
