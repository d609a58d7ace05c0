"""The tables of docs/together.md: Iris with SmolLM2-135M, strategies under equal budgets.

    python benchmarks/together_iris.py GRID [--seeds 3] [--threads 2] [--strategies none,P,W]
    python benchmarks/together_iris.py GRID --read

GRID is the directory of the grid: stopped, it goes on. Writes benchmarks/results/together_iris.json from all
that is in it; --read does only that.
"""

import argparse
import json
import os
import platform
import time
from pathlib import Path

import torch

from pyfastlm.cli import show
from pyfastlm.together.report import tables
from pyfastlm.together.strategies import CONTROLS, STRATEGIES, Budget, read_grid, run_strategies
from pyfastlm.together.tasks import iris

RESULTS = Path(__file__).parent / "results" / "together_iris.json"
BUDGET = Budget(candidates=6, demos=3, rounds=4, labeled=3)
TRAINING = {"epochs": 2, "lr": 1e-3, "rank": 32, "alpha": 64.0, "batch_size": 8}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("grid", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=2, help="of torch")
    parser.add_argument("--strategies", default=",".join((*STRATEGIES, *CONTROLS)))
    parser.add_argument("--read", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if not given.read:
        run(given.grid, given.strategies.split(","), given.seeds)
    grid = read_grid(given.grid)
    for table in (tables.accuracies(grid), tables.contrasts(grid), tables.costs(grid)):
        show.table(table.title, table.columns, table.rows)
    found = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "torch": torch.__version__,
        **tables.summary(grid),
    }
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")


def run(place: Path, strategies: list[str], seeds: list[int]) -> None:
    import dspy

    from pyfastlm.together import HFEngine, InProcessProvider

    engine = HFEngine("smollm2")
    lm = dspy.LM(
        engine.model_id,
        engine=engine,
        provider=InProcessProvider(engine),
        cache=False,
        temperature=0,
        max_tokens=64,
    )
    started, cpu = time.perf_counter(), time.process_time()
    run_strategies(
        iris(),
        lm,
        strategies=strategies,
        seeds=seeds,
        budget=BUDGET,
        directory=place,
        train_kwargs=TRAINING,
        threads=8,
        progress=True,
    )
    print(f"{time.perf_counter() - started:.0f} s, {time.process_time() - cpu:.0f} s of processor time")


if __name__ == "__main__":
    main()
