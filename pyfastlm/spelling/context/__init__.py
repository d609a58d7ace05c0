"""Names of the catalogue that a language model reads beside a query: four ways to find them."""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.spelling.context.bm25 import BM25
    from pyfastlm.spelling.context.dense import Dense
    from pyfastlm.spelling.context.fuzzy import Fuzzy
    from pyfastlm.spelling.context.hybrid import Hybrid
    from pyfastlm.spelling.context.retriever import Retriever

__all__ = ["BM25", "Dense", "Fuzzy", "Hybrid", "Retriever"]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "bm25": ("BM25",),
        "dense": ("Dense",),
        "fuzzy": ("Fuzzy",),
        "hybrid": ("Hybrid",),
        "retriever": ("Retriever",),
    },
)
