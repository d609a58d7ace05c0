"""Calls into the C++ extension: tensors become addresses here and nowhere else."""
