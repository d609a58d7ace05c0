"""Misspellings as people make them, by class of error, drawn by a seed."""
