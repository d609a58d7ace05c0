"""Rows of BM25: Cranfield, BIRCO's sets, and words to their definitions in WordNet.

    python benchmarks/ir_bm25.py [WORDNET]

WORDNET is the directory of Debian's package wordnet-base. Over the whole corpus for Cranfield and WTB,
over the pool of each query for the others; how rare a word is, is counted over the corpus. In brackets:
95 % intervals by bootstrap over queries. Documents without a word of the query have equal scores: N@10 orders
them by id, "expected" is the mean over all orders. Writes benchmarks/results/ir_bm25.json.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyfastlm.cli import show
from pyfastlm.ir import BM25, Collection, evaluate, load_birco, ndcg_at_10
from pyfastlm.ir.bm25 import bm25_run
from pyfastlm.ir.data import read_cranfield, wordnet_glosses
from pyfastlm.ir.measures.evaluating import MEASURES

RESULTS = Path(__file__).parent / "results" / "ir_bm25.json"
DATA = Path(__file__).parents[2] / "shared" / "data" / "ir"
SETTINGS = ((1.5, 0.75), (0.9, 0.4))


def tasks(wordnet: str) -> Iterator[Collection]:
    yield read_cranfield(DATA)
    for name in ("clinical-trial.dev_set", "clinical-trial.test_set", "wtb.dev_set"):
        yield load_birco(DATA / f"{name}.json.gz")
    yield wordnet_glosses(wordnet)


def main() -> None:
    rows: list[dict[str, Any]] = []
    for task in tasks(*sys.argv[1:] or ["/usr/share/wordnet"]):
        for k1, b in SETTINGS:
            run = bm25_run(task, BM25(task.corpus, k1=k1, b=b))
            found = evaluate(task.qrel, run)
            rows.append(
                {"task": task.name, "queries": len(task.query), "k1": k1, "b": b}
                | {"expected": ndcg_at_10(task.qrel, run, ties="expected")}
                | {name: list(found.summary(name)) for name in MEASURES}
            )
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    cells = [
        [
            row["task"],
            str(row["queries"]),
            f"{row['k1']}, {row['b']}",
            "{:.1f} [{:.1f}, {:.1f}]".format(*(100 * value for value in row["ndcg_at_10"])),
            f"{100 * row['expected']:.1f}",
            *(f"{100 * row[name][0]:.1f}" for name in MEASURES[1:]),
        ]
        for row in rows
    ]
    show.table(
        "BM25, in %",
        ["task", "Q", "k1, b", "N@10", "expected", "RR", "R@5", "R@10", "R@20", "R@100", "AP"],
        cells,
    )


if __name__ == "__main__":
    main()
