"""What the cost model predicts beside what scoring takes, for three sizes of models and of texts.

    OMP_NUM_THREADS=1 PYTHONPATH=tests python benchmarks/cost_model.py [--rounds 3]

SmolLM2-135M, and random weights in two other shapes; each scores its own number of documents of log-normal
length in 14 languages, as it is and in 8 bits. Rates are measured anew before every round, so that both see
the same machine; processor time of one thread. Then 90 models of that size and a billion documents, by
simulation. Writes benchmarks/results/cost_model.json.
"""

import argparse
import json
import os
import platform
import time
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import corpus
import torch

from pyfastlm.cli import show
from pyfastlm.lm import LM, Scorer, load
from pyfastlm.lm.cost import Fleet, TextWork, bound, measure_rates, model_work, predict, simulate, text_work

RESULTS = Path(__file__).parent / "results" / "cost_model.json"
SIZES = {  # documents that it scores, and the shape of a Llama: width, inner width, layers, heads, of keys
    "30M": (48, (256, 1024, 12, 4, 2)),
    "135M": (16, None),
    "360M": (8, (960, 2560, 32, 15, 5)),
}
SHAPE = (
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
)
MODELS, DOCUMENTS, PART = 90, 1e9, 10_000
H100 = {"flops": 989e12, "bandwidth": 3.35e12}  # dense bfloat16, of the vendor's data sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    os.environ["PYFASTLM_NUM_THREADS"] = "1"
    known = load("smollm2")
    texts = corpus.documents(max(count for count, _ in SIZES.values()), median_bytes=1000.0, sigma=0.8)
    rows = [
        row
        for size, (count, shape) in SIZES.items()
        for row in compared(size, sized(known, shape), texts[:count], given.rounds)
    ]
    found = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "torch": torch.__version__,
        "runs": rows,
        "projection": projected(known, text_work(known, texts), rows),
    }
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")


def sized(known: LM, shape: tuple[int, ...] | None) -> LM:
    """The known model, or one of its kind and vocabulary with random weights."""
    if shape is None:
        return known
    import transformers

    changes = dict(zip(SHAPE, shape, strict=True)) | {"head_dim": None}
    config = transformers.LlamaConfig(**(known.model.config.to_dict() | changes))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return LM(transformers.LlamaForCausalLM(config).eval(), known.tokenizer, "random")


def compared(size: str, lm: LM, texts: list[str], rounds: int) -> list[dict[str, Any]]:
    work, seen = model_work(lm.model), text_work(lm, texts)
    rows = []
    for precision in ("model", "int8"):
        scorer = Scorer(lm, precision=precision)
        runs = []
        for _ in range(rounds):
            foreseen = predict(work, measure_rates(lm.model.config, work, precision=precision), seen)
            started = time.process_time()
            scorer.rolling(texts)
            runs.append((foreseen, time.process_time() - started))
        best = min(runs, key=lambda run: run[1])
        rows.append(
            {
                "size": size,
                "precision": precision,
                "parameters": work.parameters,
                "documents": len(texts),
                "tokens": int(seen.tokens),
                "seconds": best[1],
                "predicted": asdict(best[0]),
                "ratios": [each.seconds / seconds for each, seconds in runs],
            }
        )
    columns = ["model", "precision", "tokens", "measured s", "predicted / measured (all rounds)", "median"]
    cells = [
        [
            size,
            row["precision"],
            f"{row['tokens']:,}",
            f"{row['seconds']:.1f}",
            " ".join(f"{ratio:.2f}" for ratio in row["ratios"]),
            f"{median(row['ratios']):.2f}",
        ]
        for row in rows
    ]
    show.table("What was foreseen, and what it took", columns, cells)
    return rows


def projected(lm: LM, seen: TextWork, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """90 models of 135M and a billion documents on ten thousand cores; and the bound of GPUs, on paper."""
    work = model_work(lm.model)
    found = []
    for row in rows:
        if row["size"] != "135M":
            continue
        each = row["seconds"] / row["documents"]
        parts = round(DOCUMENTS / PART) * MODELS
        outcome = simulate(
            Fleet(workers=10_000, failures=0.01, link=12.5e9),
            parts,
            each * PART,
            part_bytes=seen.of(PART).bytes,
            weight_bytes=work.weight_bytes,
            spread=0.1,
            seed=0,
        )
        found.append(
            {
                "precision": row["precision"],
                "core_hours": each * DOCUMENTS * MODELS / 3600,
                "fleet": asdict(outcome),
                "h100_hours_at_least": bound(work, seen.of(DOCUMENTS * MODELS), **H100) / 3600,
            }
        )
    columns = [
        "precision",
        "core hours",
        "hours of 10,000 cores",
        "at work",
        "lost",
        "failures",
        "TB read",
        "bound",
    ]
    cells = [
        [
            row["precision"],
            f"{row['core_hours']:,.0f}",
            f"{row['fleet']['seconds'] / 3600:,.1f}",
            f"{row['fleet']['busy']:.1%}",
            f"{row['fleet']['lost']:.2%}",
            f"{row['fleet']['failures']:,}",
            f"{row['fleet']['read'] / 1e12:,.0f}",
            row["fleet"]["bound"],
        ]
        for row in found
    ]
    show.table(f"{MODELS} models of 135M, {DOCUMENTS:,.0f} documents", columns, cells)
    return found


if __name__ == "__main__":
    main()
