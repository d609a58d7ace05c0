"""The table of docs/spelling.md on language models: without and with names of the catalogue beside the query.

    python benchmarks/spelling_rag_tables.py [rows [tuning rows [training pairs [seeds]]]]

The four corners of the paper (a model as it is and fine-tuned, without and with names), each deciding by
scores and, with the first seed, by what it writes; with the controls: do nothing, the channel alone, names of
other queries. Models are trained on the shop alone, and judged on both tasks. A killed run goes on where it
was. Writes benchmarks/results/spelling_rag.json after each task. Needs `apt-get update` once.
"""

import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, astuple
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import spelling_rag_tasks as tasks
from ledger import Ledger
from spelling_rag_tasks import Part, Task

import pyfastlm
from pyfastlm.cli import show
from pyfastlm.index import TermIndex
from pyfastlm.lm import LM, load, tuned_model
from pyfastlm.lm.choice import likeliest
from pyfastlm.spelling import (
    BM25,
    Candidate,
    Channel,
    Correction,
    Fuzzy,
    Generation,
    Hybrid,
    Report,
    Scoring,
    Speller,
    difference,
    evaluate,
    finetune,
    threshold_for_rate,
    training_rows,
)
from pyfastlm.spelling.context.fuzzy import resembling
from pyfastlm.spelling.deciding import Counts, Decider, Weights

RESULTS = Path(__file__).parent / "results" / "spelling_rag.json"
WORK = Path(tempfile.gettempdir()) / "pyfastlm-spelling-rag"
ROWS, TUNING, TRAINING, SEEDS = 40, 20, 100, 3
NAMES = 10
CANDIDATES = 8
RATE = 0.05  # of false corrections
CHUNK = 16

# What a model was trained on, and what it reads then: no names, or those found. These are the paper's,
CORNERS = (("as it is", "none"), ("as it is", "names"), ("tuned without", "none"), ("tuned with", "names"))
# and these controls, with one seed: names found for other queries, and no names where some were trained with.
CONTROLS = (("as it is", "other names"), ("tuned with", "other names"), ("tuned with", "none"))
MEASURES = ("f1", "recall", "novel_false_correction_rate")
Key = tuple[str, str, str, int]  # model, what it reads, how it decides, seed
HEADS = ("model, what it reads", "by", "P", "R", "F1", "false", "new", "12 %", "ms")


class Shop:
    """A task with its index and retriever."""

    def __init__(self, task: Task, directory: Path) -> None:
        self.task = task
        names = [(name, 1.0) for name in task.catalogue]
        self.index = TermIndex.build(names, directory / task.name, similar=True)
        self._speller = Speller(self.index)
        self.retriever = Hybrid([BM25(task.catalogue, fuzzy=True), Fuzzy(resembling(self.index))])

    def candidates(self, query: str) -> list[Candidate]:
        """Those of the engine; the query is one of them."""
        return list(self._speller.correct(query).candidates)

    def names(self, part: Part, reads: str, seed: int) -> list[list[str]] | None:
        """What is read beside each query."""
        if reads in ("", "none"):
            return None
        found = self.retriever.retrieve(part.queries, NAMES)
        if reads == "other names":
            order = random.Random(f"{seed} others").sample(range(len(found)), len(found))
            moved = dict(zip(order, [*order[1:], order[0]], strict=True))
            found = [found[moved[place]] for place in range(len(found))]
        return found


