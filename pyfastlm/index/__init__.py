"""A dictionary of terms with scores: completed, corrected and changed, from one mapped file."""

from pyfastlm.index.completions import Completions
from pyfastlm.index.edit_costs import EditCosts
from pyfastlm.index.term_index import Match, Similar, TermIndex
from pyfastlm.index.weights import Weights

__all__ = ["Completions", "EditCosts", "Match", "Similar", "TermIndex", "Weights"]
