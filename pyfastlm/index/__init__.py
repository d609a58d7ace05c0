"""A dictionary of terms with scores: completed, corrected and changed, from one mapped file."""

from pyfastlm.index.completions import Completions
from pyfastlm.index.term_index import Match, TermIndex

__all__ = ["Completions", "Match", "TermIndex"]
