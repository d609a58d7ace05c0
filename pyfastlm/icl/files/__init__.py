"""Curves in files, and in pictures."""
