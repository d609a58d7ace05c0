"""Other ways into a memorised sequence: whether it comes back from them."""
