"""The table of docs/icl.md on fits: beside the published fitter, recovery of known numbers, and a sweep.

    python benchmarks/icl_fits.py [sets]

Each set of curves is fitted by both, one thread each, and losses and CPU seconds are compared; ours with
eight starts, the published way with its one. Writes benchmarks/results/icl_fits.json.
"""

import json
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import icl_published
import numpy as np
import torch

from pyfastlm.cli import show
from pyfastlm.icl import GINC, LAWS, beliefs, compare, fit, fit_many, prompts
from pyfastlm.icl.fitted import relative_error
from pyfastlm.icl.fitting.layout import Layout
from pyfastlm.icl.fitting.race import predicted
from pyfastlm.icl.params import named
from pyfastlm.icl.problem import problem

RESULTS = Path(__file__).parent / "results" / "icl_fits.json"
TASKS, SHOTS = 5, 64
NOISE = 0.01  # of probabilities
WORTH = 1e-3  # a loss that is lower by this share is lower
SWEEP = {3: 256, 5: 170, 8: 113, 10: 93}  # shots by words of a shot
AMOUNTS, SIZES = 7, 7
Doubles = np.ndarray


def ginc_set(seed: int) -> Doubles:
    """[TASKS, SHOTS] of exact Bayes on a world of its own."""
    world = GINC.make(TASKS, seed=1111 + seed)
    curves = []
    for hmm in range(TASKS):
        given = prompts(world, hmm, 3, shots=SHOTS, count=100, seed=seed)
        curves.append(-np.log(beliefs(world, given.tokens).answers(given).mean(axis=0)))
    return np.stack(curves)


def true_numbers(law: str, rng: np.random.Generator) -> Doubles:
    """Free numbers of curves that fall, and differ."""
    if law == "power":
        return np.stack(
            [rng.uniform(-1, 0.5, TASKS), rng.uniform(-1, 1, TASKS), rng.uniform(-1.5, 0, TASKS)], 1
        )
    if law == "bounded_power":
        c, alpha, k = true_numbers("power", rng).T
        return np.stack([c, alpha, k, rng.uniform(0, 3, TASKS)], 1)
    if law == "logistic":
        c, _, k = true_numbers("power", rng).T
        return np.stack([c, rng.uniform(0, 2, TASKS), rng.uniform(0.5, 3, TASKS), k], 1)
    head = [*rng.normal(0, 0.5, TASKS), rng.uniform(-3, -1)]
    if law == "bayesian":
        own = np.eye(TASKS, dtype=bool)
        return np.array(
            [
                *head,
                *np.where(
                    own, rng.uniform(-1, 0, (TASKS, TASKS)), rng.uniform(0.5, 2, (TASKS, TASKS))
                ).ravel(),
            ]
        )
    return np.array([*head, *rng.uniform(-1, 0, TASKS), *rng.uniform(-0.5, 1, TASKS)])


def drawn_set(law: str, seed: int) -> tuple[Doubles, Doubles]:
    """Curves of a law with noise, and its numbers."""
    rng = np.random.default_rng([seed, LAWS[law].code])
    theta = true_numbers(law, rng)
    n = np.arange(1.0, SHOTS + 1)
    shape = problem(n, np.ones((TASKS, SHOTS)), "mse_prob", "raise")
    nll, _ = predicted(LAWS[law], theta, shape, Layout(TASKS, 1, 1), n)
    p = np.clip(np.exp(-nll) + NOISE * rng.normal(size=nll.shape), 1e-4, 1 - 1e-4)
    return -np.log(p), theta


def cpu(call: Callable[[], Any]) -> tuple[Any, float]:
    started = time.process_time()
    found = call()
    return found, time.process_time() - started


def beside_published(sets: list[tuple[str, Doubles]]) -> list[dict[str, Any]]:
    n = np.arange(1.0, SHOTS + 1)
    rows = []
    for law in LAWS:
        fit(law, n, sets[0][1])  # compiled, or read from the cache
        ratios, spent, theirs_spent, lower, higher = [], [], [], 0, []
        for name, nll in sets:
            found, ours = cpu(lambda law=law, nll=nll: fit(law, n, nll, threads=1))
            theirs, published = cpu(lambda law=law, nll=nll: icl_published.fit(law, n, nll))
            spent.append(ours)
            theirs_spent.append(published)
            ratios.append(published / ours)
            lower += found.loss < theirs * (1 - WORTH)
            if found.loss > theirs * (1 + WORTH):
                higher.append({"set": name, "ours": found.loss, "published": theirs})
        rows.append(
            {
                "law": law, "sets": len(sets), "lower": lower, "higher": higher,
                "cpu_ms": 1000 * statistics.median(spent),
                "published_cpu_ms": 1000 * statistics.median(theirs_spent),
                "times": sum(theirs_spent) / sum(spent), "best_times": max(ratios),
                "median_times": statistics.median(ratios), "least_times": min(ratios),
            }
        )  # fmt: skip
        print(rows[-1], flush=True)
    return rows


