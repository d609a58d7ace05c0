"""Byte n-gram models with the interface of a :class:`pyfastlm.lm.Scorer`; they need numpy alone."""

from pyfastlm.lm.ngram.model import NgramModel

__all__ = ["NgramModel"]
