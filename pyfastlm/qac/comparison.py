"""Engines side by side on the same rows, with the controls that say what a gain is worth."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, astuple, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pyfastlm.errors import InputError
from pyfastlm.index import TermIndex
from pyfastlm.qac.backoff import Backoff
from pyfastlm.qac.evaluation import evaluate, interval
from pyfastlm.qac.popularity import Popularity
from pyfastlm.qac.query import Engine, Query, query_of
from pyfastlm.qac.report import Interval, Report
from pyfastlm.qac.rows import Row

if TYPE_CHECKING:
    from pyfastlm.lm.loading import LM, LMLike

COLUMNS = ("engine", "S@{k}", "95 %", "RR@{k}", "gain", "95 %")  # fits into 80 characters
BASE = "popularity"
SHUFFLED = ", other contexts"
DEEP = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """One engine: its report, its success less that of popularity with a 95 % interval, and its time."""

    name: str
    report: Report
    gain: float
    gain_interval: Interval
    milliseconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Engines on the same rows; ``weights`` are those of rerankers that were fitted, ``loss`` that of
    fine-tuning."""

    rows: tuple[Compared, ...]
    weights: dict[str, tuple[float, ...]]
    loss: tuple[float, ...]

    def columns(self) -> list[str]:
        """Heads of :meth:`cells`."""
        return [column.format(k=self.rows[0].report.k) for column in COLUMNS]

    def as_dict(self) -> dict[str, Any]:
        """Everything but the ranks, for JSON."""
        return {
            "engines": [
                {
                    "engine": row.name,
                    "gain": row.gain,
                    "gain_interval": row.gain_interval,
                    "milliseconds": row.milliseconds,
                    **{name: value for name, value in asdict(row.report).items() if name != "ranks"},
                }
                for row in self.rows
            ],
            "weights": self.weights,
            "loss": self.loss,
        }

    def cells(self) -> list[list[str]]:
        """A row of a table for each engine."""
        return [
            [
                row.name,
                f"{row.report.success_at_k:.3f}",
                "{:.2f} {:.2f}".format(*row.report.success_interval),
                f"{row.report.rr_at_k:.3f}",
                "" if row.name == BASE else f"{row.gain:+.3f}",
                "" if row.name == BASE else "{:+.2f} {:+.2f}".format(*row.gain_interval),
            ]
            for row in self.rows
        ]