def recovery(count: int) -> list[dict[str, Any]]:
    """How far found numbers are from true ones, over curves and sets; and which of them fits call doubtful.

    Of the original law, whose hypotheses have no names, its priors and rows are compared by size.
    """
    n, further = np.arange(1.0, SHOTS + 1), np.geomspace(SHOTS + 1, 16 * SHOTS, 20)
    rows = []
    for law in LAWS:
        off: dict[str, list[float]] = {}
        near, far, doubts = [], [], Counter()
        for seed in range(count):
            nll, theta = drawn_set(law, seed)
            truth = named(LAWS[law], theta, TASKS, TASKS, 1, 1)
            found = fit(law, n, nll)
            shape = problem(n, nll, "mse_prob", "raise")
            for shots, errors in ((n, near), (further, far)):
                clean = np.exp(-predicted(LAWS[law], theta, shape, Layout(TASKS, 1, 1), shots)[0])
                errors.append(relative_error(clean, np.exp(-found.predict(shots))))
            for kind in ("not determined", "noise moves", "reached this loss"):
                doubts[kind] += any(kind in each for each in found.warnings)
            for name in truth.__slots__:
                true, guess = (getattr(each, name) for each in (truth, found.params))
                if law == "bayesian":
                    true, guess = np.sort(true), np.sort(guess)
                off.setdefault(name, []).extend(np.abs(np.ravel(true - guess)).tolist())
        rows.append(
            {"law": law, "sets": count, "clean": statistics.mean(near), "further": statistics.mean(far)}
            | {
                "off": {
                    name: {"median": statistics.median(v), "p90": float(np.percentile(v, 90))}
                    for name, v in off.items()
                },
                "doubts": dict(doubts),
            }
        )
    return rows


def confusion(count: int) -> dict[str, dict[str, int]]:
    """Of curves of each law: which law goes on best from their first fifth."""
    n = np.arange(1.0, SHOTS + 1)
    table: dict[str, dict[str, int]] = {}
    for law in LAWS:
        scores = compare(
            [(n, drawn_set(law, 100 + seed)[0]) for seed in range(count)], fractions=(0.2,)
        ).scores
        best = [
            min((s for s in scores if s.set == place), key=lambda s: s.nrmse).law for place in range(count)
        ]
        table[law] = {name: best.count(name) for name in (*LAWS, "last value", "mean")}
    return table


def sweep() -> dict[str, Any]:
    """All laws on sets of the shape of the publication's, drawn from laws; wall seconds by all threads, and
    CPU seconds in all."""
    rng = np.random.default_rng(0)
    sets = []
    for shots in SWEEP.values():
        n = np.arange(1.0, shots + 1)
        shape = problem(n, np.ones((TASKS, shots)), "mse_prob", "raise")
        for place in range(AMOUNTS * SIZES):
            law = LAWS[[*LAWS][place % len(LAWS)]]
            nll, _ = predicted(law, true_numbers(law.name, rng), shape, Layout(TASKS, 1, 1), n)
            sets.append(
                (n, -np.log(np.clip(np.exp(-nll) + NOISE * rng.normal(size=nll.shape), 1e-4, 1 - 1e-4)))
            )
    spent, begun = {}, time.process_time()
    for law in LAWS:
        started = time.perf_counter()
        fit_many(law, sets)
        spent[law] = time.perf_counter() - started
    used = time.process_time() - begun
    return {"sets": len(sets), "seconds": spent, "all": sum(spent.values()), "cpu": used}


def main(arguments: list[str]) -> None:
    torch.set_num_threads(1)
    count = int(arguments[0]) if arguments else 54
    sets = [(f"exact Bayes {n}", ginc_set(n)) for n in range(count // 4)]
    sets += [
        (f"{law} {seed}", drawn_set(law, seed)[0])
        for seed in range(-(-(count - len(sets)) // len(LAWS)))
        for law in LAWS
    ]
    result: dict[str, Any] = {
        "date": time.strftime("%Y-%m-%d"), "sets": len(sets), "recovery": recovery(10),
        "confusion": confusion(6), "sweep": sweep(), "beside": beside_published(sets),
    }  # fmt: skip
    RESULTS.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    show.table(
        f"{len(sets)} sets of {TASKS} curves of {SHOTS} shots; CPU milliseconds, medians",
        ["law", "ours", "published", "times, all", "median", "best", "least", "lower loss", "higher"],
        [
            [row["law"], f"{row['cpu_ms']:.1f}", f"{row['published_cpu_ms']:.0f}",
             *(f"{row[key]:.0f}" for key in ("times", "median_times", "best_times", "least_times")),
             str(row["lower"]), str(len(row["higher"]))]
            for row in result["beside"]
        ],
    )  # fmt: skip
    for row in result["recovery"]:
        show.table(
            f"{row['law']}: numbers found again in {row['sets']} sets with noise of {NOISE:g}",
            ["number", "off, median", "off, 90 %"],
            [[name, f"{v['median']:.3g}", f"{v['p90']:.3g}"] for name, v in row["off"].items()],
        )
        print(
            f"nrmse to the clean curve {row['clean']:.4f}, further on {row['further']:.4f}; {row['doubts']}"
        )
    names = [*LAWS, "last value", "mean"]
    show.table(
        "Which law goes on best from a fifth of the shots",
        ["drawn from", *names],
        [[law, *(str(found[name]) for name in names)] for law, found in result["confusion"].items()],
    )
    show.table(
        f"Sweep of {result['sweep']['sets']} sets",
        ["law", "seconds"],
        [[law, f"{seconds:.1f}"] for law, seconds in result["sweep"]["seconds"].items()],
        ["all", f"{result['sweep']['all']:.1f}"],
    )


if __name__ == "__main__":
    main(sys.argv[1:])
