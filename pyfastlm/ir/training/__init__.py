"""Cross-encoders: losses over lists of documents, training, and the trained reranker."""

from pyfastlm.ir.training.losses import LOSSES
from pyfastlm.ir.training.options import RerankerOptions
from pyfastlm.ir.training.reranker import Reranker
from pyfastlm.ir.training.training import Trained, train_reranker

__all__ = ["LOSSES", "Reranker", "RerankerOptions", "Trained", "train_reranker"]
