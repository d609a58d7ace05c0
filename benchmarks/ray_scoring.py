"""What the Ray engine costs: one worker beside the local engine, same documents, SmolLM2-135M.

    OMP_NUM_THREADS=1 PYTHONPATH=tests python benchmarks/ray_scoring.py [--documents 80] [--median-bytes 500]
        [--tokens-per-batch 256] [--rounds 3]

Both score the same files on one thread, in turns; their tables have to be equal to the last byte. The cluster
is started once and stays; the worker, its imports and its model are new in every round, as in a job. Told are
the wall time of a job in total; that from its first saved part to its last, when the workers are up; and the
processor time of that span, of the process that scores and of the driver, because machines are shared. The
overhead is the ratio of the minima, and beside it the median of the ratios of the rounds.
Writes benchmarks/results/ray_scoring.json.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import corpus
import jobs
import psutil
import torch

from pyfastlm.cli import show
from pyfastlm.lm import Scorer, load
from pyfastlm.lm.files import Progress, RayOptions, score_files
from pyfastlm.lm.files.ray_cluster import connected

RESULTS = Path(__file__).parent / "results" / "ray_scoring.json"
ONE = RayOptions(workers=1)
ENGINES = ("local", "ray")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--documents", type=int, default=80)
    parser.add_argument("--median-bytes", type=float, default=500.0)
    parser.add_argument("--tokens-per-batch", type=int, default=256, help="a part has 32 times as many bytes")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    # Ray gives its workers a niceness of 15: beside other jobs the engines would not be equals.
    os.environ.update(PYFASTLM_NUM_THREADS="1", RAY_worker_niceness="0")
    texts = corpus.documents(given.documents, median_bytes=given.median_bytes, sigma=0.8)
    scorer = Scorer(load("smollm2"), tokens_per_batch=given.tokens_per_batch)
    scorer.rolling(texts[:2])
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder, connected(ONE) as ray:
        source = jobs.write(Path(folder) / "in.jsonl", texts)
        for number in range(given.rounds):
            for engine in ENGINES if number % 2 == 0 else reversed(ENGINES):
                rows.append(measured(scorer, source, engine) | {"round": number})
                print(
                    {k: round(v, 2) if isinstance(v, float) else v for k, v in rows[-1].items()}, flush=True
                )
        tables = {(Path(folder) / f"{engine}.parquet").read_bytes() for engine in ENGINES}
        assert len(tables) == 1, "another table"
        version = ray.__version__
    found = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {"ray": version, "torch": torch.__version__, "python": platform.python_version()},
        "documents": len(texts),
        "bytes": sum(len(text.encode()) for text in texts),
        "tokens": rows[0]["tokens"],
        "parts": rows[0]["parts"],
        "tokens_per_batch": given.tokens_per_batch,
        "overhead": {what: overhead(rows, what) for what in ("total", "between_parts", "processor")},
        "runs": rows,
    }
    told(found)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")


def measured(scorer: Scorer, source: Path, engine: Any) -> dict[str, Any]:
    """One job."""
    marks: list[tuple[float, float, float]] = []

    def note(state: Progress) -> None:
        marks.append((time.perf_counter(), *spent(engine)))

    load_before = os.getloadavg()[0]
    started = time.perf_counter()
    report = score_files(
        scorer,
        source,
        source.with_name(f"{engine}.parquet"),
        resume=False,
        progress=note,
        engine=engine,
        ray=ONE if engine == "ray" else None,
    )
    total = time.perf_counter() - started
    wall, processor, driver = (last - first for first, last in zip(marks[0], marks[-1], strict=True))
    return {
        "engine": engine,
        "tokens": report.tokens,
        "parts": len(marks),
        "total": total,
        "first_part": marks[0][0] - started,
        "between_parts": wall,
        "processor": processor + driver,
        "of_this_driver": driver,
        "load": [load_before, os.getloadavg()[0]],
    }


def spent(engine: str) -> tuple[float, float]:
    """Processor seconds so far: of the process that scores, and of a driver beside it."""
    if engine == "local":
        return time.process_time(), 0.0
    names = ((process, process.info["name"]) for process in psutil.process_iter(["name"]))
    (worker,) = (process for process, name in names if "MapW" in name)
    return sum(worker.cpu_times()[:2]), time.process_time()


def overhead(rows: list[dict[str, Any]], what: str) -> dict[str, Any]:
    """Seconds of both engines, and how much more the second takes."""
    local, ray = ([row[what] for row in rows if row["engine"] == engine] for engine in ENGINES)
    pairs = {row["round"]: {} for row in rows}
    for row in rows:
        pairs[row["round"]][row["engine"]] = row[what]
    return {
        "local": min(local),
        "ray": min(ray),
        "of_minima": min(ray) / min(local) - 1,
        "median_of_rounds": median(pair["ray"] / pair["local"] for pair in pairs.values()) - 1,
    }


def told(found: dict[str, Any]) -> None:
    names = {
        "total": "whole job",
        "between_parts": "first part to last",
        "processor": "the same, of the processor",
    }
    cells = [
        [
            names[what],
            *(f"{of[engine]:,.1f}" for engine in ENGINES),
            f"{of['of_minima']:+.1%}",
            f"{of['median_of_rounds']:+.1%}",
        ]
        for what, of in found["overhead"].items()
    ]
    title = f"{found['documents']:,} documents, {found['tokens']:,} tokens, {found['parts']} parts"
    show.table(title, ["seconds", *ENGINES, "minima", "median of rounds"], cells)


if __name__ == "__main__":
    main()
