"""How many times as fast queries are written as by the plain loop, with equal answers; several rounds.

    OMP_NUM_THREADS=1 python benchmarks/ir_generation.py GROUP ROUNDS

GROUP is definitions, instruction or two examples, as in ``bench_ir.py``, which says what is compared. Loop
and generator take turns. Times are of the processor. Adds to benchmarks/results/ir_generation.json.
"""

import json
import sys
import time
from pathlib import Path
from statistics import median

import bench_ir

from pyfastlm.lm import load

RESULT = Path(__file__).parent / "results" / "ir_generation.json"


def main() -> None:
    group, rounds = sys.argv[1], int(sys.argv[2])
    given = bench_ir.documents(group)
    if given is None:
        raise SystemExit("the data are not there")
    lm, prompt = load("smollm2"), bench_ir.PROMPTS[group]
    took: dict[str, list[float]] = {"loop": [], "pyfastlm": []}
    for _ in range(rounds):
        answers = []
        for name, seconds in took.items():
            started = time.process_time()
            answers.append(bench_ir.WAYS[name](lm, prompt, given))
            seconds.append(time.process_time() - started)
        assert answers[0] == answers[1]
    ratios = [loop / ours for loop, ours in zip(took["loop"], took["pyfastlm"], strict=True)]
    results = json.loads(RESULT.read_text("utf-8")) if RESULT.exists() else {}
    results[group] = {
        "documents": len(given), "batch": bench_ir.BATCH, "equal": True, "different": len(set(answers[0])),
        "seconds": took, "best": max(ratios), "median": median(ratios),
    }  # fmt: skip
    RESULT.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    print(group, results[group])


if __name__ == "__main__":
    main()
