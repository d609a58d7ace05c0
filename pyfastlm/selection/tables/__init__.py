"""Tables of bits per byte and of errors in files of other programs."""
