"""The unlearning table of docs/memorization.md: what four ways to forget leave behind, and what they cost.

    python benchmarks/memorization_unlearning.py

For each seed a small model is trained on manuals and essays, and on 8 quotations 110 times each; a twin on
the same text without them. Every method runs until greedy decoding after the first 32 tokens reproduces fewer
than 5 tokens of each quotation, or for 60 steps. Then the same prompts are put to all models: the original
one, and all of the stress test, whose maximum counts. Damage is measured on held-out text of the same kind.
The settings were fixed before anything was unlearned. What was trained or measured before is taken from the
user's cache. Writes benchmarks/results/memorization_unlearning.json.
"""

import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import memorization_models as models
import numpy as np
import torch

from pyfastlm.cli import show
from pyfastlm.lm import LM, Scorer, smollm2
from pyfastlm.memorization import StressReport, stress_again, stress_test, unlearn

SEEDS = (0, 1, 2)
PREFIX_LENGTH, HORIZON = 32, 64
UNTIL = 5
STEPS = 60
WAYS: dict[str, dict[str, Any]] = {
    "gradient ascent, lr 1e-4": {"method": "gradient_ascent", "lr": 1e-4},
    "gradient ascent, lr 1e-3": {"method": "gradient_ascent", "lr": 1e-3},
    "gradient difference, lr 1e-4": {"method": "gradient_difference", "lr": 1e-4},
    "gradient difference, lr 1e-3": {"method": "gradient_difference", "lr": 1e-3},
    "sparse, 1 % of weights, lr 3e-3": {"method": "sparse", "share": 0.01, "lr": 3e-3},
    "pruning, 0.2 % of units a step": {"method": "pruning", "share": 0.002},
}
NOTHING, TWIN = "no unlearning", "twin, never trained on them"
MEASURES = ("original", "original max", "stress", "stress max", "bits per byte", "accuracy")
RESULTS = Path(__file__).parent / "results" / "memorization_unlearning.json"


def main() -> None:
    torch.set_num_threads(1)
    cache, home = smollm2.cache_dir() / "demo", smollm2.cache_dir() / "memorization"
    rows: dict[str, list[dict[str, Any]]] = {}
    for seed in SEEDS:
        subject = models.subject(seed, cache, home)
        before = [
            stress_test(subject.knows, row, PREFIX_LENGTH, HORIZON, seed=seed) for row in subject.sequences
        ]
        for name, row in measured(subject, before, seed, home / f"unlearned-{seed}.json").items():
            rows.setdefault(name, []).append(row)
        found = {
            "seeds": SEEDS[: SEEDS.index(seed) + 1],
            "sequences of each seed": models.SEQUENCES,
            "repetitions": models.REPETITIONS,
            "planted share of examples": subject.planted,
            "prompts of each sequence": [len(one.variants) for one in before],
            "prefix length": PREFIX_LENGTH,
            "horizon": HORIZON,
            "until": UNTIL,
            "steps at most": STEPS,
            "ways": WAYS,
            "rows": rows,
        }
        RESULTS.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
        tell(rows)


def measured(
    subject: models.Subject, before: Sequence[StressReport], seed: int, kept: Path
) -> dict[str, dict[str, Any]]:
    """A row for each control and way; those that were finished before are in ``kept``."""
    key = repr([models.REPETITIONS, models.STEPS, PREFIX_LENGTH, HORIZON, UNTIL, STEPS])
    known = json.loads(kept.read_bytes()) if kept.exists() else {}
    rows: dict[str, dict[str, Any]] = {}
    for name, options in {NOTHING: None, TWIN: None, **WAYS}.items():
        mark = f"{key} {name} {options}"
        if mark not in known:
            started = time.process_time()
            if options is None:
                lm = subject.twin if name == TWIN else subject.knows
                row = judged(lm, before, subject.held_out)
            else:
                done = unlearn(
                    subject.knows,
                    subject.sequences,
                    **({"retain": subject.retain} | options),
                    steps=STEPS,
                    until=UNTIL,
                    prefix_length=PREFIX_LENGTH,
                    horizon=HORIZON,
                    seed=seed,
                )
                row = judged(done.lm, before, subject.held_out) | {
                    "steps": done.steps,
                    "ended": done.ended,
                    "changed": done.changed / done.weights,
                }
            known[mark] = row | {"processor seconds": time.process_time() - started}
            kept.write_text(json.dumps(known, default=float), "utf-8")
            print(f"seed {seed}, {name}: {known[mark]}", flush=True)
        rows[name] = known[mark]
    return rows


def judged(lm: LM, before: Sequence[StressReport], held_out: list[str]) -> dict[str, Any]:
    """Lengths as means over the sequences and as the maximum; damage."""
    reports = [stress_again(lm, one) for one in before]
    original, longest = ([getattr(one, name) for one in reports] for name in ("original", "longest"))
    scores = Scorer(lm).rolling(held_out)
    bits = -sum(one.logp for one in scores) / math.log(2) / sum(one.n_bytes for one in scores)
    return {
        "original": float(np.mean(original)),
        "original max": max(original),
        "stress": float(np.mean(longest)),
        "stress max": max(longest),
        "bits per byte": bits,
        "accuracy": accuracy(lm, held_out),
        "by kind": {
            kind: float(np.mean([row.longest for one in reports for row in one.by_kind if row.kind == kind]))
            for kind in ("original", "shifted", "other length", "one word", "several words")
        },
    }


@torch.inference_mode()
def accuracy(lm: LM, texts: list[str], size: int = 96) -> float:
    """Share of held-out tokens that the model prefers to all others, after up to ``size`` before them."""
    hits = count = 0
    for text in texts:
        ids = torch.tensor(lm.tokenizer(text)["input_ids"])
        rows = ids[: len(ids) // size * size].view(-1, size)
        if len(rows):
            chosen = lm.model(input_ids=rows).logits[:, :-1].argmax(-1)
            hits += int((chosen == rows[:, 1:]).sum())
            count += chosen.numel()
    return hits / count


def tell(rows: dict[str, list[dict[str, Any]]]) -> None:
    """Mean and range over the seeds."""

    def cell(values: list[float], digits: int) -> str:
        return f"{np.mean(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"

    digits = dict(zip(MEASURES, (1, 0, 1, 0, 3, 3), strict=True))
    show.table(
        f"{len(rows[NOTHING])} seeds, {models.SEQUENCES} sequences each: mean over seeds (least-most)",
        ["", *MEASURES, "steps"],
        [
            [
                name,
                *(cell([row[measure] for row in some], digits[measure]) for measure in MEASURES),
                cell([row["steps"] for row in some], 0) if "steps" in some[0] else "",
            ]
            for name, some in rows.items()
        ],
    )


if __name__ == "__main__":
    main()
