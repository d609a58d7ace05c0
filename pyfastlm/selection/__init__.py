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
    from pyfastlm.selection.chunking import Chunk, chunk
    from pyfastlm.selection.column_blocks import Blocks, blocks
    from pyfastlm.selection.corpus import sample
    from pyfastlm.selection.error_tables import read_errors, write_errors
    from pyfastlm.selection.estimators import product, sign, sign_cdf, sign_sign, spearmanr
    from pyfastlm.selection.matrix import BpbMatrix
    from pyfastlm.selection.matrix_job import bpb_matrix
    from pyfastlm.selection.matrix_models import Model, TextScorer
    from pyfastlm.selection.matrix_report import MatrixReport, MissingScore, ModelReport
    from pyfastlm.selection.projections import l2, linear
    from pyfastlm.selection.reference_tables import read_bpb_csv, write_bpb_csv
    from pyfastlm.selection.sample_report import SampleReport, UselessRow

__all__ = [
    "BenchmarkErrors",
    "Blocks",
    "BpbMatrix",
    "Chunk",
    "Intervals",
    "MatrixReport",
    "MissingScore",
    "Model",
    "ModelReport",
    "SampleReport",
    "TextScorer",
    "UselessRow",
    "allot",
    "blocks",
    "bootstrap",
    "bounds",
    "bpb_matrix",
    "chunk",
    "combine",
    "l2",
    "linear",
    "product",
    "read_bpb_csv",
    "read_errors",
    "sample",
    "sign",
    "sign_cdf",
    "sign_sign",
    "spearmanr",
    "write_bpb_csv",
    "write_errors",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "aggregation": ("combine",),
        "benchmark_errors": ("BenchmarkErrors",),
        "bootstrapping": ("Intervals", "bootstrap"),
        "budget": ("allot", "bounds"),
        "chunking": ("Chunk", "chunk"),
        "column_blocks": ("Blocks", "blocks"),
        "corpus": ("sample",),
        "error_tables": ("read_errors", "write_errors"),
        "estimators": ("product", "sign", "sign_cdf", "sign_sign", "spearmanr"),
        "matrix": ("BpbMatrix",),
        "matrix_job": ("bpb_matrix",),
        "matrix_models": ("Model", "TextScorer"),
        "matrix_report": ("MatrixReport", "MissingScore", "ModelReport"),
        "projections": ("l2", "linear"),
        "reference_tables": ("read_bpb_csv", "write_bpb_csv"),
        "sample_report": ("SampleReport", "UselessRow"),
    },
)
