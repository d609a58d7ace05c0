"""The matrix of bits per byte as a job: many models, one corpus, resumable."""
