"""A world whose best learner is known: documents by hidden Markov models."""
