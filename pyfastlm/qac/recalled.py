"""An engine whose answers are there already, as far as they are."""

import time
from collections.abc import Callable, Sequence
from functools import cached_property

from pyfastlm.index.normalize import Normalizer
from pyfastlm.qac.query import Engine, Query
from pyfastlm.qac.saved_answers import SavedAnswers

CHUNK = 16  # rows that are answered and saved together


class Recalled:
    """Asks an engine only for the answers that are not saved yet, and saves them.

    Args:
        saved: what is there.
        name: of the engine.
        make: makes it; called if an answer is missing.

    ``seconds`` is what answering took, also before.
    """

    def __init__(self, saved: SavedAnswers, name: str, make: Callable[[], Engine]) -> None:
        self.seconds = saved.seconds.get(name, 0.0)
        self._saved = saved
        self._name = name
        self._make = make
        self._known = saved.answers.get(name, [])
        self._place = 0

    @property
    def normalizer(self) -> Normalizer:
        """See :class:`pyfastlm.qac.query.Engine`."""
        return self._saved.forms.get(self._name) or self._engine.normalizer

    @cached_property
    def _engine(self) -> Engine:
        return self._make()

    def answers(self, queries: Sequence[Query], k: int) -> list[list[str]]:
        """See :class:`pyfastlm.qac.query.Engine`; the next queries, after those of the call before."""
        found = self._known[self._place : self._place + len(queries)]
        at_once = CHUNK if self._saved.directory else len(queries)
        for start in range(len(found), len(queries), at_once):
            some = queries[start : start + at_once]
            engine = self._engine
            started = time.perf_counter()
            answers = engine.answers(some, k)
            seconds = time.perf_counter() - started
            self._saved.answered(self._name, self._place + start, engine.normalizer, answers, seconds)
            self.seconds += seconds
            found += answers
        self._place += len(queries)
        return found
