"""Data selection by perplexity correlations: which domains to pretrain on, without training a model.

Thrush, Potts and Hashimoto (2024), arXiv 2409.05816: over many public models, the bits per byte on a domain
correlate with the errors on a benchmark; domains where they do are good pretraining data. The estimators and
projections here need numpy and the extension, and do not import torch.
"""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.selection.aggregation import combine
    from pyfastlm.selection.analysis import Analysis, analyse
    from pyfastlm.selection.benchmark_errors import BenchmarkErrors
    from pyfastlm.selection.bootstrapping import Intervals, bootstrap
    from pyfastlm.selection.budget import allot, bounds
    from pyfastlm.selection.chunking import Chunk, chunk
    from pyfastlm.selection.column_blocks import Blocks, blocks
    from pyfastlm.selection.corpus import sample
    from pyfastlm.selection.correlating import Correlation, correlate, save_correlations
    from pyfastlm.selection.error_tables import read_errors, write_errors
    from pyfastlm.selection.estimators import product, sign, sign_cdf, sign_sign, spearmanr
    from pyfastlm.selection.folds import family_folds
    from pyfastlm.selection.held_out import HeldOut, Prediction, Way
    from pyfastlm.selection.matrix import BpbMatrix
    from pyfastlm.selection.matrix_job import bpb_matrix
    from pyfastlm.selection.matrix_models import Model, TextScorer
    from pyfastlm.selection.matrix_report import MatrixReport, MissingScore, ModelReport
    from pyfastlm.selection.options import Options
    from pyfastlm.selection.partial import partial_spearmanr
    from pyfastlm.selection.permutations import Significance, benjamini_hochberg, permutation_test
    from pyfastlm.selection.prediction import predict_ranks
    from pyfastlm.selection.projections import l2, linear
    from pyfastlm.selection.reference_tables import read_bpb_csv, write_bpb_csv
    from pyfastlm.selection.reporting import write_report
    from pyfastlm.selection.sample_report import SampleReport, UselessRow
    from pyfastlm.selection.selecting import select
    from pyfastlm.selection.selection_table import Basis, Selection
    from pyfastlm.selection.stability import Agreement, Influence, compare_estimators, leave_one_family_out

__all__ = [
    "Agreement",
    "Analysis",
    "Basis",
    "BenchmarkErrors",
    "Blocks",
    "BpbMatrix",
    "Chunk",
    "Correlation",
    "HeldOut",
    "Influence",
    "Intervals",
    "MatrixReport",
    "MissingScore",
    "Model",
    "ModelReport",
    "Options",
    "Prediction",
    "SampleReport",
    "Selection",
    "Significance",
    "TextScorer",
    "UselessRow",
    "Way",
    "allot",
    "analyse",
    "benjamini_hochberg",
    "blocks",
    "bootstrap",
    "bounds",
    "bpb_matrix",
    "chunk",
    "combine",
    "compare_estimators",
    "correlate",
    "family_folds",
    "l2",
    "leave_one_family_out",
    "linear",
    "partial_spearmanr",
    "permutation_test",
    "predict_ranks",
    "product",
    "read_bpb_csv",
    "read_errors",
    "sample",
    "save_correlations",
    "select",
    "sign",
    "sign_cdf",
    "sign_sign",
    "spearmanr",
    "write_bpb_csv",
    "write_errors",
    "write_report",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "aggregation": ("combine",),
        "analysis": ("Analysis", "analyse"),
        "benchmark_errors": ("BenchmarkErrors",),
        "bootstrapping": ("Intervals", "bootstrap"),
        "budget": ("allot", "bounds"),
        "chunking": ("Chunk", "chunk"),
        "column_blocks": ("Blocks", "blocks"),
        "corpus": ("sample",),
        "correlating": ("Correlation", "correlate", "save_correlations"),
        "error_tables": ("read_errors", "write_errors"),
        "estimators": ("product", "sign", "sign_cdf", "sign_sign", "spearmanr"),
        "folds": ("family_folds",),
        "held_out": ("HeldOut", "Prediction", "Way"),
        "matrix": ("BpbMatrix",),
        "matrix_job": ("bpb_matrix",),
        "matrix_models": ("Model", "TextScorer"),
        "matrix_report": ("MatrixReport", "MissingScore", "ModelReport"),
        "options": ("Options",),
        "partial": ("partial_spearmanr",),
        "permutations": ("Significance", "benjamini_hochberg", "permutation_test"),
        "prediction": ("predict_ranks",),
        "projections": ("l2", "linear"),
        "reference_tables": ("read_bpb_csv", "write_bpb_csv"),
        "reporting": ("write_report",),
        "sample_report": ("SampleReport", "UselessRow"),
        "selecting": ("select",),
        "selection_table": ("Basis", "Selection"),
        "stability": ("Agreement", "Influence", "compare_estimators", "leave_one_family_out"),
    },
)
