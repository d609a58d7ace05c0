"""Synthetic queries: a language model writes one for a document, and poor ones are left out."""

from pyfastlm.ir.generation.consistency import consistent, likelihoods, likely
from pyfastlm.ir.generation.generator import QueryGenerator
from pyfastlm.ir.generation.prompts import Prompt
from pyfastlm.ir.generation.results import Generated, Rejected, SyntheticQuery

__all__ = [
    "Generated",
    "Prompt",
    "QueryGenerator",
    "Rejected",
    "SyntheticQuery",
    "consistent",
    "likelihoods",
    "likely",
]
