"""Engines one after the other: each fills what those before it left free."""

from collections.abc import Sequence

from pyfastlm.errors import InputError
from pyfastlm.qac.query import Engine, Query


class Backoff:
    """An engine that asks others in turn, and those behind only where answers are missing.

    Where a dictionary has fewer than ``k`` terms for what was typed, a language model may know more: those
    queries are few, and the dictionary's terms stay in front.

    Args:
        engines: at least one; answers are compared in the form of the first.
    """

    def __init__(self, *engines: Engine) -> None:
        if not engines:
            raise InputError("engines: expected at least one, got none")
        self.engines = engines
        self.index = getattr(engines[0], "index", None)
        self.normalizer = engines[0].normalizer

    def answers(self, queries: Sequence[Query], k: int) -> list[list[str]]:
        """See :class:`pyfastlm.qac.query.Engine`."""
        found: list[dict[str, None]] = [{} for _ in queries]
        for engine in self.engines:
            short = [place for place, have in enumerate(found) if len(have) < k]
            if not short:
                break
            for place, terms in zip(short, engine.answers([queries[n] for n in short], k), strict=True):
                found[place] |= dict.fromkeys(terms)
        return [list(have)[:k] for have in found]
