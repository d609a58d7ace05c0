"""Query autocompletion: what somebody is about to search for, from the first letters and the session so far.

The systems that the AmazonQAC paper (Everaert et al., 2024) compares: popularity, semantic retrieval, and
language models without and with fine-tuning, each with and without the session; and a page to type in.
"""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

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

__getattr__, __dir__ = lazily(
    __name__,
    {
        "backoff": ("Backoff",),
        "comparison": ("compare",),
        "counts": ("count_terms", "read_counts"),
        "evaluation": ("evaluate",),
        "finetuning": ("finetune",),
        "generator": ("Generator",),
        "popularity": ("Popularity",),
        "query": ("Query",),
        "reader": ("read_amazonqac",),
        "report": ("Report",),
        "reranker": ("SessionReranker",),
        "rows": ("Row", "Search"),
        "semantic": ("Semantic",),
        "server": ("serve",),
        "sessions": ("Habits", "generate"),
        "split": ("one_prefix",),
        "writer": ("write_amazonqac",),
    },
)
