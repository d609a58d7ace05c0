"""The corrector that leaves every query as it is: a row of every table."""

import math

from pyfastlm.spelling.correction import Candidate, Correction


class DoNothing:
    """Corrects nothing. Many correctors are worse than this where most queries are right as they are."""

    def correct(self, query: str) -> Correction:
        """The query, unchanged."""
        return Correction(query, False, -math.inf, tuple(self.suggest(query)))

    def suggest(self, query: str, k: int = 10) -> list[Candidate]:
        """The query alone."""
        return [Candidate(query, 0.0, 0.0)]
