"""Rerankers from ten labels: a language model's prompt as a hyperparameter of their training (PATH)."""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.ir.bm25 import BM25
    from pyfastlm.ir.collection import Collection, Split
    from pyfastlm.ir.data.birco import load_birco
    from pyfastlm.ir.examples import RankingExample
    from pyfastlm.ir.generation.generator import QueryGenerator
    from pyfastlm.ir.generation.prompts import Prompt
    from pyfastlm.ir.held_out import HeldOut, Leak
    from pyfastlm.ir.measures import evaluate, ndcg_at_10
    from pyfastlm.ir.negatives import mine_negatives
    from pyfastlm.ir.path import Grammar, PromptSearch, SearchOptions, optimize_prompt
    from pyfastlm.ir.training import Reranker, RerankerOptions, Trained, train_reranker

__all__ = [
    "BM25",
    "Collection",
    "Grammar",
    "HeldOut",
    "Leak",
    "Prompt",
    "PromptSearch",
    "QueryGenerator",
    "RankingExample",
    "Reranker",
    "RerankerOptions",
    "SearchOptions",
    "Split",
    "Trained",
    "evaluate",
    "load_birco",
    "mine_negatives",
    "ndcg_at_10",
    "optimize_prompt",
    "train_reranker",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "bm25": ("BM25",),
        "collection": ("Collection", "Split"),
        "data.birco": ("load_birco",),
        "generation.generator": ("QueryGenerator",),
        "generation.prompts": ("Prompt",),
        "examples": ("RankingExample",),
        "held_out": ("HeldOut", "Leak"),
        "measures": ("evaluate", "ndcg_at_10"),
        "negatives": ("mine_negatives",),
        "path": ("Grammar", "PromptSearch", "SearchOptions", "optimize_prompt"),
        "training": ("Reranker", "RerankerOptions", "Trained", "train_reranker"),
    },
)
