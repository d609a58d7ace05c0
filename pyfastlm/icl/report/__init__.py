"""The report on curves: laws side by side, in words, tables and pictures."""
