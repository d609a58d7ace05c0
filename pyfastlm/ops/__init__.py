"""Tensor operations with native (C++), Triton and reference implementations behind one contract."""

from pyfastlm.ops.linear_logp import LinearLogp, linear_logp

__all__ = ["LinearLogp", "linear_logp"]
