"""Evaluate completion on rows of searches, as the AmazonQAC paper does: Success@k and reciprocal rank."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.index import TermIndex, normalize
from pyfastlm.lm.progress import watched
from pyfastlm.qac.ceilings import ceilings
from pyfastlm.qac.query import Engine, Query, as_engine, query_of
from pyfastlm.qac.report import Interval, Report, Slice
from pyfastlm.qac.rows import Row

BATCH = 256  # queries that an engine answers together
DRAWS = 1000
LENGTHS = ((1, 1), (2, 2), (3, 3), (4, 4), (5, 6), (7, 8), (9, 12), (13, None))
TENTHS = 10


def evaluate(
    engine: Any,
    rows: Iterable[Row],
    k: int = 10,
    *,
    terms: TermIndex | None = None,
    seed: int = 0,
    progress: bool = False,
) -> Report:
    """Ask ``engine`` for every row, and see where the term that was searched in the end stands.

    Prefix, answers and terms are compared in the engine's normal form; a space at the end of a prefix counts.
    Equal answers count once.

    Args:
        engine: a :class:`TermIndex`, an engine of :mod:`pyfastlm.qac`, or a function of (prefix, k) that
            returns terms.
        rows: with one prefix each, as :func:`read_amazonqac` gives them of the test split.
        k: how many answers count.
        terms: the dictionary for coverage, ceilings and popularity; by default that of the engine, if any.
        seed: of the intervals.
        progress: show a bar on standard error.

    Raises:
        InputError: no row, or one with several prefixes.
        InputTypeError: ``engine`` is none.
    """
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise InputError(f"k: expected a whole number >= 1, got {k!r}")
    asked = as_engine(engine)
    own = engine if isinstance(engine, TermIndex) else getattr(asked, "index", None)
    dictionary = own if terms is None else terms
    prefix_form, term_form = _forms(asked)
    queries: list[Query] = []
    targets: list[str] = []
    sessions: list[str] = []
    for row in rows:
        queries.append(query_of(row))
        targets.append(term_form(row.term))
        sessions.append(row.session_id)
    if not queries:
        raise InputError("rows: expected at least one, got none")
    found = watched(_ranks(asked, queries, targets, term_form, k), len(queries), "rows", progress)
    ranks = np.fromiter(found, np.int32, len(queries))
    prefixes = [prefix_form(query.prefix) for query in queries]
    scores = np.array([_score(dictionary, term) for term in targets])
    inside = ~np.isnan(scores)
    parts = _Parts(ranks, inside)
    lengths = np.array([len(query.prefix) for query in queries])
    context = np.array([bool(query.past) for query in queries])
    reciprocal = _reciprocal(ranks)
    return Report(
        k=k,
        n=len(ranks),
        sessions=len(set(sessions)),
        success_at_1=float((ranks == 1).mean()),
        success_at_k=float((ranks > 0).mean()),
        rr_at_k=float(reciprocal.mean()),
        success_interval=interval(ranks > 0, sessions, seed),
        rr_interval=interval(reciprocal, sessions, seed),
        coverage=float("nan") if dictionary is None else float(inside.mean()),
        ceilings=ceilings(prefixes, targets, dictionary, k),
        by_prefix_length=tuple(parts.of(name, chosen) for name, chosen in _by_length(lengths)),
        by_popularity=tuple(parts.of(name, chosen) for name, chosen in _by_score(scores)),
        by_context=(parts.of("with context", context), parts.of("without context", ~context)),
        ranks=ranks,
    )


def interval(values: NDArray[Any], sessions: Sequence[str], seed: int) -> Interval:
    """A 95 % interval of the mean of ``values``, from ``DRAWS`` samples of whole sessions."""
    _, of = np.unique(np.asarray(sessions), return_inverse=True)
    sums = np.bincount(of, weights=values)
    sizes = np.bincount(of)
    rng = np.random.default_rng(seed)
    means = np.empty(DRAWS)
    for draw in range(DRAWS):
        chosen = rng.integers(len(sums), size=len(sums))
        means[draw] = sums[chosen].sum() / sizes[chosen].sum()
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def _forms(engine: Engine) -> tuple[Callable[[str], str], Callable[[str], str]]:
    number = normalize.number_of(engine.normalizer)
    return normalize.of_prefix(number) or str, normalize.of_term(number) or str


def _ranks(
    engine: Engine, queries: Sequence[Query], targets: Sequence[str], form: Callable[[str], str], k: int
) -> Iterator[int]:
    pairs = iter(zip(queries, targets, strict=True))
    while batch := list(islice(pairs, BATCH)):
        answers = engine.answers([query for query, _ in batch], k)
        for (_, target), found in zip(batch, answers, strict=True):
            unique = list(dict.fromkeys(map(form, found)))[:k]
            yield unique.index(target) + 1 if target in unique else 0


def _score(dictionary: TermIndex | None, term: str) -> float:
    score = None if dictionary is None else dictionary.score(term)
    return float("nan") if score is None else score


def _reciprocal(ranks: NDArray[np.int32]) -> NDArray[np.float64]:
    return np.where(ranks > 0, 1 / np.maximum(ranks, 1), 0.0)


class _Parts:
    def __init__(self, ranks: NDArray[np.int32], inside: NDArray[np.bool_]) -> None:
        self._columns = ((ranks == 1), (ranks > 0), _reciprocal(ranks), inside)

    def of(self, name: str, chosen: NDArray[np.bool_]) -> Slice:
        n = int(chosen.sum())
        means = [float(column[chosen].mean()) if n else float("nan") for column in self._columns]
        return Slice(name, n, *means)


def _by_length(lengths: NDArray[np.int64]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    for low, high in LENGTHS:
        name = f"{low}+" if high is None else f"{low}" if low == high else f"{low} to {high}"
        yield f"prefix {name}", (lengths >= low) & (lengths <= (np.inf if high is None else high))


def _by_score(scores: NDArray[np.float64]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Tenths of the rows that have a score, highest first, equal scores together; then those without."""
    known = ~np.isnan(scores)
    order = np.sort(-scores[known])
    if len(order):
        # Of equal scores the first place, so that they fall into one tenth.
        tenth = np.searchsorted(order, -scores) * TENTHS // len(order)
        for number in range(TENTHS):
            yield f"popularity {number + 1}/{TENTHS}", known & (tenth == number)
    yield "not in dictionary", ~known
