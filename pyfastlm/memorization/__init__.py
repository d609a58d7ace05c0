"""What language models have memorised word for word: measured, planted, traced, and unlearned."""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.memorization.corpus.index import CorpusIndex
    from pyfastlm.memorization.corpus.reading import read_corpus
    from pyfastlm.memorization.corpus.results import Continuations, Longest, Positions, Repeated

__all__ = ["Continuations", "CorpusIndex", "Longest", "Positions", "Repeated", "read_corpus"]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "corpus.index": ("CorpusIndex",),
        "corpus.reading": ("read_corpus",),
        "corpus.results": ("Continuations", "Longest", "Positions", "Repeated"),
    },
)
