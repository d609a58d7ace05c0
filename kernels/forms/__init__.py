"""Forms of the kernels for the ahead-of-time gate: data only, one module an op."""
