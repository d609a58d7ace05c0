"""Vowel removal, the sanity task of MrT5's paper: does a gate delete what the task makes useless?

    python benchmarks/mrt5_diagnostic.py [--seeds 3] [--steps 4000]

An input is random letters, its answer the same without vowels (``pyfastlm.mrt5.diagnostics``). A small model
is trained from scratch: cross entropy alone for the first steps, then with a regulariser whose weight a
controller steers, so that as many ids are deleted as are vowels. Which ones is left to the gate. Reported for
each seed on new examples: what was deleted of vowels and of everything else, and how many answers of greedy
generation are right to the last letter, with the gate, with the gate off, and with as many ids deleted at
random. A run goes on where it was stopped. Writes benchmarks/results/mrt5_diagnostic.json.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pyfastlm.cli import show
from pyfastlm.lm.smollm2 import cache_dir
from pyfastlm.mrt5 import DeletionController, MrT5ForConditionalGeneration, evaluate, train
from pyfastlm.mrt5.answers import evaluate_answers
from pyfastlm.mrt5.diagnostics import VOWELS, Diagnostic, target
from pyfastlm.mrt5.examples import Listed
from pyfastlm.mrt5.loading import new_model
from pyfastlm.mrt5.readers import Task
from pyfastlm.mrt5.variants import evaluating, variant
from pyfastlm.mrt5.vocabulary import EOS, OFFSET, decode

TASK = "vowel_removal"
LENGTH = 16  # ids of an input: #, 14 letters, EOS
SHAPE = {"num_layers": 3, "num_decoder_layers": 2, "delete_gate_layer": 1}
BATCH, LR = 64, 2e-3
DELAY = 0.6  # of the steps
VOWEL_SHARE = len(VOWELS) / 52 * (LENGTH - 2) / LENGTH
CONTROLLER = {"kp": 0.05, "ki": 1e-4, "anti_windup": True}
TEST, TEST_SEED = 512, 1_000_000
RESULTS = Path(__file__).parent / "results" / "mrt5_diagnostic.json"
KINDS = {"vowels": VOWELS, "#": "#"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=4000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    started = time.process_time()
    runs = []
    for seed in range(options.seeds):
        runs.append(measured(trained(seed, options.steps), seed))
        print(json.dumps(runs[-1]), flush=True)
    settings = {
        "task": TASK,
        "length": LENGTH,
        "shape": SHAPE,
        "batch": BATCH,
        "lr": LR,
        "steps": options.steps,
        "delay": round(DELAY * options.steps),
        "controller": {"target": VOWEL_SHARE} | CONTROLLER,
        "examples": TEST,
        "torch": torch.__version__,
    }
    found = {"date": time.strftime("%Y-%m-%d"), **settings, "runs": runs}
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    print(f"{time.process_time() - started:,.0f} s of processor time")
    tell(runs)


def trained(seed: int, steps: int) -> MrT5ForConditionalGeneration:
    model = new_model("tiny", seed=seed, **SHAPE)
    controller = DeletionController(VOWEL_SHARE, regularizer_delay=round(DELAY * steps), **CONTROLLER)
    result = train(
        model,
        Diagnostic(TASK, BATCH * steps, length=LENGTH, seed=seed),
        steps=steps,
        batch_size=BATCH,
        lr=LR,
        controller=controller,
        out=cache_dir() / "mrt5_diagnostic" / f"{steps}-{seed}",
        seed=seed,
        save_every=500,
        progress=True,
    )
    for entry in result.log[:: max(len(result.log) // 8, 1)]:
        print(f"{entry.step}: {entry.bits_per_byte:.3f} bits/byte, {entry.deleted:.1%}, {entry.alpha:.1e}")
    return model


def measured(model: MrT5ForConditionalGeneration, seed: int) -> dict[str, Any]:
    """What the gate of ``model`` deletes of new examples, and what its answers are worth."""
    examples = Diagnostic(TASK, TEST, length=LENGTH, seed=TEST_SEED + seed).examples(0, range(TEST))
    texts = [decode(example.input_ids) for example in examples]
    answers = tuple((target(TASK, text),) for text in texts)
    task = Task(Listed(examples), answers, max(len(example.labels) for example in examples))
    deleted, by_kind = deletions(model, [example.input_ids for example in examples])
    random = variant(model, deletion_type="random", random_deletion_probability=deleted)
    models = {"gate": model, "random": random, "no gate": variant(model, deletion_type=None)}
    report = evaluate(model, task.data, modes=("soft", "hard", "random", "full"), batch_size=64, seed=seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # of random deletion
        right = {
            name: evaluate_answers(one, task, batch_size=64).rows[0].accuracy for name, one in models.items()
        }
    return {
        "seed": seed,
        "deleted": deleted,
        "deleted by kind": by_kind,
        "sequence accuracy": right,
        "bits per byte": {row.mode: row.bits_per_byte for row in report.rows if row.language is None},
    }


def deletions(model: MrT5ForConditionalGeneration, rows: list[np.ndarray]) -> tuple[float, dict[str, float]]:
    """The fraction of all ids that hard deletion takes, and of each kind of id."""
    ids = np.stack(rows)
    with evaluating(model):
        kept = model.encoder(torch.from_numpy(ids)).keep.numpy()
    kinds = {name: np.isin(ids, [ord(letter) + OFFSET for letter in of]) for name, of in KINDS.items()}
    kinds["EOS"] = ids == EOS
    kinds["consonants"] = ~np.logical_or.reduce(list(kinds.values()))
    return float(1 - kept.mean()), {name: float(1 - kept[at].mean()) for name, at in kinds.items()}


def tell(runs: list[dict[str, Any]]) -> None:
    kinds, ways = runs[0]["deleted by kind"], runs[0]["sequence accuracy"]
    show.table(
        f"{TASK}, {LENGTH} ids",
        ["seed", "deleted", *(f"of {kind}" for kind in kinds), *(f"right: {way}" for way in ways)],
        [
            [
                str(run["seed"]),
                f"{run['deleted']:.1%}",
                *(f"{value:.1%}" for value in run["deleted by kind"].values()),
                *(f"{value:.1%}" for value in run["sequence accuracy"].values()),
            ]
            for run in runs
        ],
    )


if __name__ == "__main__":
    main()
