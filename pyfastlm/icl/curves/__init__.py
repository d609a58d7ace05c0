"""Curves of real models: what examples in the context change."""
