"""Sequences planted into the training of a language model, at known places and known frequencies."""
