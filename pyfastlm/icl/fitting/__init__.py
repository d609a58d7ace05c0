"""From curves to the numbers of a law."""
