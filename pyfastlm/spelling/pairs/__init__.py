"""Lists of misspellings with what was meant, in the forms in which they are published."""
