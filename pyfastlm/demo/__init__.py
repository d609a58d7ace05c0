"""What a newcomer runs first: real texts scored with a real model, a table, and a page to look at.

A section of the page is one module here that computes a small dataclass, and one that draws it.
"""

from pyfastlm.demo.run import Demo, run

__all__ = ["Demo", "run"]