class Models:
    """The model as it is, and fine-tuned, with what that took."""

    def __init__(self, shop: Shop, ledger: Ledger) -> None:
        self._shop, self._ledger = shop, ledger
        self._last: tuple[str, LM | None] = "", None  # one at a time in memory

    @cached_property
    def plain(self) -> LM:
        return load("smollm2")

    def get(self, model: str, seed: int) -> LM:
        if model == "as it is":
            return self.plain
        key = f"{model} {seed}"
        if self._last[0] != key:
            self._last = "", None
            self._last = key, self._tuned(key, model, seed)
        assert self._last[1]
        return self._last[1]

    def _tuned(self, key: str, model: str, seed: int) -> LM:
        directory, done = WORK / key, self._ledger.get(key)
        if done and (found := tuned_model.load(self.plain, directory, done["fingerprint"])):
            return found
        part = self._shop.task.parts["train"]
        rows = training_rows(
            part.pairs,
            self._shop.index,
            self._shop.retriever,
            context_share=float(model == "tuned with"),
            k=NAMES,
            seed=seed,
        )
        tuned = finetune(self.plain, rows, seed=seed, progress=True)
        directory.mkdir(parents=True, exist_ok=True)
        tuned_model.save(tuned.lm, directory)
        self._ledger.put(
            key,
            {
                "fingerprint": tuned.lm.fingerprint,
                "examples": tuned.examples,
                "steps": tuned.steps,
                "seconds": tuned.seconds,
                "loss": tuned.loss,
            },
        )
        return tuned.lm


class Cell:
    """One way to decide on the queries of a task; what it decides is kept, ``CHUNK`` queries at a time."""

    def __init__(self, shop: Shop, models: Models, ledger: Ledger, key: Key) -> None:
        self.model, self.reads, self.mode, self.seed = key
        self.key = f"{shop.task.name}: " + ", ".join(map(str, key))
        self._shop, self._models, self._ledger = shop, models, ledger

    @cached_property
    def decider(self) -> Decider:
        """Changes whatever it can: the threshold comes later, from the margins."""
        if self.mode == "channel":
            self._fit_channel()
            return Channel(threshold=-np.inf)
        lm = self._models.get(self.model, self.seed)
        if self.mode == "writes":
            return Generation(lm, threshold=-np.inf)
        scoring = Scoring(lm, plain=self.reads != "none", candidates=CANDIDATES)
        key = f"{self.key}: weights"
        kept = self._ledger.get(key)
        if kept is None:
            part = self._shop.task.parts["tune"]
            candidates = [self._shop.candidates(query) for query in part.queries]
            names = self._shop.names(part, self.reads, self.seed)
            scoring.fit(part.queries, candidates, names, part.golds)
            kept = self._ledger.put(key, [*astuple(scoring.weights), scoring.threshold])
        *weights, _ = kept
        scoring.weights, scoring.threshold = Weights(*weights), -np.inf
        return scoring

    def _fit_channel(self) -> None:
        """A threshold by the same likelihood as that of scores."""
        features, places = [], []
        part = self._shop.task.parts["tune"]
        for query, gold in zip(part.queries, part.golds, strict=True):
            candidates = self._shop.candidates(query)
            texts = [each.text for each in candidates]
            if gold in texts:
                features.append(np.array([(each.score, each.text == query) for each in candidates], float))
                places.append(texts.index(gold))
        scale, stay = likeliest(features, places, (1.0, 0.0))
        self._ledger.put(f"{self.key}: weights", [scale, stay / max(scale, 1e-9)])

    @property
    def weights(self) -> list[float] | None:
        """Those that were fitted, the threshold last."""
        return self._ledger.get(f"{self.key}: weights")

    def decided(self, name: str) -> list[tuple[str, float, float, list[int]]]:
        """Of each query of a part: the text, its margin, seconds, and what was counted."""
        part = self._shop.task.parts[name]
        found: list[Any] = []
        names = None
        for start in range(0, len(part.queries), CHUNK):
            key = f"{self.key}: {name} {start}"
            rows = self._ledger.get(key)
            if rows is None:
                names = names or self._shop.names(part, self.reads, self.seed)
                rows = []
                for place in range(start, min(start + CHUNK, len(part.queries))):
                    rows.append(self._one(part.queries[place], names[place] if names else None))
                self._ledger.put(key, rows)
            found += rows
        return found

    def _one(self, query: str, names: list[str] | None) -> list[Any]:
        decider = self.decider
        decider.counts = Counts()
        started = time.perf_counter()
        candidates = self._shop.candidates(query)
        (found,) = decider.decide([query], [candidates], None if names is None else [names])
        seconds = time.perf_counter() - started
        return [found.text, found.margin, seconds, [*astuple(decider.counts)]]


