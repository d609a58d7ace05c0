"""Pages of a corpus by domain: sampled, cut into chunks, written."""
