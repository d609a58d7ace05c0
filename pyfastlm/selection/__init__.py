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
    from pyfastlm.selection.bpb.job import bpb_matrix
    from pyfastlm.selection.bpb.models import Model, TextScorer
    from pyfastlm.selection.bpb.report import MatrixReport, MissingScore, ModelReport
    from pyfastlm.selection.budget import allot, bounds
    from pyfastlm.selection.column_blocks import Blocks, blocks
    from pyfastlm.selection.estimators import product, sign, sign_cdf, sign_sign, spearmanr
    from pyfastlm.selection.filtering.applied_report import AppliedReport
    from pyfastlm.selection.filtering.applying import apply_filter
    from pyfastlm.selection.filtering.baselines import DomainScores, RandomPages, lowest_bits_per_byte
    from pyfastlm.selection.filtering.dsir import Dsir, read_texts
    from pyfastlm.selection.filtering.evaluation import Evaluation
    from pyfastlm.selection.filtering.fast_text import FastTextOptions
    from pyfastlm.selection.filtering.filter_report import FilterReport
    from pyfastlm.selection.filtering.hashed import HashedOptions
    from pyfastlm.selection.filtering.page_filter import PageFilter
    from pyfastlm.selection.filtering.training import train_filter
    from pyfastlm.selection.matrix import BpbMatrix
    from pyfastlm.selection.projections import l2, linear
    from pyfastlm.selection.report.writing import write_report
    from pyfastlm.selection.sampling.chunking import Chunk, chunk
    from pyfastlm.selection.sampling.corpus import sample
    from pyfastlm.selection.sampling.sample_report import SampleReport, UselessRow
    from pyfastlm.selection.study.analysis import Analysis, analyse
    from pyfastlm.selection.study.correlating import Correlation, correlate, save_correlations
    from pyfastlm.selection.study.folds import family_folds
    from pyfastlm.selection.study.held_out import HeldOut, Prediction, Way
    from pyfastlm.selection.study.options import Options
    from pyfastlm.selection.study.partial import partial_spearmanr
    from pyfastlm.selection.study.permutations import Significance, benjamini_hochberg, permutation_test
    from pyfastlm.selection.study.prediction import predict_ranks
    from pyfastlm.selection.study.selecting import select
    from pyfastlm.selection.study.selection_table import Basis, Selection
    from pyfastlm.selection.study.stability import (
        Agreement,
        Influence,
        compare_estimators,
        leave_one_family_out,
    )
    from pyfastlm.selection.tables.error_tables import read_errors, write_errors
    from pyfastlm.selection.tables.reference_tables import read_bpb_csv, write_bpb_csv

__all__ = [
    "Agreement",
    "Analysis",
    "AppliedReport",
    "Basis",
    "BenchmarkErrors",
    "Blocks",
    "BpbMatrix",
    "Chunk",
    "Correlation",
    "DomainScores",
    "Dsir",
    "Evaluation",
    "FastTextOptions",
    "FilterReport",
    "HashedOptions",
    "HeldOut",
    "Influence",
    "Intervals",
    "MatrixReport",
    "MissingScore",
    "Model",
    "ModelReport",
    "Options",
    "PageFilter",
    "Prediction",
    "RandomPages",
    "SampleReport",
    "Selection",
    "Significance",
    "TextScorer",
    "UselessRow",
    "Way",
    "allot",
    "analyse",
    "apply_filter",
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
    "lowest_bits_per_byte",
    "partial_spearmanr",
    "permutation_test",
    "predict_ranks",
    "product",
    "read_bpb_csv",
    "read_errors",
    "read_texts",
    "sample",
    "save_correlations",
    "select",
    "sign",
    "sign_cdf",
    "sign_sign",
    "spearmanr",
    "train_filter",
    "write_bpb_csv",
    "write_errors",
    "write_report",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "aggregation": ("combine",),
        "benchmark_errors": ("BenchmarkErrors",),
        "bootstrapping": ("Intervals", "bootstrap"),
        "bpb.job": ("bpb_matrix",),
        "bpb.models": ("Model", "TextScorer"),
        "bpb.report": ("MatrixReport", "MissingScore", "ModelReport"),
        "budget": ("allot", "bounds"),
        "column_blocks": ("Blocks", "blocks"),
        "estimators": ("product", "sign", "sign_cdf", "sign_sign", "spearmanr"),
        "filtering.applied_report": ("AppliedReport",),
        "filtering.applying": ("apply_filter",),
        "filtering.baselines": ("DomainScores", "RandomPages", "lowest_bits_per_byte"),
        "filtering.dsir": ("Dsir", "read_texts"),
        "filtering.evaluation": ("Evaluation",),
        "filtering.fast_text": ("FastTextOptions",),
        "filtering.filter_report": ("FilterReport",),
        "filtering.hashed": ("HashedOptions",),
        "filtering.page_filter": ("PageFilter",),
        "filtering.training": ("train_filter",),
        "matrix": ("BpbMatrix",),
        "projections": ("l2", "linear"),
        "report.writing": ("write_report",),
        "sampling.chunking": ("Chunk", "chunk"),
        "sampling.corpus": ("sample",),
        "sampling.sample_report": ("SampleReport", "UselessRow"),
        "study.analysis": ("Analysis", "analyse"),
        "study.correlating": ("Correlation", "correlate", "save_correlations"),
        "study.folds": ("family_folds",),
        "study.held_out": ("HeldOut", "Prediction", "Way"),
        "study.options": ("Options",),
        "study.partial": ("partial_spearmanr",),
        "study.permutations": ("Significance", "benjamini_hochberg", "permutation_test"),
        "study.prediction": ("predict_ranks",),
        "study.selecting": ("select",),
        "study.selection_table": ("Basis", "Selection"),
        "study.stability": ("Agreement", "Influence", "compare_estimators", "leave_one_family_out"),
        "tables.error_tables": ("read_errors", "write_errors"),
        "tables.reference_tables": ("read_bpb_csv", "write_bpb_csv"),
    },
)
