"""What a completion engine is asked, and what an engine is."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.index import TermIndex
from pyfastlm.index.normalize import Normalizer
from pyfastlm.qac.rows import Row


class Query(NamedTuple):
    """What stands in the search box, and the terms searched before in the session, oldest first."""

    prefix: str
    past: tuple[str, ...] = ()


@runtime_checkable
class Engine(Protocol):
    """Anything that completes queries."""

    normalizer: Normalizer
    """In which form its answers, and what they are compared with, are to be seen."""

    def answers(self, queries: Sequence[Query], k: int) -> list[list[str]]:
        """The best ``k`` terms of each query, best first; fewer where it knows no more."""
        ...


class Function:
    """A function of (prefix, k) that returns terms or pairs (term, score)."""

    normalizer: Normalizer = "none"

    def __init__(self, function: Callable[[str, int], Sequence[Any]]) -> None:
        self._function = function

    def answers(self, queries: Sequence[Query], k: int) -> list[list[str]]:
        """See :class:`Engine`."""
        return [[_term(item) for item in self._function(query.prefix, k)] for query in queries]


def as_engine(engine: Any) -> Engine:
    """An engine as it is; of a :class:`TermIndex` its exact completions; of a function, its answers.

    Raises:
        InputTypeError: it is nothing of the kind.
    """
    from pyfastlm.qac.popularity import Popularity

    if isinstance(engine, TermIndex):
        return Popularity(engine)
    if isinstance(engine, Engine):
        return engine
    if callable(engine):
        return Function(engine)
    raise InputTypeError(
        f"engine: expected a TermIndex, an engine or a function of (prefix, k), got {type(engine).__name__}"
    )


def query_of(row: Row) -> Query:
    """What was asked in a row of one prefix.

    Raises:
        InputError: it has several.
    """
    if len(row.prefixes) != 1:
        raise InputError(
            f"rows: expected one prefix in each, got {len(row.prefixes)} in query_id {row.query_id!r}; "
            "of rows of the train split, pyfastlm.qac.one_prefix draws one"
        )
    return Query(row.prefixes[0], tuple(search.term for search in row.past))


def _term(item: Any) -> str:
    term = item if isinstance(item, str) else item[0]
    if not isinstance(term, str):
        raise InputTypeError(f"engine: expected terms or pairs (term, score), got {item!r}")
    return term
