"""Bayesian scaling laws of in-context learning: six laws, their fits, and curves to fit them to."""
