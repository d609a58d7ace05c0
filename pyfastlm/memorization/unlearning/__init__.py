"""Make a model forget sequences that it knows word for word."""
