"""What a corrector is: anything that these two methods can be asked of."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from pyfastlm.spelling.correction import Candidate, Correction


@runtime_checkable
class Corrector(Protocol):
    """Anything that corrects queries."""

    def correct(self, query: str) -> Correction:
        """What the query is taken to mean, and what was weighed."""
        ...

    def suggest(self, query: str, k: int = 10) -> list[Candidate]:
        """The best ``k`` texts that the query may mean, best first; fewer where no more is known."""
        ...


@runtime_checkable
class BatchCorrector(Corrector, Protocol):
    """A corrector that answers many queries faster together than one after the other."""

    def correct_all(self, queries: Sequence[str]) -> list[Correction]:
        """What :meth:`correct` gives for each query, in their order."""
        ...