class _Parts:
    """What engines are made of, made when the first one needs it."""

    def __init__(
        self, index: TermIndex, lm: "LMLike", encoder: str, earlier: Sequence[Row], seed: int, progress: bool
    ) -> None:
        self.index = index
        self.encoder = encoder
        ordered = sorted(earlier, key=lambda row: row.time)
        self.learned = ordered[: len(ordered) * 4 // 5]
        self.weighed = ordered[len(self.learned) :]
        self.seed = seed
        self.progress = progress
        self.weights: dict[str, tuple[float, ...]] = {}
        self.loss: tuple[float, ...] = ()
        self._lm = lm

    @cached_property
    def lm(self) -> "LM":
        from pyfastlm.lm.loading import as_lm

        return as_lm(self._lm)

    @cached_property
    def base(self) -> Popularity:
        return Popularity(self.index)

    @cached_property
    def tuned(self) -> "LM":
        from pyfastlm.qac.finetuning import finetune

        if not self.learned:
            raise InputError("earlier: expected rows to fine-tune on, got too few")
        done = finetune(self.lm, self.learned, seed=self.seed, progress=self.progress)
        self.loss = done.loss
        return done.lm

    def reranker(self, *, tuned: bool) -> Engine:
        from pyfastlm.qac.reranker import SessionReranker

        made = SessionReranker(self.tuned if tuned else self.lm, self.base, typed=tuned)
        if self.weighed:
            weights = made.fit([query_of(row) for row in self.weighed], [row.term for row in self.weighed])
            self.weights["tuned rerank" if tuned else "rerank"] = astuple(weights)
        return made

    def generator(self, *, tuned: bool, inside: bool) -> Engine:
        from pyfastlm.qac.generator import Generator

        return Generator(self.tuned if tuned else self.lm, index=self.index if inside else None, typed=tuned)

    def semantic(self) -> Engine:
        from pyfastlm.qac.semantic import Semantic

        return Semantic(self.index, self.encoder, progress=self.progress)


class Unordered:
    """The control without an order: drawn evenly from the ``DEEP`` best terms that begin with the prefix."""

    def __init__(self, index: TermIndex, seed: int) -> None:
        self.index = index
        self.normalizer = index.normalizer
        self._seed = seed

    def answers(self, queries: Sequence[Query], k: int) -> list[list[str]]:
        """See :class:`pyfastlm.qac.query.Engine`."""
        return [
            random.Random(f"{self._seed} {query.prefix}").sample(terms, min(k, len(terms)))
            for query in queries
            for terms in [[term for term, _ in self.index.complete(query.prefix, DEEP)]]
        ]


ENGINES: dict[str, Callable[[_Parts], Engine]] = {
    "no order": lambda parts: Unordered(parts.index, parts.seed),
    BASE: lambda parts: parts.base,
    "typos": lambda parts: Popularity(parts.index, edits=-1),
    "conjunctive": lambda parts: Popularity(parts.index, edits=-1, mode="conjunctive"),
    "context": lambda parts: Popularity(parts.index, context=True),
    "semantic": lambda parts: parts.semantic(),
    "rerank": lambda parts: parts.reranker(tuned=False),
    "generate": lambda parts: parts.generator(tuned=False, inside=False),
    "generate inside": lambda parts: parts.generator(tuned=False, inside=True),
    "popularity then generate": lambda parts: Backoff(parts.base, parts.generator(tuned=False, inside=False)),
    "tuned": lambda parts: parts.generator(tuned=True, inside=False),
    "tuned inside": lambda parts: parts.generator(tuned=True, inside=True),
    "tuned rerank": lambda parts: parts.reranker(tuned=True),
    "popularity then tuned": lambda parts: Backoff(parts.base, parts.generator(tuned=True, inside=False)),
}
QUICK = ("no order", BASE, "typos", "conjunctive", "context")  # those that need no model
READS_CONTEXT = frozenset(ENGINES) - {"no order", BASE, "typos", "conjunctive"}


def compare(
    index: TermIndex,
    rows: Sequence[Row],
    engines: Sequence[str] = QUICK,
    *,
    k: int = 10,
    lm: "LMLike" = "smollm2",
    encoder: str = "minilm",
    earlier: Sequence[Row] = (),
    controls: bool = True,
    seed: int = 0,
    progress: bool = False,
) -> Comparison:
    """Evaluate each of ``engines`` on ``rows``; what reads the context, also on contexts of other rows.

    A gain from context must vanish where contexts are exchanged between rows.

    Args:
        index: terms with their counts, from before ``rows``.
        rows: with one prefix each.
        engines: some of ``ENGINES``; popularity is always there.
        k: how many answers count.
        lm, encoder: the models of the engines that have one.
        earlier: rows with one prefix each from before ``rows``, and not counted in ``index``: the first four
            fifths of them to fine-tune on, the rest for the weights of rerankers.
        controls: exchange contexts, too.
        seed: of intervals, controls and fine-tuning.
        progress: show bars on standard error.

    Raises:
        InputError: there is no such engine, or no row.
    """
    if unknown := [name for name in engines if name not in ENGINES]:
        raise InputError(f"engines: expected some of {', '.join(ENGINES)}, got {unknown[0]!r}")
    parts = _Parts(index, lm, encoder, earlier, seed, progress)
    exchanged = _exchanged(rows, seed)
    names = [BASE, *dict.fromkeys(name for name in engines if name != BASE)]
    found: list[tuple[str, Report, float]] = []
    for name in sorted(names, key=list(ENGINES).index):
        engine = ENGINES[name](parts)
        given = [(name, rows)]
        if controls and name in READS_CONTEXT and exchanged is not None:
            given.append((name + SHUFFLED, exchanged))
        for shown, asked in given:
            started = time.perf_counter()
            report = evaluate(engine, asked, k, terms=index, seed=seed, progress=progress)
            found.append((shown, report, 1000 * (time.perf_counter() - started) / report.n))
    base = next(report for name, report, _ in found if name == BASE)
    sessions = [row.session_id for row in rows]

    def against(report: Report) -> tuple[float, Interval]:
        gain = (report.ranks > 0).astype(float) - (base.ranks > 0)
        return float(gain.mean()), interval(gain, sessions, seed)

    compared = tuple(Compared(name, report, *against(report), each) for name, report, each in found)
    return Comparison(compared, parts.weights, parts.loss)


def _exchanged(rows: Sequence[Row], seed: int) -> list[Row] | None:
    """The rows, each context at another row; None where there are no two contexts."""
    having = [place for place, row in enumerate(rows) if row.past]
    if len(having) < 2:
        return None
    order = having[:]
    random.Random(f"{seed} contexts").shuffle(order)
    result = list(rows)
    # A cycle: no context stays where it was.
    for place, other in zip(order, [*order[1:], order[0]], strict=True):
        result[place] = rows[place]._replace(past=rows[other].past)
    return result
