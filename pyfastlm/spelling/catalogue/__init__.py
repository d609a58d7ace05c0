"""Names of products: read, split into known and new ones, and asked for as people ask."""
