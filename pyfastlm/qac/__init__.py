"""Query autocompletion: what somebody is about to search for, from the first letters and the session so far.

The systems that the AmazonQAC paper (Everaert et al., 2024) compares: popularity, semantic retrieval, and
language models without and with fine-tuning, each with and without the session; and a page to type in.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyfastlm.qac.backoff import Backoff
    from pyfastlm.qac.comparison import compare
    from pyfastlm.qac.counts import count_terms, read_counts
    from pyfastlm.qac.evaluation import evaluate
    from pyfastlm.qac.finetuning import finetune
    from pyfastlm.qac.generator import Generator
    from pyfastlm.qac.popularity import Popularity
    from pyfastlm.qac.query import Query
    from pyfastlm.qac.reader import read_amazonqac
    from pyfastlm.qac.report import Report
    from pyfastlm.qac.reranker import SessionReranker
    from pyfastlm.qac.rows import Row, Search
    from pyfastlm.qac.semantic import Semantic
    from pyfastlm.qac.server import serve
    from pyfastlm.qac.sessions import Habits, generate
    from pyfastlm.qac.split import one_prefix
    from pyfastlm.qac.writer import write_amazonqac

__all__ = [
    "Backoff",
    "Generator",
    "Habits",
    "Popularity",
    "Query",
    "Report",
    "Row",
    "Search",
    "Semantic",
    "SessionReranker",
    "compare",
    "count_terms",
    "evaluate",
    "finetune",
    "generate",
    "one_prefix",
    "read_amazonqac",
    "read_counts",
    "serve",
    "write_amazonqac",
]

_HOME = {
    "Backoff": "backoff",
    "Generator": "generator",
    "Habits": "sessions",
    "Popularity": "popularity",
    "Query": "query",
    "Report": "report",
    "Row": "rows",
    "Search": "rows",
    "Semantic": "semantic",
    "SessionReranker": "reranker",
    "compare": "comparison",
    "count_terms": "counts",
    "evaluate": "evaluation",
    "finetune": "finetuning",
    "generate": "sessions",
    "one_prefix": "split",
    "read_amazonqac": "reader",
    "read_counts": "counts",
    "serve": "server",
    "write_amazonqac": "writer",
}


def __getattr__(name: str) -> object:
    # Late, because each needs other extras, and some need torch.
    if name in _HOME:
        return getattr(importlib.import_module(f"pyfastlm.qac.{_HOME[name]}"), name)
    raise AttributeError(f"module 'pyfastlm.qac' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
