"""The tables of docs/icl.md on a real model: curves of tasks, and answers that fine-tuning hides.

    OMP_NUM_THREADS=1 python benchmarks/icl_real.py [--model smollm2] [--home DIRECTORY] [--seeds 3]

Killed and called again, it goes on. Writes benchmarks/results/icl_real.json, and a picture of the curves.
"""

import argparse
import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import icl_tasks
import numpy as np
from ledger import Ledger

from pyfastlm.cli import show
from pyfastlm.demo import wordnet
from pyfastlm.icl import Task, compare, fit, icl_curve, suppress
from pyfastlm.icl.files.pictures import draw
from pyfastlm.lm import LM, Scorer, load, smollm2

RESULTS = Path(__file__).parent / "results" / "icl_real.json"
SHOTS = {"iris": 64, "wine": 64, "breast_cancer": 64, "wordnet": 128}
PERMUTATIONS = 20
HYPOTHESES = 2  # the task, and something else
FRACTIONS = (1.0, 0.1, 0.5)
AMOUNTS, HIDDEN_SHOTS, HIDDEN_PERMUTATIONS = (0, 64, 128, 256), 64, 4
SHOWN = (1, 2, 4, 8, 16, 32, 64, 128)
TAIL = 1 / 4  # of the last shots


def curve(scorer: Scorer, task: Task, shuffled: bool, seed: int) -> dict[str, Any]:
    started = time.process_time()
    found = icl_curve(
        scorer, task, shots=SHOTS[task.name], permutations=PERMUTATIONS, shuffled_labels=shuffled, seed=seed
    )
    assert found.accuracy is not None
    assert found.shares is not None
    return {
        "task": task.name, "shuffled": shuffled, "labels": len(task.labels), "n_tokens": found.n_tokens,
        "p": found.p.mean(axis=0).tolist(), "error": (found.p.std(axis=0) / PERMUTATIONS**0.5).tolist(),
        "accuracy": found.accuracy.tolist(), "share": found.shares.mean(axis=0).tolist(),
        "cpu_s": time.process_time() - started,
    }  # fmt: skip


def hidden(lm: LM, task: Task, control: bool, seed: int) -> dict[str, Any]:
    started = time.process_time()
    found = suppress(
        lm, task, amounts=AMOUNTS, control=control, seed=seed,
        shots=HIDDEN_SHOTS, permutations=HIDDEN_PERMUTATIONS, progress=True,
    )  # fmt: skip
    return {
        "seed": seed, "control": control, "p": np.exp(-found.nll).tolist(),
        "cpu_s": time.process_time() - started,
    }  # fmt: skip


