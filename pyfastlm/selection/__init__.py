"""Data selection by perplexity correlations: which domains to pretrain on, without training a model.

Thrush, Potts and Hashimoto (2024), arXiv 2409.05816: over many public models, the bits per byte on a domain
correlate with the errors on a benchmark; domains where they do are good pretraining data. The estimators and
projections here need numpy and the extension, and do not import torch.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyfastlm.selection.aggregation import combine
    from pyfastlm.selection.bootstrapping import Intervals, bootstrap
    from pyfastlm.selection.budget import allot, bounds
    from pyfastlm.selection.column_blocks import Blocks, blocks
    from pyfastlm.selection.estimators import product, sign, sign_cdf, sign_sign, spearmanr
    from pyfastlm.selection.projections import l2, linear

__all__ = [
    "Blocks",
    "Intervals",
    "allot",
    "blocks",
    "bootstrap",
    "bounds",
    "combine",
    "l2",
    "linear",
    "product",
    "sign",
    "sign_cdf",
    "sign_sign",
    "spearmanr",
]

_HOME = {
    "Blocks": "column_blocks",
    "Intervals": "bootstrapping",
    "allot": "budget",
    "blocks": "column_blocks",
    "bootstrap": "bootstrapping",
    "bounds": "budget",
    "combine": "aggregation",
    "l2": "projections",
    "linear": "projections",
    "product": "estimators",
    "sign": "estimators",
    "sign_cdf": "estimators",
    "sign_sign": "estimators",
    "spearmanr": "estimators",
}


def __getattr__(name: str) -> object:
    # Late, so that importing the room loads nothing.
    if name in _HOME:
        return getattr(importlib.import_module(f"pyfastlm.selection.{_HOME[name]}"), name)
    raise AttributeError(f"module 'pyfastlm.selection' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
