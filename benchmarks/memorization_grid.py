"""How often a sentence must be repeated until a small model gives it back word for word: the whole grid.

    python benchmarks/memorization_grid.py --out benchmarks/results/memorization_grid.json

Killed and called again, it goes on. All of it should take 17 minutes on two idle cores (estimated); the
runs of the first group of sentences come first, so that ``--runs`` stops earlier with all seeds.
"""

import argparse
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from pyfastlm.cli import show
from pyfastlm.demo import memorization
from pyfastlm.demo.memorization import Memory
from pyfastlm.demo.memorization_plan import TRANSFORMS
from pyfastlm.demo.memorization_runs import PREFIXES
from pyfastlm.demo.memorization_tables import Cell
from pyfastlm.lm import smollm2
from pyfastlm.memorization.injection.picture import Curve, draw


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="JSON file; a picture is put beside it")
    parser.add_argument("--home", type=Path, default=Path("memorization-grid"), help="directory of the runs")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--runs", type=int, help="only so many")
    given = parser.parse_args()
    found = memorization.learn(
        memorization.FULL,
        cache=smollm2.cache_dir() / "demo" / "domains",
        seed=0,
        home=given.home,
        most=given.runs,
        workers=given.workers,
        progress=True,
    )
    given.out.write_text(json.dumps(described(found), indent=1) + "\n", "utf-8")
    draw(curves(found.cells), given.out.with_suffix(".png"), limit=found.limit)
    tell(found)


def described(found: Memory) -> dict[str, Any]:
    """All that is to be kept."""
    return {
        "verdict": found.verdict,
        "size": asdict(found.size),
        "prefix lengths": PREFIXES,
        "prompts of a sequence": found.prompts,
        "limit": found.limit,
        "parameters": found.parameters,
        "steps of a run": found.size.steps,
        "base, bits/byte by step": found.base,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}",
        "seconds of training, all runs": sum(one.seconds for one in found.runs),
        "cells": [cell._asdict() for cell in found.cells],
        "later less earlier": [contrast._asdict() for contrast in found.contrasts],
        "runs": [
            one._asdict() | {"task": one.task._asdict(), "rows": [list(row) for row in one.rows]}
            for one in found.runs
        ],
        "columns of rows": found.runs[0].rows[0]._fields,
    }


def curves(cells: Sequence[Cell]) -> list[Curve]:
    """A line for each checkpoint and transform."""
    made = []
    for checkpoint in sorted({cell.checkpoint for cell in cells}):
        for transform in TRANSFORMS:
            own = [cell for cell in cells if (cell.checkpoint, cell.transform) == (checkpoint, transform)]
            made.append(
                Curve(
                    f"checkpoint {checkpoint:,}, {transform}",
                    tuple(cell.repetitions for cell in own),
                    tuple(cell.longest for cell in own),
                    tuple(cell.low for cell in own),
                    tuple(cell.high for cell in own),
                    dashed=transform != "original",
                )
            )
    return made


def tell(found: Memory) -> None:
    """The tables, on standard output."""
    show.table(
        f"Longest verbatim continuation in tokens, of at most {found.limit}; 95 % intervals",
        ["checkpoint", "sentences", "repetitions", "measured", "longest", "interval", "before", "twin",
         "all prompts", "16 or more", "at limit"],
        [
            [
                f"{cell.checkpoint:,}", cell.transform, f"{cell.repetitions}", f"{cell.measured}",
                f"{cell.longest:.1f}", f"{cell.low:.1f} to {cell.high:.1f}", f"{cell.before:.1f}",
                f"{cell.twin:.1f}", f"{cell.mean:.2f}", f"{cell.long:.1%}", f"{cell.at_limit:.1%}",
            ]
            for cell in found.cells
        ],
    )  # fmt: skip
    show.table(
        "Later checkpoint less earlier, same sentences and seeds",
        ["sentences", "repetitions", "tokens", "95 %"],
        [
            [c.transform, f"{c.repetitions}", f"{c.difference:+.1f}", f"{c.low:+.1f} to {c.high:+.1f}"]
            for c in found.contrasts
        ],
    )
    show.table(
        "Runs: bits/byte of the validation text",
        ["checkpoint", "seed", "group", "before", "after", "planted", "share", "seconds"],
        [
            [
                f"{one.task.checkpoint:,}", f"{one.task.seed}",
                "twin" if one.task.group is None else f"{one.task.group}", f"{one.before:.4f}",
                f"{one.after:.4f}", f"{one.planted:,}", f"{one.share:.2%}", f"{one.seconds:,.0f}",
            ]
            for one in found.runs
        ],
    )  # fmt: skip
    print(found.verdict)


if __name__ == "__main__":
    main()
