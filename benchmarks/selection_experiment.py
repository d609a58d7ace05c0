"""The experiment of docs/selection.md: from a family of small models to models trained on what it selects.

    python benchmarks/selection_experiment.py

English of 40 kinds from Debian's packages; 137 models, most of them trained on mixtures of it; their bits per
byte on other documents, their errors on held-out tasks; for each task, selections of the same number of bytes
from a pool of further documents; a small model trained on each. Seeds, tasks and budget were fixed before
anything was selected. What was trained or measured before is taken from the user's cache. Writes
benchmarks/results/selection.json.
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import selection_controls as controls
import selection_domains
import selection_family
import selection_scores
import selection_tasks
import torch
from selection_domains import Domain
from selection_family import LM_NAME, Member
from selection_retraining import Retraining
from selection_ways import BUDGET, WAYS, Page, Ways, taken

from pyfastlm.cli import show
from pyfastlm.demo.tasks import Task
from pyfastlm.lm import smollm2
from pyfastlm.selection import BenchmarkErrors, BpbMatrix, Model, bpb_matrix

SEED = 0  # of documents, tasks and the family
SEEDS = {"n-gram": (1, 2, 3, 4, 5), "transformer": (1, 2, 3)}  # of pools and of what is retrained
MATRIX = 4_000  # bytes of each domain that all models are measured on
TRANSFORMERS = {300: ("cloze c library", "last word"), 800: ("cloze c library",)}  # steps: tasks
TRANSFORMER_WAYS = ("ours", "DSIR", "lowest bits/byte", "random", "inverted", "oracle")
BASE = "random"
RESULTS = Path(__file__).parent / "results" / "selection.json"


def main() -> None:
    started = time.perf_counter()
    torch.set_num_threads(1)
    home = smollm2.cache_dir() / "selection"
    domains, missing = selection_domains.load(smollm2.cache_dir() / "demo" / "domains", SEED)
    print(f"{len(domains)} domains; left out: {missing or 'none'}", flush=True)
    tasks = selection_tasks.make(domains, SEED)
    for task in tasks:
        print(
            f"{task.name}: {len(task.items)} items, {task.met:.0%} of passages met in other texts, left out"
        )
    members = family(domains, home)
    matrix = bits(members, domains, home)
    errors = selection_scores.errors(members, tasks, home / "errors").only(matrix.models)
    found: dict[str, Any] = {
        "seed": SEED,
        "seeds": SEEDS,
        "budget": BUDGET,
        "domains": {d.name: {part: d.n_bytes(part) for part in d.parts} for d in domains},
        "tasks": {t.name: {"items": len(t.items), "met": t.met, "sources": t.sources} for t in tasks},
        "models": [{"name": m.name, "family": m.family} for m in members],
        "mean bits per byte": dict(zip(matrix.domains, matrix.bits_per_byte.mean(axis=0), strict=True)),
        "errors": {
            name: {"mean": column.mean(), "sd": column.std()}
            for name, column in zip(errors.benchmarks, errors.values.T, strict=True)
        },
    }
    found["own domain"] = [
        controls.own_domain(matrix, errors, task, SEED) for task in tasks if len(task.sources) == 1
    ]
    found["duplicated models"] = controls.duplicated(matrix, errors, SEED)
    found["prediction"] = controls.prediction(matrix, errors, SEED)
    tell_controls(found)
    for steps in (0, *TRANSFORMERS):
        name = f"transformer, {steps} steps" if steps else "n-gram"
        found[name] = retrain(steps, domains, tasks, matrix, errors, home)
        tell_retraining(name, found[name])
        found["seconds of this run"] = time.perf_counter() - started
        RESULTS.write_text(json.dumps(found, indent=1, default=float) + "\n", "utf-8")


def family(domains: Sequence[Domain], home: Path) -> list[Member]:
    members = []
    for run in selection_family.runs(domains, SEED):
        started = time.perf_counter()
        members += selection_family.build(run, domains, home)
        if (seconds := time.perf_counter() - started) > 1:
            print(f"trained {run.family}, {run.kind}, in {seconds:.0f} s", flush=True)
    return [*members, Member("SmolLM2-135M-Instruct", "SmolLM2", LM_NAME)]


def bits(members: Sequence[Member], domains: Sequence[Domain], home: Path) -> BpbMatrix:
    """The matrix, over documents that no model was trained on."""
    pages = home / f"matrix-{SEED}.jsonl"
    rows = [
        {"domain": domain.name, "text": text}
        for domain in domains
        for text in taken((Page(domain.name, text) for text in domain.parts["matrix"]), MATRIX)
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if not pages.exists() or pages.read_text("utf-8") != text:
        pages.write_text(text, "utf-8")
    models = [Model(member.name, member.family, member.open) for member in members]
    report = bpb_matrix(models, pages, home / f"matrix-{SEED}.parquet", duplicates="family", progress=True)
    print(f"matrix: {report.documents} documents, {report.bytes:,} bytes, {report.seconds:.0f} s", flush=True)
    return BpbMatrix.open(report.output)


def retrain(
    steps: int,
    domains: Sequence[Domain],
    tasks: Sequence[Task],
    matrix: BpbMatrix,
    errors: BenchmarkErrors,
    home: Path,
) -> dict[str, Any]:
    """{task: {way: [(error, bits per byte) by seed]}}, of a transformer, or for 0 steps of n-grams."""
    kind = "transformer" if steps else "n-gram"
    room = home / f"retrained-{kind}"
    room.mkdir(exist_ok=True)
    retraining = Retraining(kind, domains, room, steps)
    by_name = {task.name: task for task in tasks}
    names = [name for name in TRANSFORMERS.get(steps, by_name) if name in by_name]
    found: dict[str, Any] = {}
    for name in names:
        found[name] = {}
        for seed in SEEDS[kind]:
            ways = Ways(domains, matrix, errors, seed, room)
            for way in TRANSFORMER_WAYS if steps else WAYS:
                texts = ways.texts(way, by_name[name])
                if texts is not None:
                    result = retraining.measure(texts, seed, by_name[name])
                    found[name].setdefault(way, []).append(result)
        print(f"{kind}, {steps} steps, {name}: done", flush=True)
    return found


def tell_controls(found: dict[str, Any]) -> None:
    show.table(
        "Place of a task's own domain among all, by its estimate",
        ["task", "place", "one order", "errors permuted", "of", "estimate", "95 %", "selected in", "first"],
        [
            [
                row["task"], str(row["place"]), str(row["place, models of one order"]),
                f"{row['place, errors permuted']:.1f}", str(row["of"]),
                f"{row['estimate']:.2f}", "{:.2f} to {:.2f}".format(*row["interval"]),
                f"{row['frequency']:.0%}", ", ".join(row["first"][:3]),
            ]
            for row in found["own domain"]
        ],
    )  # fmt: skip
    print(f"duplicated models: {found['duplicated models']}")
    ways = [*next(iter(found["prediction"].values()))]
    show.table(
        "Spearman's rho of predicted and true errors, on families held out",
        ["task", *ways, "gain over all domains", "95 %"],
        [
            [
                name,
                *(f"{of[way]['rho']:.3f}" for way in ways),
                f"{of['selected']['gain']:+.3f}",
                "{:+.3f} to {:+.3f}".format(*of["selected"]["gain interval"]),
            ]
            for name, of in found["prediction"].items()
        ],
    )


def tell_retraining(kind: str, found: dict[str, Any]) -> None:
    ways = list(dict.fromkeys(way for of in found.values() for way in of))
    for place, what in enumerate(("error", "bits per byte")):
        rows = [[task, *(_cell(of.get(way), place) for way in ways)] for task, of in found.items()]
        whole = {
            way: np.mean([np.array(of[way])[:, place] for of in found.values()], axis=0)
            for way in ways
            if all(way in of for of in found.values())
        }
        means = ["mean", *(_spread(whole[way]) if way in whole else "" for way in ways)]
        gains = [
            f"less {BASE}",
            *(_spread(whole[way] - whole[BASE], True) if way in whole else "" for way in ways),
        ]
        seeds = len(next(iter(whole.values())))
        show.table(
            f"{kind}: {what}, mean and standard error of {seeds} seeds",
            ["task", *ways],
            [*rows, means, gains],
        )


def _cell(results: Sequence[Any] | None, place: int) -> str:
    return _spread(np.array(results)[:, place]) if results else ""


def _spread(values: np.ndarray, sign: bool = False) -> str:
    error = values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean():{'+' if sign else ''}.3f} ± {error:.3f}"


if __name__ == "__main__":
    main()
