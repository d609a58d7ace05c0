"""Engines side by side on the same rows, with the controls that say what a gain is worth."""

import os
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, astuple, dataclass
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, Any

from pyfastlm._require import expect
from pyfastlm.errors import InputError
from pyfastlm.index import TermIndex
from pyfastlm.qac.backoff import Backoff
from pyfastlm.qac.evaluation import evaluate, interval
from pyfastlm.qac.popularity import Popularity
from pyfastlm.qac.query import Engine, Query, query_of
from pyfastlm.qac.recalled import Recalled
from pyfastlm.qac.report import Interval, Report
from pyfastlm.qac.rows import Row
from pyfastlm.qac.saved_answers import SavedAnswers, description, digest, opened

if TYPE_CHECKING:
    from pyfastlm.lm.loading import LM, LMLike

COLUMNS = ("engine", "S@{k}", "95 %", "RR@{k}", "gain", "95 %")  # fits into 80 characters
BASE = "popularity"
SHUFFLED = ", other contexts"
DEEP = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """One engine: its report, its success less that of popularity with a 95 % interval, and how long a row
    took to answer."""

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
        self,
        index: TermIndex,
        lm: "LMLike",
        encoder: str,
        earlier: Sequence[Row],
        seed: int,
        progress: bool,
        saved: SavedAnswers,
    ) -> None:
        self.index = index
        self.encoder = encoder
        ordered = sorted(earlier, key=lambda row: row.time)
        self.learned = ordered[: len(ordered) * 4 // 5]
        self.weighed = ordered[len(self.learned) :]
        self.seed = seed
        self.progress = progress
        self.saved = saved
        self._lm = lm
        self._earlier = earlier

    def asked(self, name: str) -> dict[str, str]:
        """What the answers of engine ``name`` depend on, besides what all depend on."""
        found = {}
        if name == "semantic":
            found["encoder"] = str(self.encoder)
        elif name not in QUICK:
            found["lm"] = _name(self._lm)
        if name in READS_EARLIER:
            found["earlier"] = digest(self._earlier)
        return found

    @cached_property
    def lm(self) -> "LM":
        from pyfastlm.lm.loading import as_lm

        found = as_lm(self._lm)
        if self.saved.directory:
            self.saved.note({"fingerprint": found.fingerprint})
        return found

    @cached_property
    def base(self) -> Popularity:
        return Popularity(self.index)

    @cached_property
    def tuned(self) -> "LM":
        from pyfastlm.lm import tuned_model
        from pyfastlm.qac.finetuning import finetune

        directory = self.saved.directory
        if directory and (found := tuned_model.load(self.lm, directory, self.saved.tuned)):
            return found
        if not self.learned:
            raise InputError("earlier: expected rows to fine-tune on, got too few")
        done = finetune(self.lm, self.learned, seed=self.seed, progress=self.progress)
        if directory:
            tuned_model.save(done.lm, directory)
        self.saved.fine_tuned(done.loss, done.lm.fingerprint if directory else "")
        return done.lm

    def reranker(self, *, tuned: bool) -> Engine:
        from pyfastlm.qac.reranker import SessionReranker, Weights

        name = "tuned rerank" if tuned else "rerank"
        made = SessionReranker(self.tuned if tuned else self.lm, self.base, typed=tuned)
        if name in self.saved.weights:
            made.weights = Weights(*self.saved.weights[name])
        elif self.weighed:
            weights = made.fit([query_of(row) for row in self.weighed], [row.term for row in self.weighed])
            self.saved.fitted(name, astuple(weights))
        return made

    def generator(self, *, tuned: bool, inside: bool) -> Engine:
        from pyfastlm.qac.generator import Generator

        return Generator(self.tuned if tuned else self.lm, index=self.index if inside else None, typed=tuned)

    def make(self, name: str) -> Engine:
        """The engine called ``name``; what it depends on is noted beside its answers."""
        if self.saved.directory:
            self.saved.note(self.asked(name))
        return ENGINES[name](self)

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
TUNED = frozenset(name for name in ENGINES if "tuned" in name)
READS_EARLIER = TUNED | {"rerank"}


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
    saved: "str | os.PathLike[str] | None" = None,
) -> Comparison:
    """Evaluate each of ``engines`` on ``rows``; what reads the context, also on contexts of other rows.

    A gain from context must vanish where contexts are exchanged between rows.

    With ``saved``, answers are kept there as they come, sixteen rows at a time, with the weights that were
    fitted, and the fine-tuned model with its loss. After ``kill -9`` the same call asks only for what is
    missing, and ends as if it had not been disturbed; so does one with other ``engines`` or ``controls``. An
    engine that has anything left to answer is made again: models are loaded, and terms embedded. Language
    models may then round differently, and the graph of ``"semantic"`` may be another.

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
        saved: a directory for the answers, one for each comparison.

    Raises:
        InputError: there is no such engine, or no row; or ``saved`` was made with other terms, rows, models,
            settings or version (the message says which), is damaged, or another process works there.
        MissingExtra: a package that one of ``engines`` needs is not installed.
        OSError: an answer could not be saved, e.g. the disk is full.
    """
    if unknown := [name for name in engines if name not in ENGINES]:
        raise InputError(f"engines: expected some of {', '.join(ENGINES)}, got {unknown[0]!r}")
    chosen = {BASE, *engines}
    if "semantic" in chosen:
        expect(["sentence_transformers", "usearch"], "qac")
    if TUNED & chosen:
        expect(["trl", "peft", "datasets"], "qac")
    names = [name for name in ENGINES if name in chosen]
    exchanged = _exchanged(rows, seed) if controls else None
    found: list[tuple[str, Report, float]] = []
    with opened(saved, partial(description, index, rows, k, seed)) as kept:
        parts = _Parts(index, lm, encoder, earlier, seed, progress, kept)
        if kept.directory:
            for name in names:
                kept.expect(parts.asked(name))
        for name in names:
            make = cache(partial(parts.make, name))
            given = [(name, rows)]
            if name in READS_CONTEXT and exchanged is not None:
                given.append((name + SHUFFLED, exchanged))
            for shown, asked in given:
                engine = Recalled(kept, shown, make)
                report = evaluate(engine, asked, k, terms=index, seed=seed, progress=progress)
                found.append((shown, report, 1000 * engine.seconds / report.n))
        weights = {name: kept.weights[name] for name in names if name in kept.weights}
        loss = kept.loss if TUNED & chosen else ()
    base = next(report for name, report, _ in found if name == BASE)
    sessions = [row.session_id for row in rows]

    def against(report: Report) -> tuple[float, Interval]:
        gain = (report.ranks > 0).astype(float) - (base.ranks > 0)
        return float(gain.mean()), interval(gain, sessions, seed)

    compared = tuple(Compared(name, report, *against(report), each) for name, report, each in found)
    return Comparison(compared, weights, loss)


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


def _name(lm: "LMLike") -> str:
    """What a model was asked for by; of one in memory, its fingerprint."""
    return lm.fingerprint if hasattr(lm, "fingerprint") else str(lm)
