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
    from pyfastlm.selection.column_blocks import Blocks, blocks
    from pyfastlm.selection.correlating import Correlation, correlate, save_correlations
    from pyfastlm.selection.estimators import product, sign, sign_cdf, sign_sign, spearmanr
    from pyfastlm.selection.folds import family_folds
    from pyfastlm.selection.held_out import HeldOut, Prediction, Way
    from pyfastlm.selection.matrix import BpbMatrix
    from pyfastlm.selection.options import Options
    from pyfastlm.selection.partial import partial_spearmanr
    from pyfastlm.selection.permutations import Significance, benjamini_hochberg, permutation_test
    from pyfastlm.selection.prediction import predict_ranks
    from pyfastlm.selection.projections import l2, linear
    from pyfastlm.selection.reporting import write_report
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
    "Correlation",
    "HeldOut",
    "Influence",
    "Intervals",
    "Options",
    "Prediction",
    "Selection",
    "Significance",
    "Way",
    "allot",
    "analyse",
    "benjamini_hochberg",
    "blocks",
    "bootstrap",
    "bounds",
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
    "save_correlations",
    "select",
    "sign",
    "sign_cdf",
    "sign_sign",
    "spearmanr",
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
        "column_blocks": ("Blocks", "blocks"),
        "correlating": ("Correlation", "correlate", "save_correlations"),
        "estimators": ("product", "sign", "sign_cdf", "sign_sign", "spearmanr"),
        "folds": ("family_folds",),
        "held_out": ("HeldOut", "Prediction", "Way"),
        "matrix": ("BpbMatrix",),
        "partial": ("partial_spearmanr",),
        "permutations": ("Significance", "benjamini_hochberg", "permutation_test"),
        "prediction": ("predict_ranks",),
        "options": ("Options",),
        "projections": ("l2", "linear"),
        "reporting": ("write_report",),
        "selecting": ("select",),
        "selection_table": ("Basis", "Selection"),
        "stability": ("Agreement", "Influence", "compare_estimators", "leave_one_family_out"),
    },
)
