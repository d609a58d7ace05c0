"""The control without a language model: the best candidate by what the channel and the prior say."""

from collections.abc import Sequence

from pyfastlm.spelling.correction import Candidate, Correction
from pyfastlm.spelling.deciding.decider import Counts, asked, kept, weighed


class Channel:
    """Corrects where the best other candidate scores above the query by more than ``threshold``."""

    def __init__(self, *, threshold: float = 0.0) -> None:
        self.threshold = threshold
        self.counts = Counts()

    def decide(
        self,
        queries: Sequence[str],
        candidates: Sequence[Sequence[Candidate]],
        contexts: Sequence[Sequence[str]] | None = None,
    ) -> list[Correction]:
        """See :class:`pyfastlm.spelling.deciding.Decider`; ``contexts`` change nothing."""
        found = [
            weighed(row.query, row.candidates, self.threshold) if row.candidates else kept(row)
            for row in asked(queries, candidates, contexts)
        ]
        self.counts += Counts(asked=len(found), changed=sum(each.changed for each in found))
        return found
