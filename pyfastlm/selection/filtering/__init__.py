"""Pages: a filter learned from a selection of domains, and the pages of a corpus taken by their scores."""