class Decided:
    """A corrector that has decided already, under a threshold."""

    def __init__(self, queries: Sequence[str], rows: Sequence[Any], threshold: float) -> None:
        self._rows = {query: (text, margin) for query, (text, margin, *_) in zip(queries, rows, strict=True)}
        self._threshold = threshold

    def correct(self, query: str) -> Correction:
        text, margin = self._rows[query]
        changed = margin > self._threshold and text != query
        others = (Candidate(text, margin, 0.0),) if text != query else ()
        return Correction(text if changed else query, changed, margin, (*others, Candidate(query, 0.0, 0.0)))

    def suggest(self, query: str, k: int = 10) -> list[Candidate]:
        return [*self.correct(query).candidates][:k]


def judged(cell: Cell, task: Task) -> tuple[dict[str, Any], Report]:
    """What is said about a cell: as it decides by itself, and, where the tuning part has queries enough to
    choose a threshold by, at a rate of false corrections."""
    tuning, part = task.parts["tune"], task.parts["judge"]
    rows, before = cell.decided("judge"), cell.decided("tune")
    gate = threshold_for_rate([row[1] for row in before[len(tuning.pairs) :]], RATE)
    own = cell.weights[-1] if cell.weights else -np.inf  # what a model writes is followed
    milliseconds = np.array([row[2] for row in rows]) * 1000
    report = evaluate(Decided(part.queries, rows, own), part.pairs, part.clean, novel=part.novel)
    found: dict[str, Any] = {
        "model": cell.model,
        "reads": cell.reads,
        "by": cell.mode,
        "seed": cell.seed,
        "weights": cell.weights,
        "counts": asdict(sum((Counts(*row[3]) for row in rows), Counts())),
        "milliseconds": {
            "mean": float(milliseconds.mean()),
            "p50": float(np.median(milliseconds)),
            "p99": float(np.percentile(milliseconds, 99)),
        },
    }
    reports = {"own threshold": (own, report)}
    if np.isfinite(gate):
        gated = Decided(part.queries, rows, gate)
        reports[f"at most {RATE:.0%} false"] = (
            gate,
            evaluate(gated, part.pairs, part.clean, novel=part.novel),
        )
    for name, (threshold, each) in reports.items():
        told = each.as_dict()
        for unmeasured in ("latency", "recall_at_1", "recall_at_k", "by_kind"):
            told.pop(unmeasured)
        found[name] = {"threshold": threshold if np.isfinite(threshold) else str(threshold)} | told
    return found, report


def gains(reports: dict[Key, Report]) -> list[dict[str, Any]]:
    """What each corner adds to another on the same queries, with the intervals of drawing these anew."""
    rows = []
    for key, report in reports.items():
        model, reads, mode, seed = key
        for base in (
            ("as it is", "none", mode, 0),
            ("tuned without", "none", mode, seed),
            ("as it is", "names", mode, 0),
            (model, reads, "writes", seed),
        ):
            if reads == "names" and base != key and base in reports:
                gain = difference(report, reports[base])
                rows.append({"of": key, "over": base} | {name: getattr(gain, name) for name in MEASURES})
    return rows


def keys(seeds: int, *, every: bool) -> list[Key]:
    """What is compared: scores of all seeds, then, where it is ``every``, controls and what models write."""
    found: list[Key] = [("no model", "", "channel", 0)]
    for seed in range(seeds):
        found += [(*corner, "scores", seed) for corner in CORNERS if seed == 0 or corner[0] != "as it is"]
    if every:
        found += [(*control, "scores", 0) for control in CONTROLS]
        found += [(*corner, "writes", 0) for corner in CORNERS]
    return found


def nothing(task: Task) -> dict[str, Any]:
    part = task.parts["judge"]
    rows = [(query, -np.inf) for query in part.queries]
    report = evaluate(Decided(part.queries, rows, 0.0), part.pairs, part.clean, novel=part.novel)
    return {
        "model": "do nothing",
        "reads": "",
        "by": "",
        "seed": 0,
        "own threshold": report.as_dict(),
    }


