"""Small language models that learn GINC, and one of its models more than the others."""
