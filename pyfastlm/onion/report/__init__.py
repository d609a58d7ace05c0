"""What a grid has found: tables, pictures, and a page of both."""
