"""Rerankers from ten labels: a language model's prompt as a hyperparameter of their training (PATH)."""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.ir.bm25 import BM25
    from pyfastlm.ir.collection import Collection, Split
    from pyfastlm.ir.data.birco import load_birco
    from pyfastlm.ir.generation.generator import QueryGenerator
    from pyfastlm.ir.generation.prompts import Prompt
    from pyfastlm.ir.measures import evaluate, ndcg_at_10

__all__ = ["BM25", "Collection", "Prompt", "QueryGenerator", "Split", "evaluate", "load_birco", "ndcg_at_10"]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "bm25": ("BM25",),
        "collection": ("Collection", "Split"),
        "data.birco": ("load_birco",),
        "generation.generator": ("QueryGenerator",),
        "generation.prompts": ("Prompt",),
        "measures": ("evaluate", "ndcg_at_10"),
    },
)
