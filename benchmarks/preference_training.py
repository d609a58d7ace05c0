"""SmolLM2-135M trained on real revisions by three losses: what becomes of chosen and rejected answers.

    python benchmarks/preference_training.py --out benchmarks/results/preference_training.json

Pairs: 20 answers of a model to users, each with its revision by GPT-4 (``shared/data/preference``), or those
of ``--pairs``, JSON lines of the CLAIR schema. For each seed a third of them is held out; every loss then
trains on the same others, in the same order, with the same steps, rate and adapters. Reported are mean
changes of the log-probability of an answer in nats, on pairs that were learnt from and on those held out; the
share of held-out pairs whose chosen answer gained more; and the change in bits per byte of a play that has
nothing to do with them. With 20 pairs, a handful is held out: three seeds show how little that says.
"""

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from pyfastlm.lm import load
from pyfastlm.preference import PreferencePair, TrainingOptions, Watch, precompute, suggest_objective, train
from pyfastlm.preference.encoding import encode
from pyfastlm.preference.pairs import from_rows

SHARED = Path(__file__).parents[2] / "shared/data"
LOSSES = ("dpo", "apo_zero", "apo_down")
MAX_LENGTH = 224  # tokens of prompt and answer
LONGEST_PROMPT = 160
HELD_OUT = 1 / 3


def pairs_of(path: Path, tokenizer: object) -> list[PreferencePair]:
    """Those whose prompt leaves room for an answer."""
    pairs = from_rows(json.loads(line) for line in path.read_text().splitlines())
    return [
        pair
        for pair, tokens in zip(pairs, encode(tokenizer, pairs, max_length=None), strict=True)
        if len(tokens.prompt) <= LONGEST_PROMPT
    ]


def split(pairs: list[PreferencePair], seed: int) -> tuple[list[PreferencePair], list[PreferencePair]]:
    """Learnt from, and held out."""
    order = np.random.default_rng(seed).permutation(len(pairs))
    kept = round(len(pairs) * HELD_OUT)
    return [pairs[i] for i in order[kept:]], [pairs[i] for i in order[:kept]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="the results, as JSON")
    parser.add_argument("--pairs", type=Path, default=SHARED / "preference/clair_gpt4_20.jsonl")
    parser.add_argument("--text", type=Path, default=SHARED / "text/tiny_shakespeare.txt")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--lr", type=float, default=3e-4)
    parser.add_argument("--losses", nargs="+", default=LOSSES)
    given = parser.parse_args()

    lm = load("smollm2")
    pairs = pairs_of(given.pairs, lm.tokenizer)
    text = given.text.read_text()[20_000:24_000]
    started = time.perf_counter()
    runs = []
    for seed in range(given.seeds):
        learnt, held_out = split(pairs, seed)
        before = precompute(lm, learnt, max_length=MAX_LENGTH)
        for loss in given.losses:
            options = TrainingOptions(
                given.steps,
                loss,
                batch_size=4,
                pairs_at_once=4,
                lr=given.lr,
                max_length=MAX_LENGTH,
                seed=seed,
            )
            found = train(lm, learnt, options, watch=Watch(held_out, [text], every=given.steps))
            after = precompute(found.lm, learnt, max_length=MAX_LENGTH)
            chosen, rejected = (new - old for new, old in zip(after, before, strict=True))
            runs.append(
                {
                    "loss": loss,
                    "seed": seed,
                    "train": {
                        "chosen": float(chosen.mean()),
                        "rejected": float(rejected.mean()),
                        "margin": float((chosen - rejected).mean()),
                        "accuracy": float((chosen > rejected).mean()),
                    },
                    "held_out": asdict(found.drift[-1]),
                    "before": asdict(found.drift[0]),
                    "losses": [entry.loss for entry in found.log],
                    "seconds": found.seconds,
                }
            )
            print(json.dumps(runs[-1]), flush=True)
    suggestion = suggest_objective(lm, pairs, max_tokens=48)
    result = {
        "pairs": len(pairs),
        "held_out": len(held_out),
        "options": asdict(options) | {"objective": None, "seed": None},
        "threads": torch.get_num_threads(),
        "seconds": time.perf_counter() - started,
        "suggestion": asdict(suggestion),
        "runs": runs,
    }
    given.out.write_text(json.dumps(result, indent=1) + "\n")
    print(table(result))
    print(f"suggested for these pairs: {suggestion.objective}: {suggestion.reason}")


def table(result: dict[str, object]) -> str:
    """Means over the seeds, and each seed in brackets."""
    lines = [
        "| loss | learnt: chosen | rejected | margin "
        "| held out: chosen | rejected | margin | accuracy | bits/byte |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    runs: list[dict[str, dict[str, float]]] = result["runs"]
    for loss in dict.fromkeys(str(run["loss"]) for run in runs):
        own = [run for run in runs if run["loss"] == loss]
        cells = [
            _cell([run[part][name] for run in own], places)
            for part, name, places in (
                ("train", "chosen", 1),
                ("train", "rejected", 1),
                ("train", "margin", 1),
                ("held_out", "chosen", 1),
                ("held_out", "rejected", 1),
                ("held_out", "margin", 1),
                ("held_out", "accuracy", 2),
                ("held_out", "change", 3),
            )
        ]
        lines.append(f"| {loss} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(values: list[float], places: int) -> str:
    each = ", ".join(f"{value:+.{places}f}" for value in values)
    return f"{np.mean(values):+.{places}f} ({each})"


if __name__ == "__main__":
    main()
