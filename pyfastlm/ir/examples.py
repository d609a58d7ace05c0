"""What a reranker is trained on."""

from typing import NamedTuple

from pyfastlm.errors import InputError
from pyfastlm.lm.encoding import utf8_length


class RankingExample(NamedTuple):
    """A query, and documents that it should put into an order.

    Attributes:
        query: its text.
        documents: their ids.
        texts: of the documents.
        labels: relevance of each; 1 for the document that a query was written for, 0 for negatives.
    """

    query: str
    documents: tuple[str, ...]
    texts: tuple[str, ...]
    labels: tuple[int, ...]


def check_example(example: RankingExample, where: str) -> None:
    """Raise :class:`InputError` or :class:`InputTypeError` where nothing can be learnt from an example."""
    utf8_length(example.query, f"{where}: query")
    for text in example.texts:
        utf8_length(text, f"{where}: text")
    if not len(example.documents) == len(example.texts) == len(example.labels):
        raise InputError(
            f"{where}: expected as many ids, texts and labels, got {len(example.documents)}, "
            f"{len(example.texts)} and {len(example.labels)}"
        )
    if min(example.labels, default=0) < 0 or len(set(example.labels)) < 2:
        raise InputError(
            f"{where}: expected labels from 0 up, of which two differ, got {example.labels[:10]}"
        )
