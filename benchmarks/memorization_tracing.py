"""What the quotations of benchmarks/memorization_unlearning.py depend on, beside what ordinary text does.

    python benchmarks/memorization_tracing.py

The first three of each seed's models that have memorised them; the control is held-out text, followed by what
the model itself writes. Writes benchmarks/results/memorization_tracing.json.
"""

import json
from pathlib import Path
from typing import Any

import memorization_models as models
import numpy as np
import torch

from pyfastlm.cli import show
from pyfastlm.lm import smollm2
from pyfastlm.memorization import Trace, trace

SEEDS = (0, 1, 2)
SEQUENCES = 3
PREFIX_LENGTH, HORIZON, DRAWS = 32, 32, 2
RESULTS = Path(__file__).parent / "results" / "memorization_tracing.json"


def main() -> None:
    torch.set_num_threads(1)
    cache, home = smollm2.cache_dir() / "demo", smollm2.cache_dir() / "memorization"
    found: dict[str, list[dict[str, Any]]] = {"memorised": [], "control": []}
    for seed in SEEDS:
        subject = models.subject(seed, cache, home)
        lm = subject.knows
        for ids, text in zip(subject.sequences[:SEQUENCES], subject.held_out, strict=False):
            usual = lm.tokenizer(text)["input_ids"]
            one = trace(lm, ids, PREFIX_LENGTH, HORIZON, draws=DRAWS, control=usual, seed=seed)
            assert one.control is not None
            found["memorised"].append({"seed": seed} | summary(one))
            found["control"].append({"seed": seed} | summary(one.control))
            print(f"seed {seed}: {found['memorised'][-1]}", flush=True)
        settings = {
            "prefix length": PREFIX_LENGTH,
            "horizon": HORIZON,
            "draws": DRAWS,
            "threshold": one.threshold,
        }
        RESULTS.write_text(json.dumps(settings | found, indent=1) + "\n", "utf-8")
    names = [name for name in found["memorised"][0] if name != "seed" and name != "peak by level"]
    show.table(
        f"Means over {len(found['memorised'])} sequences",
        ["", *names],
        [
            [kind, *(f"{np.mean([row[name] for row in rows]):.3f}" for name in names)]
            for kind, rows in found.items()
        ],
    )


def summary(one: Trace) -> dict[str, Any]:
    return {
        "greedy": float(one.greedy.mean()),
        "probability": float(np.exp(one.logp).mean()),
        "do not depend": float(1 - one.depends.mean()),
        "drop, whole prompt": float(one.total.mean()),
        "largest drop, one state": float(one.peak.mean()),
        "restored by one state, most": float(one.restored.max((0, 1)).mean()),
        "peak by level": one.dependency.max(1).mean(-1).tolist(),
    }


if __name__ == "__main__":
    main()
