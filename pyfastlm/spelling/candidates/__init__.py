"""What a query may have meant: candidates of the index for its words, its neighbours and all of it."""