def laws(curves: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every law on every task, whole and from its beginning; beside what needs no law."""
    rows = []
    for each in curves:
        n, nll = np.arange(1.0, len(each["p"]) + 1), -np.log(each["p"])[None]
        scores = compare([(n, nll)], fractions=FRACTIONS, hypotheses=HYPOTHESES).scores
        rows += [
            {
                "task": each["task"], "law": score.law, "fraction": score.fraction, "nrmse": score.nrmse,
                "n_params": score.n_params, "warnings": score.fit.warnings if score.fit else (),
            }
            for score in scores
        ]  # fmt: skip
    return rows


def beliefs(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The prior of answers and the efficiency by amount, of the scoring law; a row for each run."""
    n = np.arange(1.0, HIDDEN_SHOTS + 1)
    rows = []
    for run in runs:
        found = fit("bayesian_scoring", n, -np.log(run["p"]), starts=16)
        rows.append(
            {
                "seed": run["seed"], "control": run["control"], "nrmse": found.nrmse,
                "prior": found.params.prior[:, 0].tolist(), "efficiency": found.params.efficiency.tolist(),
                "warnings": found.warnings,
            }
        )  # fmt: skip
    return rows


def tell(result: dict[str, Any]) -> None:
    places = [n for n in SHOWN if n <= max(SHOTS.values())]
    show.table(
        f"Probability of the right answer, {PERMUTATIONS} prompts",
        ["task", "answers", *(f"example {n}" for n in places), "right, last quarter"],
        [
            [
                each["task"], "dealt anew" if each["shuffled"] else "true",
                *(f"{each['p'][n - 1]:.3f}" if n <= len(each["p"]) else "" for n in places),
                f"{np.mean(each['accuracy'][-int(TAIL * len(each['accuracy'])) :]):.1%}",
            ]
            for each in result["curves"]
        ],
    )  # fmt: skip
    names = list(SHOTS)
    for fraction in FRACTIONS:
        rows = {(row["law"], row["task"]): row for row in result["laws"] if row["fraction"] == fraction}
        show.table(
            "nrmse of all examples"
            if fraction == 1
            else f"nrmse behind the first {fraction:.0%}, fitted to them",
            ["law", "parameters", *names],
            [
                [
                    law,
                    str(rows[law, names[0]]["n_params"]),
                    *(f"{rows[law, task]['nrmse']:.3f}" for task in names),
                ]
                for law in dict.fromkeys(law for law, _ in rows)
            ],
        )
    show.table(
        "Answers that fine-tuning hides: their probability after answers, over seeds",
        ["learnt", "examples", *(f"example {n}" for n in SHOWN if n <= HIDDEN_SHOTS), "prior", "efficiency"],
        list(_by_amount(result)),
    )


def _by_amount(result: dict[str, Any]) -> Iterable[list[str]]:
    for control in (False, True):
        p = np.array([run["p"] for run in result["hidden"] if run["control"] == control])
        told = [row for row in result["beliefs"] if row["control"] == control]
        for place, amount in enumerate(AMOUNTS):
            shown = [p[:, place, 0, n - 1] for n in SHOWN if n <= HIDDEN_SHOTS]
            yield [
                "answers" if control else "refusals", str(amount),
                *(f"{each.mean():.3f} ({each.min():.3f}-{each.max():.3f})" for each in shown),
                *(" ".join(f"{row[name][place]:.2g}" for row in told) for name in ("prior", "efficiency")),
            ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--home", type=Path, default=Path("icl-real"), help="what was found so far")
    parser.add_argument("--seeds", type=int, default=3, help="of fine-tuning")
    given = parser.parse_args()
    asked = [given.model, SHOTS, PERMUTATIONS, AMOUNTS, HIDDEN_SHOTS, HIDDEN_PERMUTATIONS]
    found = Ledger(given.home / "ledger.jsonl", asked)
    lm = load(given.model)
    scorer = Scorer(lm)
    words = wordnet.words(smollm2.cache_dir() / "demo" / "domains")
    curves, runs = [], []
    for task in [*map(icl_tasks.table, icl_tasks.TABLES), words]:
        for shuffled in (False, True):
            key = f"{task.name} {shuffled}"
            curves.append(found.get(key) or found.put(key, curve(scorer, task, shuffled, 0)))
            print(key, f"{curves[-1]['cpu_s']:.0f} s", flush=True)
    for seed in range(given.seeds):
        for control in (False, True):
            key = f"hidden {seed} {control}"
            runs.append(found.get(key) or found.put(key, hidden(lm, words, control, seed)))
            print(key, f"{runs[-1]['cpu_s']:.0f} s", flush=True)
    true = [each for each in curves if not each["shuffled"]]
    result = {
        "model": given.model, "curves": curves, "laws": laws(true), "hidden": runs, "beliefs": beliefs(runs)
    }  # fmt: skip
    RESULTS.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    tell(result)
    picture(true[-1], RESULTS.with_suffix(".png"))


def picture(each: dict[str, Any], path: Path) -> None:
    """A task's curve, and what laws make of its first tenth."""
    n, nll = np.arange(1.0, len(each["p"]) + 1), -np.log(each["p"])[None]
    seen = n <= 0.1 * n.max()
    fits = {
        law: fit(law, n[seen], nll[:, seen])
        for law in ("power", "bounded_power", "logistic")
    }  # fmt: skip
    fits["bayesian_scoring"] = fit("bayesian_scoring", n[seen], nll[:, seen], hypotheses=HYPOTHESES)
    draw(n, nll, [each["task"]], fits, path, fitted=float(n[seen].max()))


if __name__ == "__main__":
    main()
