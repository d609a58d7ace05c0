"""How much of a text a model reproduces word for word."""
