"""Triton kernels, one file an op; installed as ``pyfastlm.kernels``."""
