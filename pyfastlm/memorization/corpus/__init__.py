"""How often a corpus has a sequence, where, and what follows it: a suffix array in one mapped file."""
