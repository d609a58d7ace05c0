"""Data selection by perplexity correlations: which domains to pretrain on, without training a model.

Thrush, Potts and Hashimoto (2024), arXiv 2409.05816: over many public models, the bits per byte on a domain
correlate with the errors on a benchmark; domains where they do are good pretraining data. The estimators and
projections here need numpy and the extension, and do not import torch.
"""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.selection.aggregation import combine
    from pyfastlm.selection.benchmark_errors import BenchmarkErrors
    from pyfastlm.selection.bootstrapping import Intervals, bootstrap
    from pyfastlm.selection.budget import allot, bounds
    from pyfastlm.selection.column_blocks import Blocks, blocks
    from pyfastlm.selection.estimators import product, sign, sign_cdf, sign_sign, spearmanr
    from pyfastlm.selection.matrix import BpbMatrix
    from pyfastlm.selection.pages.applied_report import AppliedReport
    from pyfastlm.selection.pages.applying import apply_filter
    from pyfastlm.selection.pages.baselines import DomainScores, RandomPages, lowest_bits_per_byte
    from pyfastlm.selection.pages.dsir import Dsir, read_texts
    from pyfastlm.selection.pages.evaluation import Evaluation
    from pyfastlm.selection.pages.fast_text import FastTextOptions
    from pyfastlm.selection.pages.filter_report import FilterReport
    from pyfastlm.selection.pages.hashed import HashedOptions
    from pyfastlm.selection.pages.page_filter import PageFilter
    from pyfastlm.selection.pages.training import train_filter
    from pyfastlm.selection.projections import l2, linear

__all__ = [
    "AppliedReport",
    "BenchmarkErrors",
    "Blocks",
    "BpbMatrix",
    "DomainScores",
    "Dsir",
    "Evaluation",
    "FastTextOptions",
    "FilterReport",
    "HashedOptions",
    "Intervals",
    "PageFilter",
    "RandomPages",
    "allot",
    "apply_filter",
    "blocks",
    "bootstrap",
    "bounds",
    "combine",
    "l2",
    "linear",
    "lowest_bits_per_byte",
    "product",
    "read_texts",
    "sign",
    "sign_cdf",
    "sign_sign",
    "spearmanr",
    "train_filter",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "aggregation": ("combine",),
        "benchmark_errors": ("BenchmarkErrors",),
        "bootstrapping": ("Intervals", "bootstrap"),
        "budget": ("allot", "bounds"),
        "column_blocks": ("Blocks", "blocks"),
        "estimators": ("product", "sign", "sign_cdf", "sign_sign", "spearmanr"),
        "matrix": ("BpbMatrix",),
        "pages.applied_report": ("AppliedReport",),
        "pages.applying": ("apply_filter",),
        "pages.baselines": (
            "DomainScores",
            "RandomPages",
            "lowest_bits_per_byte",
        ),
        "pages.dsir": (
            "Dsir",
            "read_texts",
        ),
        "pages.evaluation": ("Evaluation",),
        "pages.fast_text": ("FastTextOptions",),
        "pages.filter_report": ("FilterReport",),
        "pages.hashed": ("HashedOptions",),
        "pages.page_filter": ("PageFilter",),
        "pages.training": ("train_filter",),
        "projections": ("l2", "linear"),
    },
)
