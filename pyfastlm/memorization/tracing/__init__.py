"""Which prompt tokens and layers a continuation depends on."""