def tell(title: str, cells: Sequence[dict[str, Any]], gained: Sequence[dict[str, Any]]) -> None:
    for threshold in ("own threshold", f"at most {RATE:.0%} false"):
        rows = []
        for cell in cells:
            if report := cell.get(threshold):
                twelve = next(mixed["accuracy"] for mixed in report["mixed"] if mixed["rate"] == 0.12)
                rates = [report[name] for name in ("precision", "recall", "f1", "false_correction_rate",
                                                   "novel_false_correction_rate")]  # fmt: skip
                shown = ["" if rate is None else f"{rate:.3f}" for rate in (*rates, twelve)]
                spent = f"{cell['milliseconds']['mean']:.0f}" if "milliseconds" in cell else ""
                rows.append(
                    [", ".join(filter(None, (cell["model"], cell["reads"]))), cell["by"], *shown, spent]
                )
        if len(rows) > 1:
            show.table(f"{title}, {threshold}", HEADS, rows)
    show.table(
        f"{title}: gains on the same queries, with 95 % intervals",
        ("of", "over", *MEASURES),
        [
            [", ".join(map(str, row[end])) for end in ("of", "over")]
            + [
                f"{row[m].value:+.3f} ({row[m].interval[0]:+.3f} to {row[m].interval[1]:+.3f})"
                for m in MEASURES
            ]
            for row in gained
        ],
    )
    for cell in cells:
        if "counts" in cell:
            print(f"{cell['model']}, {cell['reads']}, {cell['by']}: {Counts(**cell['counts'])}")


def retrieval(shop: Shop) -> dict[str, Any]:
    """How often what was meant is among the names that are read, and how long they take."""
    part = shop.task.parts["judge"]
    known = [pair for pair in part.pairs if pair.gold in shop.index]
    spent, hits = [], 0
    for pair in known:
        started = time.perf_counter()
        (found,) = shop.retriever.retrieve([pair.noisy], NAMES)
        spent.append(1000 * (time.perf_counter() - started))
        hits += pair.gold in found
    offered = sum(any(c.text == pair.gold for c in shop.candidates(pair.noisy)) for pair in known)
    return {
        "known": len(known),
        "among names": hits / len(known),
        "among candidates": offered / len(known),
        "milliseconds": {"p50": statistics.median(spent), "p99": float(np.percentile(spent, 99))},
    }


def main(arguments: Sequence[str]) -> None:
    rows, tuning, training, seeds = [*map(int, arguments), *(ROWS, TUNING, TRAINING, SEEDS)[len(arguments) :]]
    sizes = (training, tuning, rows)
    asked: dict[str, Any] = {"sizes": sizes, "pyfastlm": pyfastlm.__version__}
    given = [tasks.shop(sizes, 0)]
    if tasks.REAL.is_dir():
        given.append(tasks.people((0, tuning, rows), 0))
    else:
        print(f"left out: misspellings of people, {tasks.REAL} is not there")
    asked["tasks"] = [[task.name, len(task.catalogue), task.digest] for task in given]
    ledger = Ledger(WORK / "ledger.jsonl", asked)
    result: dict[str, Any] = {"asked": asked, "tuning": {}, "tasks": {}}
    with tempfile.TemporaryDirectory() as directory:
        shops = [Shop(task, Path(directory)) for task in given]
        models = Models(shops[0], ledger)  # trained on the shop, and judged on both
        for shop in shops:
            cells = [nothing(shop.task)]
            wanted = keys(seeds, every=shop is shops[0])
            found = {key: judged(Cell(shop, models, ledger, key), shop.task) for key in wanted}
            cells += [cell for cell, _ in found.values()]
            gained = gains({key: report for key, (_, report) in found.items()})
            tell(shop.task.name, cells, gained)
            result["tasks"][shop.task.name] = {
                "retrieval": retrieval(shop), "cells": cells, "gains": gained,
            }  # fmt: skip
            for model in ("tuned without", "tuned with"):
                for seed in range(seeds):
                    result["tuning"][f"{model} {seed}"] = ledger.get(f"{model} {seed}")
            RESULTS.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
