"""The table "Known codes" of docs/onion.md: do interventions find what is there, and only that?

    python benchmarks/onion_controls.py [--steps 4000]

All four are learned on states that are made by a formula, in their own settings and with the options of a
grid, and scored under the four common conditions. LinearCode gives each place a subspace, N = 270; OnionCode
puts all places into the same directions, N = 64. Writes benchmarks/results/onion_controls.json; about
fifteen minutes on one core.
"""

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path

import torch

from pyfastlm.cli import show
from pyfastlm.onion import RepeatTask, evaluate
from pyfastlm.onion.controls import LinearCode, OnionCode
from pyfastlm.onion.grid import COMMON, KINDS, FitOptions, learned

RESULTS = Path(__file__).parent / "results" / "onion_controls.json"
SYMBOLS, SHORTEST, LONGEST = 30, 2, 9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=4000)
    given = parser.parse_args()
    torch.set_num_threads(1)
    options = replace(FitOptions(), steps=given.steps)
    task = RepeatTask(SYMBOLS, SHORTEST, LONGEST)
    codes = (
        ("LinearCode", LinearCode.make(SYMBOLS, LONGEST)),
        ("OnionCode", OnionCode.make(64, SYMBOLS, LONGEST)),
    )
    rows = []
    for name, code in codes:
        for kind in KINDS:
            fitted = learned(options, code, task, kind)
            reports = [
                evaluate(code, task, fitted.intervention, lengths=c.lengths, edits=c.edits) for c in COMMON
            ]
            rows.append(
                {
                    "code": name,
                    "N": code.config.size,
                    "kind": kind,
                    "lengths": fitted.lengths,
                    "edits": fitted.edits,
                    "converged": fitted.converged,
                    "curve": [asdict(point) for point in fitted.curve],
                    "seconds": fitted.seconds,
                    **{str(c): r.scores.taught.share for c, r in zip(COMMON, reports, strict=True)},
                }
            )
            print(name, kind, *(f"{rows[-1][str(c)]:.3f}" for c in COMMON), flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"options": asdict(options), "rows": rows}, indent=1) + "\n")
    show.table(
        "Whole sequences right",
        ["code, edit", *map(str, COMMON), "at rest"],
        [
            [
                f"{row['code']}, N {row['N']}, {row['kind']}",
                *(f"{row[str(c)]:.3f}" for c in COMMON),
                "yes" if row["converged"] else "no",
            ]
            for row in rows
        ],
    )


if __name__ == "__main__":
    main()
