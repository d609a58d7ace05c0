"""The obvious torch version of every op: slow, clear, and right in double precision."""
