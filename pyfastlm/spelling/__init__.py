"""Spelling correction that knows the catalogue: misspellings are fixed, new names are left alone."""
