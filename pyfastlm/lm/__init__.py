"""Everything about a causal language model that several systems need."""
